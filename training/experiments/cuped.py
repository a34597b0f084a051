"""CUPED: an outcome less what was known of it before the assignment, which no arm can have changed.

Deng, Xu, Kohavi & Walker, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data"
(WSDM 2013), eq. 3–5: Y − θ(X − X̄) with θ = cov(Y, X)/var(X). Its mean differs between the arms as that of Y does, and its
variance is (1 − r²) times that of Y, r being the correlation. With several covariates θ is that of a regression.
"""

from dataclasses import dataclass

import numpy as np

from features.arrays import Flags, Floats
from training.experiments.arms import Arms


@dataclass(frozen=True)
class Adjusted:
    """An outcome without what was foretold, (accounts,), and how far each account decided itself what was foretold of it."""

    outcome: Floats
    leverage: Floats
    """0 to 1: one account of great worth among small ones bends the regression towards itself."""


def adjusted(outcome: Floats, covariates: Floats, arms: Arms) -> Adjusted:
    """The outcome without what the covariates (accounts, k) foretold. An absent covariate counts as the mean.

    θ is taken within the arms, so that the effect itself is not explained away.
    """
    known = _standardised(covariates)
    if not known.shape[1]:
        return Adjusted(outcome, np.zeros(len(outcome)))
    root = np.sqrt(arms.weights)
    centred, *within = (_centred(column, arms) * root for column in (outcome, *known.T))
    basis, _ = np.linalg.qr(np.column_stack(within))
    theta, *_ = np.linalg.lstsq(np.column_stack(within), centred, rcond=None)
    return Adjusted(np.asarray(outcome - known @ theta), np.asarray((basis**2).sum(axis=1)))


def _standardised(covariates: Floats) -> Floats:
    """Those that vary, in standard deviations from their mean."""
    mean = np.nan_to_num(np.nanmean(covariates, axis=0)) if len(covariates) else np.zeros(covariates.shape[1])
    filled = np.where(np.isnan(covariates), mean, covariates) - mean
    spread = filled.std(axis=0)
    return np.asarray(filled[:, spread > 0] / spread[spread > 0])


def _centred(column: Floats, arms: Arms) -> Floats:
    """Less the weighted mean of the arm that each is in."""
    return np.where(
        arms.treated, column - _mean(column, arms, arms.treated), column - _mean(column, arms, ~arms.treated)
    )


def _mean(column: Floats, arms: Arms, arm: Flags) -> float:
    return float(np.average(column[arm], weights=arms.weights[arm]))
