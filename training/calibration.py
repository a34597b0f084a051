"""Which correction makes log-odds honest, found on margins of models that had not seen those labels.

Three methods, simplest first: none, Platt on log-odds (2 parameters), beta (3 parameters: Kull, Silva Filho & Flach,
"Beta calibration", AISTATS 2017). All keep the order of accounts, so they change probabilities and never a ranking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.choice import Candidate, simplest_within_noise
from training.dataset import rarer_accounts
from training.logistic import Floats, fit_logistic
from training.metrics import log_losses
from training.shrinkage import FEW
from training.tracking import model_code

METHODS = ("none", "platt", "beta")
Codes = NDArray[np.int64]

PENALTY = 1.0  # towards "leave it as it is", with the weight of about one account


@dataclass(frozen=True)
class Calibration:
    """A fitted correction of log-odds, as the model's card keeps it."""

    method: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    """Why this method, in words for the report."""

    def to_json(self) -> dict[str, Any]:
        """{method, parameters, reason}."""
        return {"method": self.method, "parameters": dict(self.parameters), "reason": self.reason}

    def probability(self, margin: Floats) -> Floats:
        """Calibrated probabilities of raw log-odds, computed by the very code that the registered model carries."""
        code = model_code()
        return np.asarray(code.sigmoid(code.calibrated(margin, self.to_json())))


@dataclass(frozen=True)
class Margins:
    """Out-of-time log-odds of one fold, whose labels the model that gave them had not seen."""

    at: datetime
    closes: datetime
    """When the labels were known: the end of the fold's horizon."""
    margin: Floats
    labels: Floats
    accounts: Codes
    """A number for each row's account, for the bootstrap."""


def fit(method: str, margin: Floats, labels: Floats) -> Calibration:
    """Fit one method on pooled out-of-time margins; both classes must be there for platt and beta."""
    if method == "none":
        return Calibration("none")
    if method == "platt":
        return _platt(margin, labels)
    if method == "beta":
        return _beta(margin, labels)
    raise ValueError(f"calibration method '{method}' is not known; it must be one of {', '.join(METHODS)}")


def choose(folds: Sequence[Margins], seed: int) -> tuple[str, str]:
    """The method to use and the reason in words: the simplest within noise of the best on later folds.

    Each fold is judged with a calibration fitted on the folds whose horizon had closed by its as_of. Without any such
    pair of folds there is no evidence, and the answer is none.
    """
    judged = [(fold, earlier) for fold in folds if len(earlier := _closed_by(fold, folds))]
    if not judged:
        return (
            "none",
            "no fold had an earlier one to fit a calibration on: without out-of-time evidence nothing is corrected",
        )
    labels = np.concatenate([fold.labels for fold, _ in judged])
    accounts = np.concatenate([fold.accounts for fold, _ in judged])
    if (there := rarer_accounts(labels, accounts)) < FEW:
        # Cut down to 50 accounts, CDNOW lost .7 nats by a Platt correction that two folds had agreed on.
        return "none", f"{there} accounts show the rarer outcome on later folds: a correction needs about {FEW}"
    candidates = [Candidate(method, log_losses(_calibrated_later(method, judged), labels)) for method in METHODS]
    chosen = simplest_within_noise(candidates, accounts, seed)
    return chosen.name, f"{chosen.reason}, on {len(judged)} later {'fold' if len(judged) == 1 else 'folds'}"


def fitted_on(method: str, folds: Sequence[Margins]) -> Calibration:
    """One method fitted on the pooled margins of some folds."""
    return fit(method, np.concatenate([each.margin for each in folds]), np.concatenate([each.labels for each in folds]))


def as_then(method: str, fold: Margins, folds: Sequence[Margins]) -> Floats:
    """A fold's probabilities with the calibration one could have fitted then; uncalibrated if there was none yet."""
    earlier = _closed_by(fold, folds)
    return (fitted_on(method, earlier) if earlier else Calibration("none")).probability(fold.margin)


Judged = Sequence[tuple[Margins, Sequence[Margins]]]


def _closed_by(fold: Margins, folds: Sequence[Margins]) -> list[Margins]:
    earlier = [other for other in folds if other.closes <= fold.at]
    labels = np.concatenate([other.labels for other in earlier]) if earlier else np.empty(0)
    return earlier if 0 < labels.sum() < len(labels) else []


def _calibrated_later(method: str, judged: Judged) -> Floats:
    return np.concatenate([fitted_on(method, earlier).probability(fold.margin) for fold, earlier in judged])


def _platt(margin: Floats, labels: Floats) -> Calibration:
    fitted = fit_logistic(margin[:, None], labels, PENALTY, towards=np.ones(1))
    if fitted.weights[0] < 0:  # a ranking that was upside down out of time: believe in the rate alone
        return _constant("platt", labels)
    return Calibration("platt", {"slope": float(fitted.weights[0]), "intercept": fitted.intercept})


def _beta(margin: Floats, labels: Floats) -> Calibration:
    """As in the paper: a negative slope is set to 0 and the other fitted again."""
    code = model_code()
    columns = np.column_stack([-code.softplus(-margin), code.softplus(margin)])
    fitted = fit_logistic(columns, labels, PENALTY, towards=np.ones(2))
    if (fitted.weights >= 0).all():
        return Calibration(
            "beta", {"a": float(fitted.weights[0]), "b": float(fitted.weights[1]), "c": fitted.intercept}
        )
    kept = int(np.argmax(fitted.weights))
    again = fit_logistic(columns[:, [kept]], labels, PENALTY, towards=np.ones(1))
    if again.weights[0] < 0:
        return _constant("beta", labels)
    slopes = {"a": 0.0, "b": 0.0, "ab"[kept]: float(again.weights[0])}
    return Calibration("beta", {**slopes, "c": again.intercept})


def _constant(method: str, labels: Floats) -> Calibration:
    odds = float(np.log(labels.mean() / (1.0 - labels.mean())))
    return Calibration(
        method, {"slope": 0.0, "intercept": odds} if method == "platt" else {"a": 0.0, "b": 0.0, "c": odds}
    )
