"""Which correction makes margins honest, found on those of models that had not seen the labels.

For probabilities three methods, simplest first: none, Platt on log-odds (2 parameters), beta (3 parameters: Kull, Silva Filho & Flach,
"Beta calibration", AISTATS 2017). All keep the order of accounts, so they change probabilities and never a ranking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from registry.model_code import model_code
from registry.target_kinds import AnswerKind
from training.data.dataset import rarer_accounts
from training.metrics.probabilities import METRICS, Metric, log_losses, measure
from training.models.choice import Candidate, simplest_within_noise
from training.models.logistic import fit_logistic
from training.models.shrinkage import FEW

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
    answer: AnswerKind = "probability"
    """What the margins are turned into."""

    def to_json(self) -> dict[str, Any]:
        """{method, parameters, reason}."""
        return {"method": self.method, "parameters": dict(self.parameters), "reason": self.reason}

    def answers(self, margin: Floats) -> Floats:
        """Raw margins → calibrated probabilities, amounts or days, by the very code that the registered model carries."""
        return np.asarray(model_code().answered(self.answer, margin, self.to_json()))

    def probability(self, margin: Floats) -> Floats:
        """Calibrated probabilities of raw log-odds."""
        return self.answers(margin)


@dataclass(frozen=True)
class Margins:
    """Out-of-time margins of one fold, whose labels the model that gave them had not seen."""

    at: datetime
    closes: datetime
    """When the labels were known: the end of the fold's horizon."""
    margin: Floats
    labels: Floats
    accounts: Codes
    """A number for each row's account, for the bootstrap."""
    scale: float = 1.0
    """Of days: how far they spread about the margin, as the model saw it in what it learnt from."""


class Task(Protocol):
    """How margins of one kind become answers, and how those are judged: probabilities here, others in files of their own."""

    @property
    def answer(self) -> AnswerKind: ...

    @property
    def loss(self) -> str:
        """The name of the loss that choices are made by."""
        ...

    @property
    def methods(self) -> tuple[str, ...]:
        """Ways to calibrate, simplest first."""
        ...

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What an evaluation tells, and how to read it."""
        ...

    def fit(self, method: str, folds: Sequence[Margins]) -> Calibration:
        """One method fitted on out-of-time margins."""
        ...

    def uncalibrated(self, fold: Margins) -> Calibration:
        """What to do with a fold while there is no evidence."""
        ...

    def can_fit(self, labels: Floats) -> bool:
        """Whether these labels can tell anything of a calibration."""
        ...

    def losses(self, answers: Floats, labels: Floats) -> Floats:
        """The loss of each row, lower is better."""
        ...

    def measure(self, answers: Floats, labels: Floats, weights: Floats | None = None) -> dict[str, Floats]:
        """Every one of `metrics`, a number a row of `weights`."""
        ...

    def happened(self, labels: Floats) -> Any:
        """(n,) bool: in which rows there was something to foresee."""
        ...

    @property
    def shows(self) -> str:
        """What `shown` counts accounts by, in words."""
        ...

    def shown(self, labels: Floats, accounts: NDArray[Any]) -> int:
        """How many different accounts show what a model is to learn."""
        ...


class Probabilities:
    """Log-odds become probabilities, judged by log loss."""

    answer: AnswerKind = "probability"
    loss = "log loss"
    shows = "the rarer outcome"
    methods = METHODS
    metrics = METRICS

    def fit(self, method: str, folds: Sequence[Margins]) -> Calibration:
        if method == "none":  # also where there is no fold at all
            return Calibration("none")
        return fit(
            method, np.concatenate([fold.margin for fold in folds]), np.concatenate([fold.labels for fold in folds])
        )

    def uncalibrated(self, fold: Margins) -> Calibration:  # noqa: ARG002  # as the protocol says
        return Calibration("none")

    def can_fit(self, labels: Floats) -> bool:
        return bool(0 < labels.sum() < len(labels))

    def losses(self, answers: Floats, labels: Floats) -> Floats:
        return log_losses(answers, labels)

    def measure(self, answers: Floats, labels: Floats, weights: Floats | None = None) -> dict[str, Floats]:
        return measure(answers, labels, weights)

    def happened(self, labels: Floats) -> Any:
        return labels == 1.0

    def shown(self, labels: Floats, accounts: NDArray[Any]) -> int:
        """Of the rarer label."""
        return rarer_accounts(labels, accounts)


PROBABILITIES = Probabilities()


def fit(method: str, margin: Floats, labels: Floats) -> Calibration:
    """Fit one method on pooled out-of-time margins; both classes must be there for platt and beta."""
    if method == "none":
        return Calibration("none")
    if method == "platt":
        return _platt(margin, labels)
    if method == "beta":
        return _beta(margin, labels)
    raise ValueError(f"calibration method '{method}' is not known; it must be one of {', '.join(METHODS)}")


def choose(folds: Sequence[Margins], seed: int, task: Task = PROBABILITIES) -> tuple[str, str]:
    """The method to use and the reason in words: the simplest within noise of the best on later folds.

    Each fold is judged with a calibration fitted on the folds whose horizon had closed by its as_of. Without any such
    pair of folds there is no evidence, and the answer is none.
    """
    judged = [(fold, earlier) for fold in folds if len(earlier := _closed_by(fold, folds, task))]
    if not judged:
        return (
            "none",
            "no fold had an earlier one to fit a calibration on: without out-of-time evidence nothing is corrected",
        )
    labels = np.concatenate([fold.labels for fold, _ in judged])
    accounts = np.concatenate([fold.accounts for fold, _ in judged])
    if (there := task.shown(labels, accounts)) < FEW:
        # Cut down to 50 accounts, CDNOW lost .7 nats by a Platt correction that two folds had agreed on.
        return task.methods[0], f"{there} accounts show {task.shows} on later folds: a correction needs about {FEW}"
    candidates = [
        Candidate(method, task.losses(_calibrated_later(method, judged, task), labels)) for method in task.methods
    ]
    chosen = simplest_within_noise(candidates, accounts, seed, task.loss)
    return chosen.name, f"{chosen.reason}, on {len(judged)} later {'fold' if len(judged) == 1 else 'folds'}"


def as_then(method: str, fold: Margins, folds: Sequence[Margins], task: Task = PROBABILITIES) -> Floats:
    """A fold's answers with the calibration one could have fitted then; uncalibrated if there was none yet."""
    earlier = _closed_by(fold, folds, task)
    fitted = task.fit(method, earlier) if earlier else task.uncalibrated(fold)
    return fitted.answers(fold.margin)


Judged = Sequence[tuple[Margins, Sequence[Margins]]]


def _closed_by(fold: Margins, folds: Sequence[Margins], task: Task) -> list[Margins]:
    earlier = [other for other in folds if other.closes <= fold.at]
    labels = np.concatenate([other.labels for other in earlier]) if earlier else np.empty(0)
    return earlier if task.can_fit(labels) else []


def _calibrated_later(method: str, judged: Judged, task: Task) -> Floats:
    return np.concatenate([task.fit(method, earlier).answers(fold.margin) for fold, earlier in judged])


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
