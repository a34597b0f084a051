"""Registered models: found by alias in MLflow, checked against the catalog, ready to score.

The only file of this room that knows MLflow.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, Protocol, cast

import numpy as np

from features.arrays import Floats
from features.catalog import CATALOG, fingerprint, named
from features.engine.feature_names import Names
from features.engine.plan import FeatureSet
from features.families.eligibility import Population, of_target

CHAMPION = "champion"
LOCAL_STORE = "sqlite:///"
LEARNT_AS_OF = "learnt_as_of"
"""The tag of a learnt effect's version: the moment up to which outcomes were known."""
URI_VARIABLE = "MLFLOW_TRACKING_URI"
SETTINGS_OF_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""Unless the environment says otherwise. By itself MLflow would try for minutes to reach a registry that is down."""

Grade = Literal["A", "B", "C", "none"]


class ModelUnavailable(Exception):
    """No model can be put into service; the message says why and what to do."""


class NoChampion(ModelUnavailable):
    """No model of that name, or none that carries the alias."""


class FingerprintMismatch(ModelUnavailable):
    """The model was trained on features that this installation computes differently, or not at all."""


class BrokenModel(ModelUnavailable):
    """The registered files are no model that can be read and asked."""


class RegistryUnavailable(ModelUnavailable):
    """The registry does not answer."""


class Carded(Protocol):
    """What every registered model tells of itself."""

    card: dict[str, Any]
    features: tuple[str, ...]


class ScoreModel(Carded, Protocol):
    """What travels inside the registered model; see registry/registered_model.py, which serving does not import."""

    def probability(self, matrix: Floats) -> Floats: ...
    def answers(self, matrix: Floats) -> Floats: ...
    def contributions(self, matrix: Floats) -> Floats: ...


class EffectModel(Carded, Protocol):
    """What travels inside a playbook's registered effect; see registry/effect_model.py."""

    @property
    def tells_apart(self) -> bool: ...
    def shares(self, matrix: Floats, chance: Floats) -> Floats: ...


@dataclass(frozen=True)
class Target:
    """What a model predicts, as its card tells it."""

    name: str
    kind: str
    horizon_days: int
    band_medium: float
    band_high: float
    definition: str
    settings: Mapping[str, Any]
    """All that the card says of it."""

    @cached_property
    def population(self) -> Population:
        """Who may be scored."""
        return of_target(self.settings)

    @cached_property
    def asks(self) -> Names:
        """The features that tell who may be scored."""
        return Names(feature.name for feature in self.population.features)

    @cached_property
    def answer(self) -> str:
        """probability, amount or days. Before there were others, every model answered with a probability."""
        return str(self.settings.get("answer", "probability"))


@dataclass(frozen=True)
class LoadedModel:
    """A registered model that fits this installation's catalog."""

    name: str
    version: str
    model: ScoreModel
    target: Target
    catalog: FeatureSet = CATALOG

    @cached_property
    def features(self) -> FeatureSet:
        """The declarations of the features that the model reads, in its order."""
        return named(self.model.features, self.catalog)

    @cached_property
    def reads(self) -> Names:
        """The names of the features that the model reads, in its order."""
        return Names(self.model.features)

    def answers(self, matrix: Floats) -> Floats:
        """Probability (n,), amount (n,), or days (n, 3): median, 10 and 90 % bounds."""
        # Code that travelled with a model of an earlier release knows probabilities alone.
        ask = self.model.probability if self.target.answer == "probability" else self.model.answers
        return ask(matrix)

    @cached_property
    def grade(self) -> Grade | None:
        """How far its scores can be relied on: A, B, C or none; None for a model from before there were grades."""
        graded = self.model.card.get("grade")
        return cast("Grade", graded["letter"]) if graded else None

    @cached_property
    def reference_scores(self) -> Floats:
        """Sorted probabilities, amounts or medians of the population that percentiles are taken in."""
        return np.sort(np.asarray(self.model.card["reference"]["scores"], dtype=np.float64))

    @cached_property
    def ranks(self) -> list[float]:
        """`reference_scores` as plain numbers, in which one is found sooner."""
        listed: list[float] = self.reference_scores.tolist()
        return listed


def load(tracking_uri: str, name: str, alias: str = CHAMPION, catalog: FeatureSet = CATALOG) -> LoadedModel:
    """The model that carries the alias now, to be fed from this catalog.

    Raises NoChampion, FingerprintMismatch, BrokenModel or RegistryUnavailable, all of them ModelUnavailable.
    """
    return load_version(tracking_uri, name, version_of(tracking_uri, name, alias), catalog)


def load_version(tracking_uri: str, name: str, version: str, catalog: FeatureSet = CATALOG) -> LoadedModel:
    """One version of a model, whatever alias it carries; raises as `load`, but for NoChampion."""
    model: ScoreModel = _read(tracking_uri, name, version)
    check_fingerprint(name, version, model, catalog)
    return _proven(LoadedModel(name, version, model, _target(model.card), catalog))


def load_effect(tracking_uri: str, name: str, catalog: FeatureSet, version: str) -> tuple[str, EffectModel]:
    """Version and model of a playbook's learnt effect, see `effect_version`; raises as `load`."""
    model: EffectModel = _read(tracking_uri, name, version)
    check_fingerprint(name, version, model, catalog)
    return version, model


def version_of(tracking_uri: str, name: str, alias: str = CHAMPION) -> str:
    """The version that carries the alias: a look into the registry, without reading the model."""
    nobody = NoChampion(
        f"no model '{name}' has the alias {alias} at {tracking_uri}. Train one with `foresail train TARGET --as-of DATE`."
    )
    if tracking_uri.startswith(LOCAL_STORE):
        path = Path(tracking_uri.removeprefix(LOCAL_STORE))
        if not path.exists():
            raise nobody
        _check_complete(path, tracking_uri)
    mlflow = _mlflow()
    try:
        return str(mlflow.MlflowClient(tracking_uri).get_model_version_by_alias(name, alias).version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise nobody from error
        raise _no_answer(tracking_uri, error) from error
    except Exception as error:  # a registry may be a database, a server or a folder, and fails in the words of each
        raise _no_answer(tracking_uri, error) from error


def effect_version(tracking_uri: str, name: str, as_of: datetime) -> str:
    """The newest version of a learnt effect that rests on what was known by `as_of`; NoChampion if there is none."""
    version_of(tracking_uri, name)
    try:
        versions = _mlflow().MlflowClient(tracking_uri).search_model_versions(f"name = '{name}'")
    except Exception as error:  # see version_of
        raise _no_answer(tracking_uri, error) from error
    known = [int(one.version) for one in versions if datetime.fromisoformat(one.tags[LEARNT_AS_OF]) <= as_of]
    if not known:
        raise NoChampion(f"no version of '{name}' was learnt by {as_of:%Y-%m-%d %H:%M} UTC")
    return str(max(known))


def check_fingerprint(name: str, version: str, model: Carded, catalog: FeatureSet) -> None:
    """FingerprintMismatch unless the catalog computes exactly what the model was trained on."""
    known = set(catalog.names)
    unknown = [feature for feature in model.features if feature not in known]
    remedy = (
        "Train it again, or bring back what it was trained with: that version of Foresail and those files of "
        "[features] extend. A service reads these files when it starts."
    )
    if unknown:
        raise FingerprintMismatch(
            f"model '{name}' version {version} reads features that the catalog does not have: "
            f"{', '.join(unknown)}. {remedy}"
        )
    trained, here = model.card["fingerprint"], fingerprint(named(model.features, catalog))
    if trained != here:
        raise FingerprintMismatch(
            f"model '{name}' version {version} was trained on features that are computed differently here: its "
            f"fingerprint is {trained[:12]}…, the catalog's for the same names is {here[:12]}…. {remedy}"
        )


def _check_complete(path: Path, tracking_uri: str) -> None:
    """RegistryUnavailable unless the database of a local store is there as a whole.

    MLflow makes or completes a store that it finds missing or half made. Doing that while the first training does
    it too would break the training, so serving keeps away until it is done.
    """
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("select version_num from alembic_version").fetchall()
    except sqlite3.Error as error:
        raise _no_answer(tracking_uri, error) from error
    if found != [(_newest_schema(),)]:
        raise RegistryUnavailable(
            f"the model registry {tracking_uri} is being made, or by another version of MLflow; "
            f"if this lasts, run `mlflow db upgrade {tracking_uri}`"
        )


@cache
def _newest_schema() -> str:
    """The revision of a complete store of the installed MLflow, which has no public way to ask for it."""
    _mlflow()
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def _read(tracking_uri: str, name: str, version: str) -> Any:
    with _tracking(tracking_uri) as mlflow:
        try:
            return mlflow.pyfunc.load_model(f"models:/{name}/{version}").unwrap_python_model().model
        except Exception as error:  # a model brings code of its own, which may fail in any way
            place = _place(mlflow, name, version)
            raise BrokenModel(
                f"model '{name}' version {version} at {tracking_uri} cannot be read from {place}: {error}. "
                "A project folder that was moved or copied loses the files of its models: move it back, or train again."
            ) from error


def _place(mlflow: Any, name: str, version: str) -> str:
    """Where the registry believes the files of a model to be."""
    try:
        return str(mlflow.MlflowClient().get_model_version_download_uri(name, version))
    except mlflow.exceptions.MlflowException as error:
        return f"a place that the registry does not tell ({error})"


def _proven(loaded: LoadedModel) -> LoadedModel:
    """The model, after one account of which nothing is known: what it answers must be possible."""
    nothing = np.full((1, len(loaded.features)), np.nan)
    try:
        answer = np.atleast_1d(loaded.answers(nothing)[0])
        contributions = loaded.model.contributions(nothing)
    except Exception as error:  # as above
        raise BrokenModel(f"model '{loaded.name}' version {loaded.version} fails on a row: {error}") from error
    most = 1.0 if loaded.target.answer == "probability" else np.finfo(np.float64).max
    if not ((answer >= 0) & (answer <= most)).all() or contributions.shape != nothing.shape:
        raise BrokenModel(
            f"model '{loaded.name}' version {loaded.version} answers {', '.join(map(str, answer))} for an account without events, with "
            f"{contributions.shape[-1]} contributions for {len(loaded.features)} features; train it again"
        )
    if not loaded.reference_scores.size:
        raise BrokenModel(
            f"model '{loaded.name}' version {loaded.version} has no reference scores to rank among; train it again"
        )
    return loaded


def _no_answer(tracking_uri: str, error: Exception) -> RegistryUnavailable:
    return RegistryUnavailable(f"the model registry {tracking_uri} does not answer: {error}")


def _mlflow() -> ModuleType:
    """MLflow, imported when first needed because that takes seconds; without telemetry and without its chatter."""
    for variable, value in SETTINGS_OF_MLFLOW.items():  # some are read while MLflow is imported
        os.environ.setdefault(variable, value)
    import mlflow
    import mlflow.pyfunc

    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.WARNING)
    return mlflow


@contextmanager
def _tracking(uri: str) -> Iterator[Any]:
    """MLflow looking at `uri` for a while: its tracking URI is global, and others may have set theirs."""
    mlflow = _mlflow()
    before, in_environment = mlflow.get_tracking_uri(), os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before)
        if in_environment is None:  # set_tracking_uri has put it there
            os.environ.pop(URI_VARIABLE, None)


def _target(card: dict[str, Any]) -> Target:
    told = card["target"]
    named_alone = ("name", "kind", "horizon_days", "band_medium", "band_high", "definition")
    return Target(**{name: told[name] for name in named_alone}, settings=told)
