"""Learners of an account's effect, the simplest first: the same for all, S, T, X, DR.

S, T and X as Künzel, Sekhon, Bickel & Yu describe them ("Metalearners for estimating heterogeneous treatment effects",
PNAS 2019), DR as Kennedy does ("Towards optimal doubly robust estimation of heterogeneous causal effects", 2020). Each
learns from the rows outside of some unseen folds, so that its word on those folds is a forecast.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from features.arrays import Floats
from training.uplift.nuisances import Folds, Nuisances
from training.uplift.trees import Trees

CONSTANT = "constant"


class EffectModel(Protocol):
    """What a learner has learnt."""

    def effects(self, matrix: Floats) -> Floats:
        """The expected effect on the outcome of each row of features, (n,)."""
        ...


class Learner(Protocol):
    """A way to learn effects."""

    @property
    def name(self) -> str: ...

    @property
    def meaning(self) -> str: ...

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Learn from the rows in no unseen fold."""
        ...


@dataclass(frozen=True)
class Same:
    """One effect for all."""

    effect: float

    def effects(self, matrix: Floats) -> Floats:
        """The average effect, once a row."""
        return np.full(len(matrix), self.effect)


@dataclass(frozen=True)
class Switched:
    """One outcome model that has the treatment as its last column: asked with it, and without."""

    outcome: Trees

    def effects(self, matrix: Floats) -> Floats:
        """What changes when the treatment is switched on."""
        return self.outcome.predict(_with(matrix, 1.0)) - self.outcome.predict(_with(matrix, 0.0))


@dataclass(frozen=True)
class Apart:
    """An outcome model of each arm."""

    control: Trees
    treated: Trees

    def effects(self, matrix: Floats) -> Floats:
        """The difference of the two."""
        return self.treated.predict(matrix) - self.control.predict(matrix)


@dataclass(frozen=True)
class Crossed:
    """Effects as either arm shows them against what the other would have done, mixed by the chance of treatment."""

    by_control: Trees
    by_treated: Trees
    share: float
    chance: Trees | None

    def effects(self, matrix: Floats) -> Floats:
        """e(x) times what control shows, and the rest what the treated show: the smaller arm is believed less."""
        chance = self.share if self.chance is None else self.chance.predict(matrix)
        return np.asarray(chance * self.by_control.predict(matrix) + (1.0 - chance) * self.by_treated.predict(matrix))


@dataclass(frozen=True)
class Direct:
    """A model of the effect itself."""

    effect: Trees

    def effects(self, matrix: Floats) -> Floats:
        """What it says."""
        return self.effect.predict(matrix)


class Constant:
    """Everybody has the average effect: what a learner must beat."""

    name = CONSTANT
    meaning = "everybody has the average effect"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """The mean of the doubly robust scores."""
        return Same(float(np.nanmean(nuisances.scores_without(unseen))))


class SLearner:
    """One model of the outcome, with the treatment among its features."""

    name = "S"
    meaning = "one outcome model that has the treatment among its features"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Learn outcomes of both arms together."""
        trial, rows = nuisances.trial, nuisances.rows_without(unseen)
        matrix = np.column_stack([trial.matrix[rows], trial.treated[rows]])
        return Switched(nuisances.grower.outcome(matrix, trial.outcome[rows], is_binary=trial.is_binary))


class TLearner:
    """One model of the outcome for each arm."""

    name = "T"
    meaning = "an outcome model for each arm"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Learn outcomes of the two arms apart."""
        fitted = nuisances.without(unseen)
        return Apart(fitted.control, fitted.treated)


class XLearner:
    """Each arm's outcomes against what the other arm's model expects of it."""

    name = "X"
    meaning = "each arm's outcomes against what the other arm's model expects"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Learn the differences, in each arm apart."""
        trial, rows, fitted = nuisances.trial, nuisances.rows_without(unseen), nuisances.without(unseen)
        treated, control = rows & trial.treated, rows & ~trial.treated
        gained = trial.outcome[treated] - fitted.control.predict(trial.matrix[treated])
        missed = fitted.treated.predict(trial.matrix[control]) - trial.outcome[control]
        return Crossed(
            nuisances.grower.effect(trial.matrix[control], missed),
            nuisances.grower.effect(trial.matrix[treated], gained),
            float(trial.propensity[rows].mean()),
            fitted.chance,
        )


class DRLearner:
    """A model of the doubly robust scores."""

    name = "DR"
    meaning = "a model of the doubly robust scores"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Learn the scores, each of which comes from models that have not seen its row."""
        rows = nuisances.rows_without(unseen)
        scores = nuisances.scores_without(unseen)[rows]
        return Direct(nuisances.grower.effect(nuisances.trial.matrix[rows], scores))


@dataclass(frozen=True)
class Averaged:
    """Several models, each with the same say."""

    models: tuple[EffectModel, ...]

    def effects(self, matrix: Floats) -> Floats:
        """The mean of what they say."""
        return np.asarray(np.mean([model.effects(matrix) for model in self.models], axis=0))


@dataclass(frozen=True)
class Mean:
    """The mean of learners between which the sample cannot tell."""

    learners: tuple[Learner, ...]

    @property
    def name(self) -> str:
        return f"mean of {', '.join(learner.name for learner in self.learners)}"

    @property
    def meaning(self) -> str:
        return "the mean of what these learners say"

    def fit(self, nuisances: Nuisances, unseen: Folds) -> EffectModel:
        """Each of them."""
        return Averaged(tuple(learner.fit(nuisances, unseen) for learner in self.learners))


LEARNERS: tuple[Learner, ...] = (Constant(), SLearner(), TLearner(), XLearner(), DRLearner())
"""All of them, the simplest first."""


def _with(matrix: Floats, treatment: float) -> Floats:
    return np.column_stack([matrix, np.full(len(matrix), treatment)])
