"""The Gamma-Gamma model of what an order is worth: an account's mean drawn to everybody's, the less it has shown.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value". An account's orders are gamma with shape p and a rate of
its own, which is gamma with q and γ among accounts; how much is spent does not depend on how often.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from features.arrays import Floats
from training.models.bgnbd import NoRhythm

START = (1.0, 1.0, 1.0)
LARGEST_LOG = 12.0
"""Parameters beyond e^±12 are limits that the data does not distinguish."""


@dataclass(frozen=True)
class GammaGamma:
    """A fitted model; `gamma` is in the unit of the amounts."""

    p: float
    q: float
    gamma: float

    def expected(self, orders: ArrayLike, mean: ArrayLike) -> Floats:
        """What an order of each account is worth, (n,), given the mean of the orders that it showed (eq. 5).

        A weighted mean of everybody's and the account's own; everybody's for an account without an order. NaN where
        everybody's does not exist (q ≤ 1) and there is no order.
        """
        x, m = np.asarray(orders, dtype=np.float64), np.asarray(mean, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            worth = self.p * (self.gamma + np.where(x > 0, x * m, 0.0)) / (self.p * x + self.q - 1.0)
        return np.where(worth >= 0, worth, np.nan)


def log_likelihood(model: GammaGamma, orders: Floats, mean: Floats) -> float:
    """Of all accounts together (eq. 1a); every account has an order, and a mean above 0."""
    from scipy.special import gammaln

    p, q, gamma, x = model.p, model.q, model.gamma, orders
    shape = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
    return float(
        (shape + (p * x - 1) * np.log(mean) + p * x * np.log(x) - (p * x + q) * np.log(gamma + x * mean)).sum()
    )


def fit(orders: ArrayLike, mean: ArrayLike) -> GammaGamma:
    """The model of maximum likelihood on the accounts that ordered something of worth; NoRhythm if there is none."""
    from scipy.optimize import minimize

    x, m = np.asarray(orders, dtype=np.float64), np.asarray(mean, dtype=np.float64)
    there = (x > 0) & (m > 0)
    if not there.any():
        raise NoRhythm("no account ordered anything of worth: there is nothing to fit")
    x, unit = x[there], float(np.median(m[there]))
    m = m[there] / unit  # so that γ is near 1, whatever the currency
    solution = minimize(
        lambda logs: -log_likelihood(GammaGamma(*np.exp(np.clip(logs, -LARGEST_LOG, LARGEST_LOG))), x, m) / len(x),
        np.log(START), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10, "maxiter": 5000, "maxfev": 5000},
    )  # fmt: skip
    p, q, gamma = (float(parameter) for parameter in np.exp(np.clip(solution.x, -LARGEST_LOG, LARGEST_LOG)))
    return GammaGamma(p, q, gamma * unit)
