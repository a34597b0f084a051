"""The BG/NBD model of repeat buying: who is still alive, and what to expect of them, from three numbers an account.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way: An Alternative to the Pareto/NBD Model, Marketing
Science 24(2). While alive an account buys at its own rate (gamma with r and α), and after each purchase it drops out with
its own probability (beta with a and b). Any unit of time will do, as long as it is the same everywhere.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from features.arrays import Floats

START = (0.5, 5.0, 0.7, 2.0)
LARGEST_LOG = 12.0
"""Parameters beyond e^±12 are limits that the data does not distinguish."""


class NoRhythm(ValueError):
    """Nobody bought a second time, or nothing of worth: there is nothing that a model of buying could learn from."""


@dataclass(frozen=True)
class Buying:
    """What the model has to know of each account, (n,) each: repeat purchases, when the last came, how long it is known.

    Purchases after the first, so 0 for who bought once; the last one counted from the first purchase on, and so is
    the end of the observation. ValueError for negative numbers, or a last purchase after the end.
    """

    repeats: Floats
    last: Floats
    known: Floats

    @classmethod
    def of(cls, repeats: ArrayLike, last: ArrayLike, known: ArrayLike) -> "Buying":
        x, tx, t = (np.asarray(column, dtype=np.float64) for column in (repeats, last, known))
        if not (x.shape == tx.shape == t.shape):
            raise ValueError(f"repeats {x.shape}, last {tx.shape} and known {t.shape} must be as long as each other")
        if not ((x >= 0).all() and (tx >= 0).all() and (tx <= t).all()):
            raise ValueError("repeats and last must not be negative, and last must not lie after known")
        return cls(x, tx, t)


@dataclass(frozen=True)
class BgNbd:
    """A fitted model. `r` and `alpha` describe the rates of buying, `a` and `b` the chances of dropping out."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, buying: Buying) -> Floats:
        """Probability of being alive at the end of the observation, (n,) (eq. 7; 1 for who never bought again)."""
        return np.asarray(1.0 / (1.0 + np.exp(self._log_odds_of_gone(buying))))

    def none_within(self, buying: Buying, horizon: float) -> Floats:
        """Probability of no purchase within the horizon, (n,): gone already, or alive and silent for so long.

        While alive and silent nobody drops out, so the second is E[exp(−λ·horizon)] over the gamma that is left of the rate.
        """
        alive = self.alive(buying)
        silent = ((self.alpha + buying.known) / (self.alpha + buying.known + horizon)) ** (self.r + buying.repeats)
        return np.asarray(1.0 - alive * (1.0 - silent))

    def expected_within(self, buying: Buying, horizon: float) -> Floats:
        """Expected purchases within the horizon, (n,) (eq. 10)."""
        from scipy.special import hyp2f1

        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, known = buying.repeats, buying.known
        shrunk = ((alpha + known) / (alpha + known + horizon)) ** (r + x)
        series = hyp2f1(r + x, b + x, a + b + x - 1.0, horizon / (alpha + known + horizon))
        return np.asarray((a + b + x - 1.0) / (a - 1.0) * (1.0 - shrunk * series) * self.alive(buying))

    def _log_odds_of_gone(self, buying: Buying) -> Floats:
        """−∞ for accounts without a repeat purchase: in this model one drops out after a purchase only."""
        x = buying.repeats
        with np.errstate(divide="ignore"):
            bought = np.log(np.where(x > 0, self.a / np.maximum(self.b + x - 1.0, 1e-300), 0.0))
        ratio = np.log(self.alpha + buying.known) - np.log(self.alpha + buying.last)
        return np.asarray(bought + (self.r + x) * ratio)


def log_likelihood(model: BgNbd, buying: Buying) -> float:
    """Of all accounts together (eq. 6, in the form that does not overflow)."""
    from scipy.special import gammaln

    r, alpha, a, b, x = model.r, model.alpha, model.a, model.b, buying.repeats
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    dropping = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + buying.known)
    return float((rate + dropping + alive + np.logaddexp(0.0, model._log_odds_of_gone(buying))).sum())  # noqa: SLF001


def fit(buying: Buying) -> BgNbd:
    """The model of maximum likelihood; NoRhythm if nobody ever bought again, for then there is nothing to see."""
    from scipy.optimize import minimize

    if not (buying.repeats > 0).any():
        raise NoRhythm("no account bought a second time: there is no rhythm to fit")
    solution = minimize(
        lambda logs: -log_likelihood(BgNbd(*np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG))), buying) / len(buying.known),
        np.log(START), method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9, "maxiter": 5000, "maxfev": 5000},
    )  # fmt: skip
    return BgNbd(*(float(parameter) for parameter in np.exp(np.clip(solution.x, -LARGEST_LOG, LARGEST_LOG))))
