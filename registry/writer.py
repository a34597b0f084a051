"""The writer of registered models: a run with its complete model, its registration and its alias."""

import importlib.metadata
import json
import math
import platform
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.card import EffectCard, ModelCard
from registry.model_code import model_code
from registry.store import CHALLENGER, CHAMPION, local_database, opened_store, readable_store, turn

TRAVELLING_PACKAGES = ("mlflow", "lightgbm", "numpy", "pandas", "scipy")
TRAINING_PACKAGES = (*TRAVELLING_PACKAGES, "scikit-learn", "numba", "pyarrow", "deltalake")
EFFECT_TAGS = ("playbook", "target", "learnt_as_of", "learner", "verdict")
EFFECT_METRICS = ("share", "standard_error", "always_low", "always_high", "treatment", "control", "accounts")


@dataclass(frozen=True)
class Logged:
    """Everything that a run leaves behind."""

    name: str
    """The registered name: <project slug>-<target name>."""
    card: ModelCard
    booster: str | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    files: Mapping[str, str] = field(default_factory=dict)
    """Artifacts: path inside the run → text."""
    judged_booster: str | None = None
    """Of the model as it was judged, where it has trees."""


@dataclass(frozen=True)
class Registered:
    """The run, the version and the alias of a model that has been registered."""

    run_id: str
    version: int
    alias: str


def registered_name(project: str, target: str) -> str:
    """<project slug>-<target name>."""
    return f"{project}-{target}"


def effect_name(project: str, playbook: str) -> str:
    """<project slug>-effect-<playbook>."""
    return f"{project}-effect-{playbook}"


def created_by() -> dict[str, str]:
    """Versions of what a model's numbers depend on."""
    versions = {package: importlib.metadata.version(package) for package in ("lightgbm", "numpy")}
    return {**versions, "python": platform.python_version()}


def environment() -> dict[str, str]:
    """What a training ran in: Python, the system, and every package that had a hand in the numbers."""
    versions = {package: importlib.metadata.version(package) for package in TRAINING_PACKAGES}
    return {"python": platform.python_version(), "system": platform.platform(), **versions}


def open_store(tracking_uri: str) -> None:
    """Make a local store where there is none, and check that a given one answers; NoModel if it does not.

    A training begins with this, so that its work is not lost on a store that turns out to be unusable.
    """
    with readable_store(tracking_uri) as mlflow:
        mlflow.search_experiments(max_results=1)


def log_and_register(logged: Logged, tracking_uri: str) -> Registered:
    """Log a run with its complete model, register the model, and give it an alias.

    The first version of a name becomes the champion; a later one the challenger, in place of the challenger before.
    Processes that register in the same local store at once take turns, so that only one of them is the first.
    """
    card = logged.card
    with opened_store(tracking_uri) as mlflow:
        with turn(tracking_uri):
            experiment = _experiment(mlflow, logged.name, tracking_uri)
        run_name = f"{card.rung} {card.trained_as_of:%Y-%m-%d}"
        with mlflow.start_run(experiment_id=experiment, run_name=run_name) as run:
            mlflow.log_params(dict(logged.parameters))
            mlflow.log_metrics({name: value for name, value in logged.metrics.items() if not math.isnan(value)})
            for path, text in logged.files.items():
                mlflow.log_text(text, path)
            model_uri = _log_model(mlflow, logged)
            with turn(tracking_uri):
                version = _register(mlflow, logged, model_uri)
                alias = _give_alias(mlflow, logged.name, version)
        return Registered(run.info.run_id, version, alias)


def register_effect(name: str, card: EffectCard, boosters: Mapping[str, str], tracking_uri: str) -> Registered:
    """Log and register the learnt effect of a playbook. The newest is the champion: it rests on all that the one before knew.

    NoModel if the store cannot be used.
    """
    stored = card.to_json()
    tags = {key: stored[key] for key in EFFECT_TAGS}
    with readable_store(tracking_uri) as mlflow:
        with turn(tracking_uri):
            experiment = _experiment(mlflow, name, tracking_uri)
        run_name = f"{card.verdict} {card.learnt_as_of:%Y-%m-%d}"
        with mlflow.start_run(experiment_id=experiment, run_name=run_name) as run:
            mlflow.log_params(tags)
            mlflow.log_metrics({key: float(stored[key]) for key in EFFECT_METRICS})
            uri = _log_effect(mlflow, card, boosters)
            with turn(tracking_uri):
                version = int(mlflow.register_model(uri, name, tags=tags).version)
                mlflow.MlflowClient().set_registered_model_alias(name, CHAMPION, str(version))
        return Registered(run.info.run_id, version, CHAMPION)


def _experiment(mlflow: Any, name: str, tracking_uri: str) -> str:
    """The id of the experiment; a local store keeps its artifacts beside the database, not in the working directory."""
    experiment = mlflow.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    database = local_database(tracking_uri)
    location = (database.resolve().parent / "mlflow-artifacts" / name).as_uri() if database else None
    return str(mlflow.create_experiment(name, artifact_location=location))


def _log_model(mlflow: Any, logged: Logged) -> str:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    code = model_code()
    days = logged.card.answer == "days"
    outputs = [ColSpec("double", name) for name in ("median", "low", "high")] if days else [ColSpec("double")]
    inputs = Schema([ColSpec("double", feature) for feature in logged.card.features])
    files = {
        code.CARD: _as_text(logged.card),
        code.BOOSTER: logged.booster,
        code.JUDGED: logged.judged_booster,
    }
    there = {name: text for name, text in files.items() if text is not None}
    return _log_files(mlflow, code.__file__, there, ModelSignature(inputs=inputs, outputs=Schema([*outputs])))


def _log_effect(mlflow: Any, card: EffectCard, boosters: Mapping[str, str]) -> str:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from registry import effect_model as code

    inputs = Schema([ColSpec("double", name) for name in (code.CHANCE, *card.features)])
    files = {code.CARD: _as_text(card), **boosters}
    signature = ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")]))
    return _log_files(mlflow, str(code.__file__), files, signature)


def _as_text(card: ModelCard | EffectCard) -> str:
    return json.dumps(card.to_json(), indent=1, allow_nan=False)


def _log_files(mlflow: Any, code: str, files: Mapping[str, str], signature: Any) -> str:
    """A model of the running run that consists of these files and the code that reads them; its URI."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "score_model"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=code,
            artifacts={"model": str(folder)},
            signature=signature,
            pip_requirements=[f"{package}=={importlib.metadata.version(package)}" for package in TRAVELLING_PACKAGES],
        )
    return str(info.model_uri)


def _register(mlflow: Any, logged: Logged, model_uri: str) -> int:
    card = logged.card
    tags = {"rung": card.rung, "trained_as_of": card.trained_as_of.isoformat()}
    if card.grade is not None:
        tags["grade"] = card.grade.letter
    return int(mlflow.register_model(model_uri, logged.name, tags=tags).version)


def _give_alias(mlflow: Any, name: str, version: int) -> str:
    client = mlflow.MlflowClient()
    alias = CHALLENGER if CHAMPION in client.get_registered_model(name).aliases else CHAMPION
    client.set_registered_model_alias(name, alias, str(version))
    return alias
