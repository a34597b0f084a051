"""Intervals that hold at every look at once: whoever looks each night, and stops when it pleases, errs no more than 5 %.

An asymptotic confidence sequence by Robbins' normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 2024, Theorem 2.2; for
lots Section 3):

    estimate ± σ̂/√t · √( 2 (tρ² + 1)/(tρ²) · log( √(tρ² + 1) / α ) )

after t accounts, σ̂/√t being the standard error. ρ decides where it is tightest; it is fixed once for all, because one that is
chosen after looking would hold no more.
"""

import math
from dataclasses import dataclass

from training.uplift.average import LEVEL, Estimate

TIGHTEST_AT = 1_000
"""Accounts; there it is 1.55 times as wide as an interval for one look."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float


def always_valid(estimate: Estimate, accounts: int, tightest_at: int = TIGHTEST_AT) -> Interval:
    """The interval around an estimate from so many accounts that holds however often it has been looked at, 95 %."""
    half = widening(accounts, tightest_at) * estimate.standard_error
    return Interval(estimate.value - half, estimate.value + half)


def widening(accounts: int, tightest_at: int = TIGHTEST_AT) -> float:
    """How many standard errors it reaches to either side: 1.96 would do for a single look."""
    alpha = 1.0 - LEVEL
    mixed = accounts * _rho_squared(tightest_at, alpha)
    return math.sqrt(2.0 * (mixed + 1.0) / mixed * math.log(math.sqrt(mixed + 1.0) / alpha))


def _rho_squared(tightest_at: int, alpha: float) -> float:
    """Appendix B.2: (−2 log α + log(−2 log α + 1)) / t*."""
    lost = -2.0 * math.log(alpha)
    return (lost + math.log(lost + 1.0)) / tightest_at
