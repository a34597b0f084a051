"""How strongly a regression on few accounts is pulled towards the pooled rate.

At 50 accounts a penalty of 1 lets a few accounts bend the weights. On CDNOW and Online Retail cut down to 50 accounts
a penalty of 30 with six features had the lowest log loss on all other accounts, and the mildest worst case
(`benchmarks/few_accounts.py`). So few accounts begin shrunk, and only out-of-time evidence loosens or tightens that.
"""

from collections.abc import Callable, Sequence

import numpy as np

from features.arrays import Floats

USUAL = 1.0
UNPROVEN = 30.0
"""Where there is no fold to show what is right."""

TRIED = (300.0, 100.0, UNPROVEN, 10.0, 3.0, USUAL)
"""Strongest first: of equals the strongest is taken."""

FEW = 60
"""Accounts with the rarer label; about ten for each of six weights. From there on the penalty hardly matters."""


def unproven(rarer_accounts: int) -> float:
    """The penalty without any out-of-time evidence."""
    return UNPROVEN if rarer_accounts < FEW else USUAL


def least_loss(losses: Callable[[float], Floats]) -> float:
    """The penalty of TRIED with the lowest mean of its out-of-time losses, one a row; of equals the strongest."""
    return min(TRIED, key=lambda penalty: float(losses(penalty).mean()))


def rate_log_odds(labels: Floats | Sequence[float]) -> float:
    """Log-odds of the pooled rate, half an outcome of each kind added (Jeffreys), so that it is never 0 or 1."""
    happened = float(np.sum(labels))
    return float(np.log((happened + 0.5) / (len(labels) - happened + 0.5)))
