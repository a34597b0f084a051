"""Registered models for a service: found by alias, checked against the catalog, proven on a row, ready to score."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from features.arrays import Floats
from features.catalog import CATALOG, fingerprint, named
from features.engine.feature_names import Names
from features.engine.plan import FeatureSet
from features.families.eligibility import Population, of_target
from registry.card import GradeLetter, ModelCard
from registry.errors import (
    BrokenModel,
    CardUnreadable,
    FingerprintMismatch,
    NoChampion,
)
from registry.store import (
    CHAMPION,
    alias_version,
    check_complete,
    client_of,
    is_missing,
    no_answer,
    place_of_files,
    quoted,
    stored_code,
    tracking,
)
from registry.target_kinds import AnswerKind
from registry.versions import ScoreModel, answers_of

LEARNT_AS_OF = "learnt_as_of"
"""The tag of a learnt effect's version: the moment up to which outcomes were known."""


class EffectModel(Protocol):
    """The code and files inside a playbook's registered effect; see registry/effect_model.py."""

    card: dict[str, Any]
    features: tuple[str, ...]

    @property
    def tells_apart(self) -> bool: ...
    def shares(self, matrix: Floats, chance: Floats) -> Floats: ...


@dataclass(frozen=True)
class Target:
    """What a model predicts, from its card."""

    name: str
    kind: str
    horizon_days: int
    band_medium: float
    band_high: float
    definition: str
    settings: Mapping[str, Any]
    """All settings on the card."""

    @classmethod
    def of(cls, card: ModelCard) -> "Target":
        """The target of a card."""
        target = card.target
        bands = target.band_medium, target.band_high
        return cls(target.name, target.kind, target.horizon_days, *bands, target.definition, target.to_json())

    @cached_property
    def population(self) -> Population:
        """The accounts that may be scored."""
        return of_target(self.settings)

    @cached_property
    def asks(self) -> Names:
        """The features that decide which accounts may be scored."""
        return Names(feature.name for feature in self.population.features)

    @cached_property
    def answer(self) -> AnswerKind:
        """The kind of answer. Before there were others, every model answered with a probability."""
        kind: AnswerKind = self.settings.get("answer", "probability")
        return kind


@dataclass(frozen=True)
class LoadedModel:
    """A registered model that fits this installation's catalog."""

    name: str
    version: str
    model: ScoreModel
    target: Target
    catalog: FeatureSet = CATALOG

    @cached_property
    def card(self) -> ModelCard:
        """The model's card, read once."""
        return ModelCard.from_json(self.model.card)

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
        return answers_of(self.model, self.target.answer, matrix)

    @cached_property
    def grade(self) -> GradeLetter | None:
        """How far its scores can be relied on: A, B, C or none; None for a model from before there were grades."""
        return self.card.grade.letter if self.card.grade else None

    @cached_property
    def reference_scores(self) -> Floats:
        """Sorted probabilities, amounts or medians of the population that percentiles are taken in."""
        return np.sort(np.asarray(self.card.reference.scores, dtype=np.float64))

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
    try:
        card = ModelCard.from_json(model.card)
    except CardUnreadable as error:
        raise BrokenModel(f"model '{name}' version {version}: {error}") from error
    check_fingerprint(name, version, model, catalog)
    return _proven(LoadedModel(name, version, model, Target.of(card), catalog))


def load_effect(tracking_uri: str, name: str, catalog: FeatureSet, version: str) -> tuple[str, EffectModel]:
    """Version and model of a playbook's learnt effect, see `effect_version`; raises as `load`."""
    model: EffectModel = _read(tracking_uri, name, version)
    check_fingerprint(name, version, model, catalog)
    return version, model


def version_of(tracking_uri: str, name: str, alias: str = CHAMPION) -> str:
    """The version that carries the alias: a look into the registry, without reading the model."""
    absent = NoChampion(
        f"no model '{name}' has the alias {alias} at {tracking_uri}",
        "Train one with `foresail train TARGET --as-of DATE`.",
    )
    if is_missing(tracking_uri):
        raise absent
    check_complete(tracking_uri)
    try:
        version = alias_version(client_of(tracking_uri), name, alias)
    except Exception as error:  # a registry may be a database, a server or a folder, each with errors of its own
        raise no_answer(tracking_uri, error) from error
    if version is None:
        raise absent
    return str(version)


def effect_version(tracking_uri: str, name: str, as_of: datetime) -> str:
    """The newest version of a learnt effect that rests on what was known by `as_of`; NoChampion if there is none."""
    version_of(tracking_uri, name)
    try:
        versions = client_of(tracking_uri).search_model_versions(f"name = {quoted(name)}")
    except Exception as error:  # see version_of
        raise no_answer(tracking_uri, error) from error
    learnt = {int(version.version): datetime.fromisoformat(version.tags[LEARNT_AS_OF]) for version in versions}
    known = [version for version, moment in learnt.items() if moment <= as_of]
    if not known:
        raise NoChampion(f"no version of '{name}' was learnt by {as_of:%Y-%m-%d %H:%M} UTC")
    return str(max(known))


def check_fingerprint(name: str, version: str, model: ScoreModel | EffectModel, catalog: FeatureSet) -> None:
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


def _read(tracking_uri: str, name: str, version: str) -> Any:
    with tracking(tracking_uri) as mlflow:
        try:
            return stored_code(mlflow, name, version)
        except Exception as error:  # a model brings code of its own, which may fail in any way
            place = place_of_files(mlflow, name, version)
            raise BrokenModel(
                f"model '{name}' version {version} at {tracking_uri} cannot be read from {place}: {error}. "
                "A project folder that was moved or copied loses the files of its models: move it back, or train again."
            ) from error


def _proven(loaded: LoadedModel) -> LoadedModel:
    """The model, after one account of which nothing is known: its answer must be possible."""
    nothing = np.full((1, len(loaded.features)), np.nan)
    try:
        answer = np.atleast_1d(loaded.answers(nothing)[0])
        contributions = loaded.model.contributions(nothing)
    except Exception as error:  # as in _read
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
