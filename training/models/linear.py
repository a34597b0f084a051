"""The linear rungs: logistic regression on a few features, on one of them alone for a rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from features.arrays import Floats
from registry.model_code import model_code
from training.data.dataset import Dataset
from training.metrics.probabilities import log_losses
from training.models import shrinkage
from training.models.rung import Fitted, FoldData

SETTLED = 1e-8


@dataclass(frozen=True)
class LinearRung:
    """Logistic regression on signed log1p of a few features, standardised, ridge penalty.

    Where a feature is absent for some accounts in training, absence has a weight of its own; else it counts as the
    mean, so that an account whose history says nothing is neither praised nor blamed for it.
    """

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    penalty: float | None = None
    """None: not chosen yet, so what `shrinkage.unproven` says."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The penalty."""
        return {"linear_penalty": self.penalty or "as for so many accounts, without evidence"}

    def tuned(self, folds: Sequence[FoldData], seed: int) -> "LinearRung":
        """The usual penalty where many accounts teach; with few, the one whose log loss over all folds is lowest."""
        if not folds:
            return self
        if folds[-1].train.rarer_accounts >= shrinkage.FEW:
            return replace(self, penalty=shrinkage.USUAL)
        return replace(self, penalty=shrinkage.least_loss(lambda penalty: self._later_losses(penalty, folds, seed)))

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the minimum is unique."""
        shaped = standardised(self.features, data)
        penalty = self.penalty or shrinkage.unproven(data.rarer_accounts)
        fitted = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=SETTLED)
        fitted.fit(shaped.columns, data.labels, sample_weight=data.weights)
        return Fitted(self.name, self.features, shaped.linear(float(fitted.intercept_[0]), fitted.coef_[0]))

    def _later_losses(self, penalty: float, folds: Sequence[FoldData], seed: int) -> Floats:
        rung, code = replace(self, penalty=penalty), model_code()
        answers = ((code.sigmoid(rung.fit(fold.train, seed).margin(fold.later)), fold.later.labels) for fold in folds)
        return np.concatenate([log_losses(probability, labels) for probability, labels in answers])


@dataclass(frozen=True)
class Standardised:
    """Signed log1p of some features, centred and scaled, absent values at the centre; beside them where each is absent."""

    features: tuple[str, ...]
    centres: Sequence[float]
    scales: Sequence[float]
    columns: Floats
    """(n, 2k)."""

    def linear(self, intercept: float, weights: Floats) -> dict[str, Any]:
        """The linear model of these weights (2k,), as a card tells it."""
        present, missing = np.split(np.asarray(weights, dtype=np.float64), 2)
        described = zip(self.features, self.centres, self.scales, present.tolist(), missing.tolist(), strict=True)
        return {"intercept": intercept, "terms": [linear_term(*term) for term in described]}


def standardised(features: tuple[str, ...], data: Dataset) -> Standardised:
    """Some features of a dataset as a regression likes them."""
    raw = model_code().signed_log1p(data.columns(features))
    centres, scales = [_mean_of_present(column) for column in raw.T], [_spread_of_present(column) for column in raw.T]
    absent = np.isnan(raw)
    return Standardised(
        features, centres, scales, np.column_stack([np.where(absent, 0.0, (raw - centres) / scales), absent])
    )


def linear_term(feature: str, centre: float, scale: float, weight: float, missing: float) -> dict[str, Any]:
    return {
        "feature": feature,
        "transform": "signed_log1p",
        "centre": centre,
        "scale": scale,
        "weight": weight,
        "missing": missing,
    }


def _mean_of_present(column: Floats) -> float:
    present = column[~np.isnan(column)]
    return float(present.mean()) if len(present) else 0.0


def _spread_of_present(column: Floats) -> float:
    """The standard deviation; 1 for a column that does not vary, whose weight then stays 0."""
    present = column[~np.isnan(column)]
    spread = float(present.std()) if len(present) else 0.0
    return spread if spread > 1e-9 else 1.0
