"""The versions of a registered model: listed, and read for a training, a backtest or a promotion.

A service reads by `registry.loader`, which also proves that the model fits the installed catalog.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from features.arrays import Floats
from registry.card import ModelCard, Recipe
from registry.errors import NoModel
from registry.model_code import model_code
from registry.store import CHAMPION, alias_version, first_line, is_missing, quoted, readable_store, stored_code
from registry.target_kinds import AnswerKind


class ScoreModel(Protocol):
    """The code and files inside a registered model; see registry/registered_model.py, which no reader imports."""

    card: dict[str, Any]
    features: tuple[str, ...]

    def probability(self, matrix: Floats) -> Floats: ...
    def answers(self, matrix: Floats) -> Floats: ...
    def contributions(self, matrix: Floats) -> Floats: ...


def answers_of(model: ScoreModel, kind: AnswerKind, matrix: Floats) -> Floats:
    """Probability (n,), amount (n,), or days (n, 3): median, 10 and 90 % bounds."""
    # The code inside a model of an earlier release knows probabilities alone.
    return model.probability(matrix) if kind == "probability" else model.answers(matrix)


@dataclass(frozen=True)
class Scorer:
    """A recipe, and the code that answers by it."""

    model: ScoreModel
    recipe: Recipe

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that it reads, in its order."""
        return self.recipe.features

    def answers(self, matrix: Floats) -> Floats:
        """The answers for rows with the columns of `features`; see `answers_of`."""
        return np.asarray(answers_of(self.model, self.recipe.answer, matrix))

    def contributions(self, matrix: Floats) -> Floats:
        """Signed contribution of each feature, (n, k)."""
        return self.model.contributions(matrix)


@dataclass(frozen=True)
class ModelVersion(Scorer):
    """One version of a registered model, with the baseline and the judged model that its card keeps."""

    name: str
    version: int
    card: ModelCard

    @property
    def baseline(self) -> Scorer:
        """The baseline; the model itself where the baseline is what was chosen."""
        return self if self.baseline_recipe.rung == self.card.rung else scorer(self.baseline_recipe)

    @property
    def baseline_recipe(self) -> Recipe:
        """The recipe of the baseline; NoModel if the card has none."""
        if self.card.baseline is None:
            raise NoModel(f"version {self.version} of '{self.name}' has no baseline on its card; train again")
        return self.card.baseline

    @cached_property
    def as_judged(self) -> Scorer | None:
        """The model as it was fitted at its test date; None if that was not kept."""
        # The code inside a model of an earlier release keeps nothing of how it was judged.
        ask = getattr(self.model, "as_judged", None)
        judged = ask() if ask else None
        return None if judged is None else Scorer(judged, Recipe.from_json(judged.card))


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


def scorer(recipe: Recipe, booster: str | None = None) -> Scorer:
    """A recipe with this installation's code."""
    return Scorer(model_code().ScoreModel(recipe.to_json(), booster), recipe)


def list_versions(tracking_uri: str, name: str) -> list[ModelRow]:
    """Every version of a registered model, newest first; none if the name is not registered. NoModel as `load_alias`."""
    if is_missing(tracking_uri):
        return []
    with readable_store(tracking_uri) as mlflow:
        client = mlflow.MlflowClient()
        versions = client.search_model_versions(f"name = {quoted(name)}")
        aliases = dict(client.get_registered_model(name).aliases) if versions else {}
        rows = [_row(client, version, aliases) for version in versions]
    return sorted(rows, key=lambda row: -row.version)


def load_alias(tracking_uri: str, name: str, alias: str = CHAMPION) -> ModelVersion:
    """The version behind an alias; NoModel if there is none, or if the store or the model cannot be read."""
    absent = NoModel(f"there is no {alias} of '{name}' at {tracking_uri}; train one first")
    if is_missing(tracking_uri):
        raise absent
    with readable_store(tracking_uri) as mlflow:
        version = alias_version(mlflow.MlflowClient(), name, alias)
        if version is None:
            raise absent
        return _read(mlflow, name, version)


def load_version(tracking_uri: str, name: str, version: int) -> ModelVersion:
    """That version, whatever its alias; NoModel that names the versions there are, or as `load_alias`."""
    known = [row.version for row in list_versions(tracking_uri, name)]
    if version not in known:
        there = ", ".join(map(str, known)) or "none"
        raise NoModel(f"'{name}' has no version {version}; it has {there}")
    with readable_store(tracking_uri) as mlflow:
        return _read(mlflow, name, version)


def _read(mlflow: Any, name: str, version: int) -> ModelVersion:
    try:
        model = stored_code(mlflow, name, version)
        card = ModelCard.from_json(model.card)
    except Exception as error:  # a model brings files and code of its own, which may fail in any way
        raise NoModel(
            f"version {version} of '{name}' cannot be read ({first_line(error)}); bring back the files of its run from a backup, "
            f"or train again and promote the new version: foresail promote TARGET VERSION"
        ) from error
    return ModelVersion(model, card, name, version, card)


def _row(client: Any, version: Any, aliases: Mapping[str, str]) -> ModelRow:
    carried: Sequence[str] = [alias for alias, of in aliases.items() if int(of) == int(version.version)]
    return ModelRow(
        int(version.version),
        tuple(sorted(carried)),
        version.tags.get("trained_as_of", ""),
        version.tags.get("rung", ""),
        dict(client.get_run(version.run_id).data.metrics),
        str(version.run_id),
        datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        version.tags.get("grade"),
    )
