"""The only training file that knows MLflow: runs, the registry, and the code that travels with a model.

MLflow takes a second or two to import, so it is imported when first needed, never by importing this file.
"""

import importlib.metadata
import json
import logging
import math
import os
import platform
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from registry.promotion_log import Decision, Standing
from registry.store_lock import turn_at

if TYPE_CHECKING:
    from registry import registered_model

TRAVELLING_PACKAGES = ("mlflow", "lightgbm", "numpy", "pandas", "scipy")
TRAINING_PACKAGES = (*TRAVELLING_PACKAGES, "scikit-learn", "numba", "pyarrow", "deltalake")
LOCAL_STORE = "sqlite:///"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
CHAMPION, CHALLENGER = "champion", "challenger"
DECISION = "decision "
EFFECT_METRICS = ("share", "standard_error", "always_low", "always_high", "treatment", "control", "accounts")
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's words for: no such name, no such alias


class NoModel(LookupError):
    """The registry holds no model of that name, none with that alias, or none that can be read."""


@dataclass(frozen=True)
class Logged:
    """Everything a run leaves behind."""

    name: str
    """The registered name: <project slug>-<target name>."""
    card: Mapping[str, Any]
    booster: str | None
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    files: Mapping[str, str] = field(default_factory=dict)
    """Artifacts: path inside the run → text."""
    judged_booster: str | None = None
    """Of the model as it was judged, where it has trees."""


@dataclass(frozen=True)
class Registered:
    """Where a run's model ended up."""

    run_id: str
    version: int
    alias: str


@dataclass(frozen=True)
class ModelRow:
    """One version of a registered model, for a list."""

    version: int
    aliases: tuple[str, ...]
    trained_as_of: str
    rung: str
    metrics: Mapping[str, float]
    run_id: str
    registered_at: datetime
    grade: str | None = None
    """A, B, C or none; None for a model from before there were grades."""


def model_code() -> Any:
    """The module that travels with every model, imported with MLflow kept quiet."""
    _mlflow()
    from registry import registered_model

    return registered_model


def registered_name(project: str, target: str) -> str:
    """<project slug>-<target name>."""
    return f"{project}-{target}"


def created_by() -> dict[str, str]:
    """Versions of what a model's numbers depend on."""
    versions = {package: importlib.metadata.version(package) for package in ("lightgbm", "numpy")}
    return {**versions, "python": platform.python_version()}


def environment() -> dict[str, str]:
    """What a training ran in: Python, the system, and every package that had a hand in the numbers."""
    versions = {package: importlib.metadata.version(package) for package in TRAINING_PACKAGES}
    return {"python": platform.python_version(), "system": platform.platform(), **versions}


def open_store(tracking_uri: str) -> None:
    """Make a local store where there is none, and see that a given one answers; NoModel if it does not.

    A training begins with this, so that its work is not lost on a store that turns out to be unusable.
    """
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        mlflow.search_experiments(max_results=1)


def log_and_register(logged: Logged, tracking_uri: str) -> Registered:
    """Log a run with its complete model, register it, and give it an alias.

    The first version of a name becomes the champion; a later one the challenger, in place of the challenger before.
    Processes that register in the same local store at once take turns, so that only one of them is the first.
    """
    with _tracking(tracking_uri) as mlflow:
        with _turn(tracking_uri):
            experiment = _experiment(mlflow, logged.name, tracking_uri)
        with mlflow.start_run(
            experiment_id=experiment, run_name=f"{logged.card['rung']} {logged.card['trained_as_of'][:10]}"
        ) as run:
            mlflow.log_params(dict(logged.parameters))
            mlflow.log_metrics({name: value for name, value in logged.metrics.items() if not math.isnan(value)})
            for path, text in logged.files.items():
                mlflow.log_text(text, path)
            model_uri = _log_model(mlflow, logged)
            with _turn(tracking_uri):
                version = _register(mlflow, logged, model_uri)
                alias = _give_alias(mlflow, logged.name, version)
        return Registered(run.info.run_id, version, alias)


def effect_name(project: str, playbook: str) -> str:
    """<project slug>-effect-<playbook>."""
    return f"{project}-effect-{playbook}"


def register_effect(name: str, card: Mapping[str, Any], boosters: Mapping[str, str], tracking_uri: str) -> Registered:
    """Log and register what a playbook was found to do. The newest is the champion: it rests on all that the one before knew.

    NoModel if the store cannot be used.
    """
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        with _turn(tracking_uri):
            experiment = _experiment(mlflow, name, tracking_uri)
        with mlflow.start_run(
            experiment_id=experiment, run_name=f"{card['verdict']} {card['learnt_as_of'][:10]}"
        ) as run:
            told = {key: card[key] for key in ("playbook", "target", "learnt_as_of", "learner", "verdict")}
            mlflow.log_params(told)
            mlflow.log_metrics({key: float(card[key]) for key in EFFECT_METRICS})
            uri = _log_effect(mlflow, card, boosters)
            with _turn(tracking_uri):
                version = int(mlflow.register_model(uri, name, tags=told).version)
                mlflow.MlflowClient().set_registered_model_alias(name, CHAMPION, str(version))
        return Registered(run.info.run_id, version, CHAMPION)


def list_models(tracking_uri: str, name: str) -> list[ModelRow]:
    """Every version of a registered model, newest first; none if the name is not registered. NoModel: see load_model."""
    if _not_made_yet(tracking_uri):
        return []
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        client = mlflow.MlflowClient()
        versions = client.search_model_versions(f"name = {_quoted(name)}")
        aliases = dict(client.get_registered_model(name).aliases) if versions else {}
        rows = [_model_row(client, each, aliases) for each in versions]
    return sorted(rows, key=lambda row: -row.version)


def load_model(tracking_uri: str, name: str, alias: str = CHAMPION) -> tuple[int, "registered_model.ScoreModel"]:
    """Version and model behind an alias; NoModel if there is none, or if the store or the model cannot be read."""
    nobody = NoModel(f"there is no {alias} of '{name}' at {tracking_uri}; train one first")
    if _not_made_yet(tracking_uri):
        raise nobody
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        try:
            version = int(mlflow.MlflowClient().get_model_version_by_alias(name, alias).version)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code in NOT_THERE:
                raise nobody from error
            raise
        return version, _loaded(mlflow, name, version)


def load_version(tracking_uri: str, name: str, version: int) -> "registered_model.ScoreModel":
    """The model of that version, whatever its alias; NoModel that names the versions there are, or as `load_model`."""
    known = [row.version for row in list_models(tracking_uri, name)]
    if version not in known:
        there = ", ".join(map(str, known)) or "none"
        raise NoModel(f"'{name}' has no version {version}; it has {there}")
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        return _loaded(mlflow, name, version)


def standing(tracking_uri: str, name: str) -> Standing:
    """Who is champion, and what has been decided so far; nobody and nothing if the name is not registered."""
    if _not_made_yet(tracking_uri):
        return Standing(None)
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow:
        try:
            return _standing(mlflow.MlflowClient(), name)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code in NOT_THERE:
                return Standing(None)
            raise


def settle(tracking_uri: str, name: str, decision: Decision) -> Decision:
    """Keep a decision with the registered model, moving the champion's alias if it says so; the decision as it was kept.

    If the champion is no longer the one that the decision was made with in view, nothing moves, and it is kept, and
    returned, as overtaken. A service that looks meanwhile finds the one champion or the other.

    MLflow has no compare-and-swap on an alias. In a local store a lock makes one of it: of any number of decisions at
    once exactly one moves the alias. On a server nothing can: the alias is read before and again after it is written, so
    who comes second is told unless both write between each other's readings; then the later one is champion, and
    the line shows both decisions.
    """
    with _readable(tracking_uri), _tracking(tracking_uri) as mlflow, _turn(tracking_uri):
        client = mlflow.MlflowClient()
        before = _standing(client, name)
        if decision.moves and before.champion != decision.before:
            decision = decision.overtaken_by(before.champion, _last(before))
        if decision.moves:
            _make_champion(client, name, decision.version)
            after = _standing(client, name)
            if after.champion != decision.version:
                decision = decision.overtaken_by(after.champion, _last(after))
        _keep(client, name, decision, len(before.decisions) + 1)
        return decision


def _last(standing: Standing) -> Decision | None:
    return next((one for one in reversed(standing.decisions) if one.moves), None)


def _standing(client: Any, name: str) -> Standing:
    """Alias and decisions by one reading, so that they belong together."""
    model = client.get_registered_model(name)
    kept = sorted((key, text) for key, text in model.tags.items() if key.startswith(DECISION))
    champion = model.aliases.get(CHAMPION)
    return Standing(champion and int(champion), tuple(Decision.from_json(json.loads(text)) for _, text in kept))


def _make_champion(client: Any, name: str, version: int) -> None:
    aliases = client.get_registered_model(name).aliases
    client.set_registered_model_alias(name, CHAMPION, str(version))
    if str(aliases.get(CHALLENGER)) == str(version):
        client.delete_registered_model_alias(name, CHALLENGER)


def _keep(client: Any, name: str, decision: Decision, number: int) -> None:
    """With the model, for the line; with the version, in words, for who looks at it in MLflow."""
    text = json.dumps(decision.to_json(), allow_nan=False)
    client.set_registered_model_tag(name, f"{DECISION}{number:04} version {decision.version}", text)
    said = f"{decision.kind} {decision.decided_at.isoformat()}: {decision.why}"
    client.set_model_version_tag(name, str(decision.version), "decision", said)


def _loaded(mlflow: Any, name: str, version: int) -> "registered_model.ScoreModel":
    try:
        return mlflow.pyfunc.load_model(f"models:/{name}/{version}").unwrap_python_model().model  # type: ignore[no-any-return]
    except Exception as error:  # a model brings files and code of its own, which may fail in any way
        raise NoModel(
            f"version {version} of '{name}' cannot be read ({_first_line(error)}); bring back the files of its run from a backup, "
            f"or train again and promote the new version: foresail promote TARGET VERSION"
        ) from error


@contextmanager
def _readable(uri: str) -> Iterator[None]:
    """NoModel for whatever a store fails with: a database, a server and a folder each fail in words of their own."""
    try:
        yield
    except NoModel:
        raise
    except Exception as error:
        raise NoModel(
            f"the model store {uri} cannot be read ({_first_line(error)}); check that the address is right, that its server answers "
            f"or that the file is MLflow's database, or name another store"
        ) from error


def _first_line(error: Exception) -> str:
    """What failed, without the SQL and the links that follow in some errors."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


def _quoted(name: str) -> str:
    """A name inside MLflow's filters, which know no escaping but two kinds of quotes."""
    return f'"{name}"' if "'" in name else f"'{name}'"


def _database(uri: str) -> Path | None:
    """The file of a local store."""
    return Path(uri.removeprefix(LOCAL_STORE)) if uri.startswith(LOCAL_STORE) else None


def _not_made_yet(uri: str) -> bool:
    database = _database(uri)
    return database is not None and not database.exists()


def _turn(uri: str) -> AbstractContextManager[None]:
    """One process at a time in a local store; a server sees to that itself."""
    database = _database(uri)
    return turn_at(database) if database else nullcontext()


def _mlflow() -> ModuleType:
    """MLflow, without telemetry (read while it is imported) and without taking a lock file along.

    The model's requirements are given; a uv.lock that lies in the working directory by chance is not among them. A
    server that does not answer is given up after seconds, not minutes, unless the environment says otherwise.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow
    import mlflow.pyfunc

    return mlflow


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep news of migrations, created versions and optional examples off the terminal; failures still raise."""
    from mlflow.utils.logging_utils import disable_logging, enable_logging

    alembic = logging.getLogger("alembic")
    level = alembic.level
    alembic.setLevel(logging.WARNING)
    disable_logging()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
            yield
    finally:
        enable_logging()  # type: ignore[no-untyped-call]
        alembic.setLevel(level)


@contextmanager
def _tracking(uri: str) -> Iterator[Any]:
    """MLflow looking at `uri` for a while: its tracking URI is global, and others may have set theirs."""
    mlflow = _mlflow()
    before, in_environment = mlflow.get_tracking_uri(), os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    try:
        with _without_chatter():
            if _database(uri):
                with _turn(uri):  # the first to open a store makes its tables, which breaks if two do it at once
                    mlflow.search_experiments(max_results=1)
            yield mlflow
    finally:
        mlflow.set_tracking_uri(before)
        if in_environment is None:  # set_tracking_uri has put it there
            os.environ.pop(URI_VARIABLE, None)


def _experiment(mlflow: Any, name: str, tracking_uri: str) -> str:
    """The id of the experiment; a local store keeps its artifacts beside the database, not in the working directory."""
    found = mlflow.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    database = _database(tracking_uri)
    location = (database.resolve().parent / "mlflow-artifacts" / name).as_uri() if database else None
    return str(mlflow.create_experiment(name, artifact_location=location))


def _log_model(mlflow: Any, logged: Logged) -> str:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    code = model_code()
    days = logged.card.get("answer") == "days"
    outputs = [ColSpec("double", name) for name in ("median", "low", "high")] if days else [ColSpec("double")]
    inputs = Schema([ColSpec("double", feature) for feature in logged.card["features"]])
    files = {
        code.CARD: json.dumps(logged.card, indent=1, allow_nan=False),
        code.BOOSTER: logged.booster,
        code.JUDGED: logged.judged_booster,
    }
    there = {name: text for name, text in files.items() if text is not None}
    return _log_files(mlflow, code.__file__, there, ModelSignature(inputs=inputs, outputs=Schema([*outputs])))


def _log_effect(mlflow: Any, card: Mapping[str, Any], boosters: Mapping[str, str]) -> str:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    from registry import effect_model as code

    inputs = Schema([ColSpec("double", name) for name in (code.CHANCE, *card["features"])])
    files = {code.CARD: json.dumps(card, indent=1, allow_nan=False), **boosters}
    signature = ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")]))
    return _log_files(mlflow, str(code.__file__), files, signature)


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
    tags = {"rung": logged.card["rung"], "trained_as_of": logged.card["trained_as_of"]}
    if "grade" in logged.card:
        tags["grade"] = logged.card["grade"]["letter"]
    return int(mlflow.register_model(model_uri, logged.name, tags=tags).version)


def _give_alias(mlflow: Any, name: str, version: int) -> str:
    client = mlflow.MlflowClient()
    alias = CHALLENGER if CHAMPION in client.get_registered_model(name).aliases else CHAMPION
    client.set_registered_model_alias(name, alias, str(version))
    return alias


def _model_row(client: Any, version: Any, aliases: Mapping[str, str]) -> ModelRow:
    mine: Sequence[str] = [alias for alias, of in aliases.items() if int(of) == int(version.version)]
    return ModelRow(
        int(version.version),
        tuple(sorted(mine)),
        version.tags.get("trained_as_of", ""),
        version.tags.get("rung", ""),
        dict(client.get_run(version.run_id).data.metrics),
        str(version.run_id),
        datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        version.tags.get("grade"),
    )
