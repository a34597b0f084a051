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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training import registered_model

TRAVELLING_PACKAGES = ("mlflow", "lightgbm", "numpy", "pandas")
LOCAL_STORE = "sqlite:///"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
CHAMPION, CHALLENGER = "champion", "challenger"


class NoModel(LookupError):
    """The registry holds no model of that name, or none with that alias."""


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


def model_code() -> Any:
    """The module that travels with every model, imported with MLflow kept quiet."""
    _mlflow()
    from training import registered_model

    return registered_model


def registered_name(project: str, target: str) -> str:
    """<project slug>-<target name>."""
    return f"{project}-{target}"


def created_by() -> dict[str, str]:
    """Versions of what a model's numbers depend on."""
    versions = {package: importlib.metadata.version(package) for package in ("lightgbm", "numpy")}
    return {**versions, "python": platform.python_version()}


def log_and_register(logged: Logged, tracking_uri: str) -> Registered:
    """Log a run with its complete model, register it, and give it an alias.

    The first version of a name becomes the champion; a later one the challenger, in place of the challenger before.
    """
    with _tracking(tracking_uri) as mlflow:
        experiment = _experiment(mlflow, logged.name, tracking_uri)
        with mlflow.start_run(
            experiment_id=experiment, run_name=f"{logged.card['rung']} {logged.card['trained_as_of'][:10]}"
        ) as run:
            mlflow.log_params(dict(logged.parameters))
            mlflow.log_metrics({name: value for name, value in logged.metrics.items() if not math.isnan(value)})
            for path, text in logged.files.items():
                mlflow.log_text(text, path)
            model_uri = _log_model(mlflow, logged)
            version = _register(mlflow, logged, model_uri)
        return Registered(run.info.run_id, version, _give_alias(mlflow, logged.name, version))


def list_models(tracking_uri: str, name: str) -> list[ModelRow]:
    """Every version of a registered model, newest first; none if the name is not registered."""
    with _tracking(tracking_uri) as mlflow:
        client = mlflow.MlflowClient()
        versions = client.search_model_versions(f"name = '{name}'")
        aliases = dict(client.get_registered_model(name).aliases) if versions else {}
        rows = [_model_row(client, each, aliases) for each in versions]
    return sorted(rows, key=lambda row: -row.version)


def load_model(tracking_uri: str, name: str, alias: str = CHAMPION) -> tuple[int, "registered_model.ScoreModel"]:
    """Version and model behind an alias; NoModel if there is none."""
    with _tracking(tracking_uri) as mlflow:
        try:
            version = mlflow.MlflowClient().get_model_version_by_alias(name, alias)
        except mlflow.exceptions.MlflowException as missing:
            raise NoModel(f"there is no {alias} of '{name}' at {tracking_uri}; train one first") from missing
        loaded = mlflow.pyfunc.load_model(f"models:/{name}/{version.version}")
        return int(version.version), loaded.unwrap_python_model().model


def _mlflow() -> ModuleType:
    """MLflow, without telemetry (read while it is imported) and without taking a lock file along.

    The model's requirements are given; a uv.lock that lies in the working directory by chance is not among them.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
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
    if uri.startswith(LOCAL_STORE):
        Path(uri.removeprefix(LOCAL_STORE)).parent.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(uri)
    try:
        with _without_chatter():
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
    location = None
    if tracking_uri.startswith(LOCAL_STORE):
        location = (Path(tracking_uri.removeprefix(LOCAL_STORE)).resolve().parent / "mlflow-artifacts" / name).as_uri()
    return str(mlflow.create_experiment(name, artifact_location=location))


def _log_model(mlflow: Any, logged: Logged) -> str:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    code = model_code()
    inputs = Schema([ColSpec("double", feature) for feature in logged.card["features"]])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "score_model"
        folder.mkdir()
        (folder / code.CARD).write_text(json.dumps(logged.card, indent=1, allow_nan=False), encoding="utf-8")
        if logged.booster is not None:
            (folder / code.BOOSTER).write_text(logged.booster, encoding="utf-8")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=code.__file__,
            artifacts={"model": str(folder)},
            signature=ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")])),
            pip_requirements=[f"{package}=={importlib.metadata.version(package)}" for package in TRAVELLING_PACKAGES],
        )
    return str(info.model_uri)


def _register(mlflow: Any, logged: Logged, model_uri: str) -> int:
    tags = {"rung": logged.card["rung"], "trained_as_of": logged.card["trained_as_of"]}
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
    )
