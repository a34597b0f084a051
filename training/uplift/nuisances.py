"""What must be known besides the effect: the expected outcome of each arm, and the chance of treatment.

Doubly robust scores are made of them (Robins, Rotnitzky & Zhao 1994). No row is scored by a model that has seen it or
anything else of its account (cross-fitting: Chernozhukov et al. 2018), and what judges a learner on a fold has not seen
that fold either.
"""

from dataclasses import dataclass, field

import numpy as np

from features.arrays import Flags, Floats
from training.uplift.trees import Grower, Trees
from training.uplift.trial import Codes, Trial

Folds = frozenset[int]
LEAST_CHANCE = 0.02
"""Estimated chances are kept so far from 0 and 1: one row with a chance of a thousandth would outweigh a thousand others."""


@dataclass(frozen=True)
class Nuisance:
    """Expected outcomes of the two arms, and the chance of treatment, learnt from some folds."""

    control: Trees
    treated: Trees
    chance: Trees | None
    """None where the chance is known."""

    def propensity(self, trial: Trial) -> Floats:
        """The chance of treatment of each row."""
        if self.chance is None:
            return trial.propensity
        return np.clip(self.chance.predict(trial.matrix), LEAST_CHANCE, 1.0 - LEAST_CHANCE)

    def scores(self, trial: Trial) -> Floats:
        """The doubly robust score of each row: its mean is the average effect if either outcomes or chances are right.

        μ₁(x) − μ₀(x) + w (y − μ₁(x)) / e(x) − (1 − w) (y − μ₀(x)) / (1 − e(x))
        """
        control, treated = self.control.predict(trial.matrix), self.treated.predict(trial.matrix)
        chance = self.propensity(trial)
        surprise = np.where(
            trial.treated, (trial.outcome - treated) / chance, -(trial.outcome - control) / (1.0 - chance)
        )
        return treated - control + surprise


@dataclass
class Nuisances:
    """All that one estimate needs of them, each fitted once: by which folds it has not seen."""

    trial: Trial
    fold: Codes
    grower: Grower
    is_randomised: bool
    _fitted: dict[Folds, Nuisance] = field(default_factory=dict)
    _scored: dict[Folds, Floats] = field(default_factory=dict)

    @property
    def folds(self) -> range:
        """The numbers of the folds."""
        return range(int(self.fold.max()) + 1)

    def rows_without(self, unseen: Folds) -> Flags:
        """The rows that lie in none of these folds."""
        return ~np.isin(self.fold, list(unseen))

    def without(self, unseen: Folds) -> Nuisance:
        """Learnt from all rows but those of these folds."""
        if unseen not in self._fitted:
            self._fitted[unseen] = self._fit(self.rows_without(unseen))
        return self._fitted[unseen]

    def scores_without(self, unseen: Folds) -> Floats:
        """Doubly robust scores of the rows in no unseen fold, by models that know neither those folds nor the row's own.

        NaN for the rows of the unseen folds.
        """
        if unseen not in self._scored:
            scores = np.full(len(self.trial), np.nan)
            for number in set(self.folds) - unseen:
                held_out = self.fold == number
                scores[held_out] = self.without(unseen | {number}).scores(self.trial.only(held_out))
            self._scored[unseen] = scores
        return self._scored[unseen]

    def propensity(self) -> Floats:
        """The chance of treatment of each row, as stated, or by models that have not seen its fold."""
        chance = np.empty(len(self.trial))
        for number in self.folds:
            held_out = self.fold == number
            chance[held_out] = self.without(frozenset({number})).propensity(self.trial.only(held_out))
        return chance

    def _fit(self, rows: Flags) -> Nuisance:
        trial, grower = self.trial, self.grower
        arms = [rows & ~trial.treated, rows & trial.treated]
        control, treated = (
            grower.outcome(trial.matrix[arm], trial.outcome[arm], is_binary=trial.is_binary) for arm in arms
        )
        chance = (
            None if self.is_randomised else grower.chance(trial.matrix[rows], trial.treated[rows].astype(np.float64))
        )
        return Nuisance(control, treated, chance)
