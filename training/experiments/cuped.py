"""CUPED: an outcome less what was known of it before the lot, which no arm can have changed.

Deng, Xu, Kohavi & Walker, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data"
(WSDM 2013), eq. 3–5: Y − θ(X − X̄) with θ = cov(Y, X)/var(X). Its mean differs between the arms as that of Y does, and its
variance is (1 − r²) times that of Y, r being the correlation. With several covariates θ is that of a regression.
"""

import numpy as np

from training.experiments.arms import Arms, Flags
from training.metrics import Floats


def adjusted(outcome: Floats, covariates: Floats, arms: Arms) -> Floats:
    """The outcome without what the covariates (accounts, k) foretold, (accounts,). An absent covariate counts as the mean.

    θ is taken within the arms, so that the effect itself is not explained away.
    """
    known = _standardised(covariates)
    root = np.sqrt(arms.weights)
    within = [_centred(column, arms) * root for column in (outcome, *known.T)]
    theta, *_ = (
        np.linalg.lstsq(np.column_stack(within[1:]), within[0], rcond=None) if len(within) > 1 else (np.empty(0),)
    )
    return np.asarray(outcome - known @ theta)


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
