"""The two arms of a randomised experiment, and what each account counts for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Flags, Floats


@dataclass(frozen=True)
class Arms:
    """Accounts that were assigned treatment or control at random, each once, (accounts,)."""

    treated: Flags
    control_share: Floats
    """The chance of control with which each was drawn, above 0 and below 1: it may have been changed on the way."""

    def __len__(self) -> int:
        return len(self.treated)

    @property
    def treatment(self) -> int:
        """Accounts in treatment."""
        return int(self.treated.sum())

    @property
    def control(self) -> int:
        """Accounts in control."""
        return len(self) - self.treatment

    @cached_property
    def weights(self) -> Floats:
        """One over the chance of the arm that each is in: so weighted, both arms stand for all of them."""
        return np.where(self.treated, 1.0 / (1.0 - self.control_share), 1.0 / self.control_share)

    @property
    def as_even_split(self) -> float:
        """How many accounts, half of them control, would tell as much: 4 n₁ n₀ / (n₁ + n₀)."""
        return 4.0 * self.treatment * self.control / len(self)

    def only(self, rows: Flags) -> "Arms":
        """These accounts alone."""
        return Arms(self.treated[rows], self.control_share[rows])
