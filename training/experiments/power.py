"""What so many accounts can find, and how many it takes: two-sided at 5 %, with 80 % power (Bloom 1995)."""

import math

from training.uplift.average import detectable


def accounts_needed(effect: float, standard_error: float, accounts: int) -> float:
    """How many accounts, in the same arms, would find an effect of that size; infinite for an effect of 0."""
    return math.inf if effect == 0 else accounts * (detectable(standard_error) / effect) ** 2
