"""Average effects and their intervals; an account that occurs several times counts as one observation.

Every estimate here is a mean of one score a row. Its standard error adds the scores up within accounts first (Liang &
Zeger 1986), so that a thousand rows of one account are no thousand experiments.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from features.arrays import Flags, Floats
from training.uplift.trial import Codes, Trial

LEVEL, POWER = 0.95, 0.80


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval."""

    value: float
    low: float
    high: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def mean_of(scores: Floats, account: Codes) -> Estimate:
    """The mean over rows, with an interval by Student's t with as many degrees of freedom as accounts, less one.

    ValueError with fewer than two accounts: one says nothing of how they differ.
    """
    mean = float(scores.mean())
    return around(mean, (scores - mean) / len(scores), account)


def around(value: float, influence: Floats, account: Codes) -> Estimate:
    """The interval of an estimate of which each row moves it by its influence: their sums within accounts vary it."""
    by_account = np.bincount(account, influence)
    accounts = len(np.unique(account))
    if accounts < 2:
        raise ValueError("an interval needs two accounts at least")
    error = float(np.sqrt((by_account**2).sum() * accounts / (accounts - 1)))
    half = float(t.ppf(0.5 + LEVEL / 2, accounts - 1)) * error
    return Estimate(value, value - half, value + half, error)


def difference_in_means(trial: Trial) -> Estimate:
    """Mean outcome of the treated less that of control, each row weighted by one over the chance of its arm (Hájek 1971).

    With one chance for all this is the plain difference, and its error that of Neyman (1923) but for a factor n/(n − 1).
    """
    parts = [_arm(trial, arm) for arm in (trial.treated, ~trial.treated)]
    (treated, up), (control, down) = parts
    return around(treated - control, up - down, trial.account)


def detectable(standard_error: float) -> float:
    """The smallest effect that is found with 80 % power at the 5 % level: 2.80 standard errors (Bloom 1995)."""
    return float(norm.ppf(0.5 + LEVEL / 2) + norm.ppf(POWER)) * standard_error


def _arm(trial: Trial, arm: Flags) -> tuple[float, Floats]:
    """The weighted mean of an arm, and how far each row moves it."""
    weights = np.where(arm, trial.weights, 0.0)
    mean = float((weights * trial.outcome).sum() / weights.sum())
    return mean, weights * (trial.outcome - mean) / weights.sum()
