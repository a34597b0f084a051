"""One treatment against control, as plain arrays: the treated rows, the outcome, and its value."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from features.arrays import Flags, Floats
from training.uplift.coding import Coding

Codes = NDArray[np.intp]


@dataclass(frozen=True)
class Trial:
    """Rows of one treatment and its control. An account may have several rows: they stay together in folds and intervals."""

    coding: Coding
    matrix: Floats
    """(n, features), known before the assignment; NaN is absent."""
    treated: Flags
    outcome: Floats
    sign: float
    """+1 where more of the outcome is better, −1 where less is."""
    value: Floats
    """What one unit of the outcome in the better direction is worth, 0 or more: money, or 1 where the outcome itself counts."""
    cost: float
    """Of treating one account, in units of value × outcome."""
    account: Codes
    """A number for each row's account, 0 … accounts − 1."""
    propensity: Floats
    """The chance with which each row was treated: as stated, or the share of the treated."""
    is_stated: bool
    """Whether the propensity was stated by the maker of the experiment."""

    def __len__(self) -> int:
        return len(self.outcome)

    @property
    def accounts(self) -> int:
        """How many different accounts there are."""
        return int(self.account.max()) + 1

    def accounts_in(self, arm: Flags) -> int:
        """How many different accounts have a row among these."""
        return len(np.unique(self.account[arm]))

    @property
    def is_binary(self) -> bool:
        """Whether every outcome is 0 or 1."""
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())

    @property
    def weights(self) -> Floats:
        """One over the chance of the arm that each row is in: so weighted, both arms stand for all rows."""
        return np.where(self.treated, 1.0 / self.propensity, 1.0 / (1.0 - self.propensity))

    def net(self, effect: Floats) -> Floats:
        """What treating each row brings, cost taken off, if the effect on its outcome is so large."""
        return self.sign * effect * self.value - self.cost

    def only(self, rows: Flags) -> "Trial":
        """These rows alone; the accounts keep their numbers."""
        return replace(
            self,
            matrix=self.matrix[rows],
            treated=self.treated[rows],
            outcome=self.outcome[rows],
            value=self.value[rows],
            account=self.account[rows],
            propensity=self.propensity[rows],
        )


def folds_of(trial: Trial, folds: int, seed: int) -> Codes:
    """The fold of each row, 0 … folds − 1: whole accounts, at random, each arm spread evenly over the folds."""
    first = np.unique(trial.account, return_index=True)[1]
    shuffled = np.random.default_rng(seed).permutation(len(first))
    order = shuffled[np.argsort(trial.treated[first][shuffled], kind="stable")]
    fold = np.empty(len(first), dtype=np.intp)
    fold[order] = np.arange(len(first)) % folds
    return fold[trial.account]
