"""What treatment changes of an outcome, with both intervals."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Flags, Floats
from training.experiments.arms import Arms
from training.experiments.cuped import Adjusted, adjusted
from training.experiments.sequences import Interval, always_valid
from training.uplift.average import Estimate, around, detectable


@dataclass(frozen=True)
class Difference:
    """Treatment less control, with the interval for one look, planned beforehand, and the one for any number of looks."""

    once: Estimate
    always: Interval
    removed: float
    """The share of the variance that CUPED removed; 0 where it did not narrow."""

    @property
    def value(self) -> float:
        """The difference."""
        return self.once.value

    @property
    def detectable(self) -> float:
        """The smallest difference that so many accounts find with 80 % power."""
        return detectable(self.once.standard_error)

    def times(self, factor: float, less: float = 0.0) -> "Difference":
        """The same in another unit, with what is known for certain taken off; the factor is above 0."""
        ends = [factor * end - less for end in (self.value, self.once.low, self.once.high)]
        once = Estimate(ends[0], ends[1], ends[2], factor * self.once.standard_error)
        always = Interval(factor * self.always.low - less, factor * self.always.high - less)
        return Difference(once, always, self.removed)


def difference(outcome: Floats, arms: Arms, covariates: Floats | None = None) -> Difference:
    """Mean outcome in treatment less that in control, each account weighted by one over the chance of its arm.

    With `covariates` (accounts, k), known before the assignment, it is adjusted by CUPED if that narrows the interval.
    """
    # From the first one on, so that an outcome that is the same for all differs by exactly nothing.
    outcome = outcome - outcome[0]
    plain = _in_means(Adjusted(outcome, np.zeros(len(outcome))), arms)
    better = plain if covariates is None else _in_means(adjusted(outcome, covariates, arms), arms)
    narrows = better.standard_error < plain.standard_error
    narrowest = better if narrows else plain
    removed = 1.0 - (better.standard_error / plain.standard_error) ** 2 if narrows else 0.0
    return Difference(narrowest, always_valid(narrowest, len(arms)), removed)


LARGEST = 0.9
"""Leverage is taken for no more: an account that decides alone has no error that could be seen."""


def _in_means(outcome: Adjusted, arms: Arms) -> Estimate:
    """The error is that of leaving out each account in turn (HC3: MacKinnon & White 1985): honest where few are worth much."""
    (treated, up), (control, down) = (_arm(outcome, arms, arm) for arm in (arms.treated, ~arms.treated))
    return around(treated - control, up - down, np.arange(len(arms)))


def _arm(outcome: Adjusted, arms: Arms, arm: Flags) -> tuple[float, Floats]:
    """The weighted mean of an arm (Hájek), and how far each account moves it."""
    share = np.where(arm, arms.weights, 0.0)
    share /= share.sum()
    mean = float((share * outcome.outcome).sum())
    alone = np.minimum(outcome.leverage + share, LARGEST)
    return mean, share * (outcome.outcome - mean) / (1.0 - alone)
