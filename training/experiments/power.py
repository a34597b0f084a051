"""What so many accounts can find, and how many it takes: two-sided at 5 %, with 80 % power (Bloom 1995)."""

import math

from training.uplift.average import detectable


def detectable_difference(spread: float, treatment: int, control: int) -> float:
    """The smallest difference of means that is found, where accounts differ by `spread` (one standard deviation)."""
    return detectable(spread * math.sqrt(1.0 / treatment + 1.0 / control))


def accounts_needed(effect: float, standard_error: float, accounts: int) -> float:
    """How many accounts, in the same arms, would find an effect of that size; infinite for an effect of 0."""
    return math.inf if effect == 0 else accounts * (detectable(standard_error) / effect) ** 2
