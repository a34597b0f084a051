"""When an account will order next: a median and an interval of 80 %, from its own rhythm to trees.

All rungs answer with m, the log of the median days; about it log days are logistic with one scale (an accelerated failure
time model with log-logistic times: Kalbfleisch & Prentice 2002, ch. 2). An account that has not ordered by the end of
the horizon is censored there: the likelihood knows that it took longer, not how much. Because everybody is followed for
the same horizon, whether an order came by day t is known of all, and judging needs no weights for censoring.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from registry.target_kinds import AnswerKind
from training.data.dataset import Dataset
from training.data.targets import Target
from training.metrics.probabilities import Metric, Ranking, auroc
from training.models.boosting import BOOSTING, DEFAULT_ROUNDS, MAX_ROUNDS, PATIENCE, BoostedRung
from training.models.calibration import Calibration, Margins
from training.models.linear import standardised
from training.models.rules import LOG_RFM_FEATURES
from training.models.rung import AsItIs, Fitted, FoldData, Rung

RHYTHM = ("purchases_gap_days_median",)
RHYTHM_AND_RFM = (*RHYTHM, "purchases_gap_days_std", "purchases_orders_distinct_90d", *LOG_RFM_FEATURES)
SOONEST = 0.25
"""In days: an order within the first quarter of a day counts as at its end, for log 0 is no number."""
POINTS = 48
"""Moments of the horizon at which an answer is held against what happened."""
PENALTY = 1.0
LEAST_SCALE, LARGEST_SCALE = 0.05, 10.0
LOGIT_90 = float(np.log(9.0))

METRICS = (
    Metric("crps", "CRPS", False, "mean distance of the foreseen from the real time, in days, the whole distribution judged (Gneiting & Raftery 2007), up to the horizon"),
    Metric("median_error", "Error of the median", False, "mean distance of the median from the real time, both cut off at the horizon, in days"),
    Metric("auroc", "AUROC of ordering", True, "chance that an account that ordered within the horizon was foreseen earlier than one that did not"),
    Metric("coverage_gap", "Coverage gap", False, "|share of the accounts inside their interval − 80 %|; who did not order within the horizon counts by the chance"),
    Metric("width", "Width", False, "mean width of the interval, cut off at the horizon, in days"),
)  # fmt: skip


@dataclass(frozen=True)
class Days:
    """Log days become a median and an interval, judged by CRPS up to the horizon."""

    horizon_days: float
    answer: AnswerKind = "days"
    loss: str = "CRPS in days"
    shows: str = "an order within the horizon"
    methods: tuple[str, ...] = ("rhythm",)
    metrics: tuple[Metric, ...] = METRICS

    def fit(self, method: str, folds: Sequence[Margins]) -> Calibration:  # noqa: ARG002  # there is one method
        """slope, intercept and scale of maximum likelihood on out-of-time margins, drawn towards 1 and 0."""
        margin = np.concatenate([fold.margin for fold in folds])
        labels = np.concatenate([fold.labels for fold in folds])
        line = _line(margin, labels, self.horizon_days)
        return Calibration("rhythm", line, answer=self.answer)

    def uncalibrated(self, fold: Margins) -> Calibration:
        """The scale as the model saw it in what it learnt from."""
        return Calibration("rhythm", {"slope": 1.0, "intercept": 0.0, "scale": fold.scale}, answer=self.answer)

    def can_fit(self, labels: Floats) -> bool:
        return bool(np.isfinite(labels).any())

    def losses(self, answers: Floats, labels: Floats) -> Floats:
        return crps(answers, labels, self.horizon_days)

    def measure(self, answers: Floats, labels: Floats, weights: Floats | None = None) -> dict[str, Floats]:
        return measure(answers, labels, self.horizon_days, weights)

    def happened(self, labels: Floats) -> Any:
        return np.isfinite(labels)

    def shown(self, labels: Floats, accounts: NDArray[Any]) -> int:
        """Accounts that ordered within the horizon."""
        return len(np.unique(accounts[np.isfinite(labels)]))


@dataclass(frozen=True)
class LinearDays(AsItIs):
    """Log-logistic regression on signed log1p of a few features, ridge penalty, censored at the horizon."""

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    horizon_days: float

    @property
    def settings(self) -> dict[str, Any]:
        """The penalty."""
        return {"linear_penalty": PENALTY}

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the search begins at one point."""
        shaped = standardised(self.features, data)
        weights, scale = _regression(shaped.columns, data.labels, self.horizon_days, counts=data.weights)
        linear = shaped.linear(float(weights[0]), weights[1:])
        return Fitted(self.name, self.features, linear, answer="days", scale=scale)


@dataclass(frozen=True)
class BoostedDays(BoostedRung):
    """LightGBM on every feature, by the same likelihood; the scale is that of a constant, halved once trees explain."""

    horizon_days: float = 0.0

    def fit(self, data: Dataset, seed: int) -> Fitted:
        """The same data, seed and number of threads give the same trees."""
        start = self._start(data)
        booster = self._train(data, start, seed, self.rounds)
        margin = start.offset + np.asarray(
            booster.predict(data.columns(self.features), raw_score=True), dtype=np.float64
        )
        scale = _line(margin, data.labels, self.horizon_days)["scale"]
        text = booster.model_to_string()
        return Fitted(self.name, self.features, booster=text, answer="days", offset=start.offset, scale=scale)

    def later_losses(self, fold: FoldData, seed: int, callbacks: Sequence[Callable[..., None]] = ()) -> Floats:
        """The likelihood's loss on the fold's later rows after every round."""
        learnt_from, later = fold.train, fold.later
        start = self._start(learnt_from)
        curve = dict[str, dict[str, list[float]]]()
        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        self._train(learnt_from, start, seed, MAX_ROUNDS, later, [stop, lightgbm.record_evaluation(curve), *callbacks])
        return np.array(curve["later"][self.metric])

    def _train(
        self,
        data: Dataset,
        start: "_Start",
        seed: int,
        rounds: int,
        later: Dataset | None = None,
        callbacks: Any = None,
    ) -> lightgbm.Booster:
        train = self._lightgbm(data)
        train.set_init_score(np.full(len(data), start.offset))
        judged = [] if later is None else [self._lightgbm(later, reference=train)]
        for fold in judged:
            fold.set_init_score(np.full(len(later or ()), start.offset))
        likelihood = _Likelihood(self.horizon_days, start.scale)
        return lightgbm.train(
            {**self._parameters(data, seed), "objective": likelihood.slopes},
            train,
            num_boost_round=rounds,
            valid_sets=judged,
            valid_names=["later"] * len(judged),
            feval=likelihood.loss,
            callbacks=callbacks,
        )

    def _start(self, data: Dataset) -> "_Start":
        line = _line(np.zeros(len(data)), data.labels, self.horizon_days)
        return _Start(line["intercept"], max(line["scale"] / 2, LEAST_SCALE))

    def _labels(self, data: Dataset) -> Floats:
        return np.minimum(data.labels, 2.0 * self.horizon_days)


@dataclass(frozen=True)
class _Start:
    """Where boosting begins: a median for all, and the spread about what the trees will say."""

    offset: float
    scale: float


@dataclass(frozen=True)
class _Likelihood:
    """Of log-logistic days with a fixed scale, for LightGBM; a label beyond the horizon is censored at it."""

    horizon_days: float
    scale: float

    def slopes(self, margin: Floats, data: lightgbm.Dataset) -> tuple[Floats, Floats]:
        """First and second derivative of the negative log-likelihood with respect to the margin."""
        z, came = self._standing(margin, data)
        chance = 0.5 * (1.0 + np.tanh(0.5 * z))
        first = (came - (1.0 + came) * chance) / self.scale
        second = (1.0 + came) * np.maximum(chance * (1.0 - chance), 1e-6) / self.scale**2
        weight = data.get_weight()  # which LightGBM leaves to an objective of one's own
        counted = None if weight is None else np.asarray(weight, dtype=np.float64)
        return (first, second) if counted is None else (counted * first, counted * second)

    def loss(self, margin: Floats, data: lightgbm.Dataset) -> tuple[str, float, bool]:
        """The mean negative log-likelihood."""
        z, came = self._standing(margin, data)
        return "likelihood", float(((1.0 + came) * np.logaddexp(0.0, z) - came * z).mean()), False

    def _standing(self, margin: Floats, data: lightgbm.Dataset) -> tuple[Floats, Floats]:
        days = np.asarray(data.get_label(), dtype=np.float64)
        z, came = _standing(margin, days, self.horizon_days)
        return z / self.scale, came


def ladder(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    """The account's own rhythm, log-logistic regression, LightGBM."""
    days = float(target.horizon_days)
    boosting = {**BOOSTING, "metric": "None"}
    return (
        LinearDays("rhythm", RHYTHM, needs_accounts=10, horizon_days=days),
        LinearDays("log_logistic", RHYTHM_AND_RFM, needs_accounts=10 * len(RHYTHM_AND_RFM), horizon_days=days),
        BoostedDays(
            "lightgbm", tuple(features), 200, DEFAULT_ROUNDS, boosting, "likelihood", answer="days", horizon_days=days
        ),
    )


def crps(answers: Floats, labels: Floats, horizon_days: float) -> Floats:
    """∫ (foreseen chance that the order came by t − whether it came)² dt from 0 to the horizon, in days, (n,).

    `answers` (n, 3) are median, 10 and 90 % bounds of log-logistic days. A sum over 48 equal steps, the chance taken in the
    middle of each; the one in which the order came is divided there.
    """
    step, total = horizon_days / POINTS, np.zeros(len(labels))
    for number in range(POINTS):
        chance = chance_by(answers, (number + 0.5) * step)
        came = np.clip((number + 1) - labels / step, 0.0, 1.0)  # the share of this step after the order
        total += came * (1.0 - chance) ** 2 + (1.0 - came) * chance**2
    return total * step


def chance_by(answers: Floats, days: float) -> Floats:
    """The foreseen chance of an order by so many days after as_of, (n,)."""
    middle, upper = np.log(answers[:, 0]), np.log(answers[:, 2])
    scale = (upper - middle) / LOGIT_90
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (np.log(days) - middle) / scale)))


def measure(answers: Floats, labels: Floats, horizon_days: float, weights: Floats | None = None) -> dict[str, Floats]:
    """Every metric of METRICS, one number a row of `weights` (one row of ones by default)."""
    weights = np.ones((1, len(labels))) if weights is None else weights
    total = weights.sum(axis=1)
    median, low, high = np.minimum(answers, horizon_days).T
    cut = np.minimum(labels, horizon_days)
    by_end = chance_by(answers, horizon_days)
    # Beyond the horizon nobody looked: what came later counts by the chance that it lies inside, given that it came later.
    later = np.maximum(0.9 - np.maximum(by_end, 0.1), 0.0) / np.maximum(1.0 - by_end, 1e-9)
    inside = np.where(np.isinf(labels), later, (answers[:, 1] <= labels) & (labels <= answers[:, 2]))
    ranking = Ranking.of(by_end, np.isfinite(labels).astype(np.float64))
    return {
        "crps": weights @ crps(answers, labels, horizon_days) / total,
        "median_error": weights @ np.abs(median - cut) / total,
        "auroc": auroc(*ranking.masses(weights)),
        "coverage_gap": np.abs(weights @ inside / total - 0.8),
        "width": weights @ (high - low) / total,
    }


def _standing(margin: Floats, labels: Floats, horizon_days: float) -> tuple[Floats, Floats]:
    """(log days − margin), of who did not order up to the horizon; and 1.0 for who did, else 0.0."""
    came = labels <= horizon_days
    days = np.clip(np.where(came, labels, horizon_days), SOONEST, None)
    return np.log(days) - margin, came.astype(np.float64)


def _line(margin: Floats, labels: Floats, horizon_days: float) -> dict[str, float]:
    """slope, intercept and scale for one margin; where it does not vary the slope stays 1."""
    centre = float(margin.mean())
    weights, scale = _regression((margin - centre)[:, None], labels, horizon_days, towards=1.0)
    slope = max(float(weights[1]), 0.0)
    return {"slope": slope, "intercept": float(weights[0]) - slope * centre, "scale": scale}


def _regression(
    columns: Floats, labels: Floats, horizon_days: float, towards: float = 0.0, counts: Floats | None = None
) -> tuple[Floats, float]:
    """Intercept and weights (1 + k,) and the scale of largest likelihood, the weights drawn `towards` a value.

    `counts` says how much each row counts; by default all alike. The search runs over (intercept, weights, log scale) with exact derivatives, and ends within the bounds of the scale.
    """
    from scipy.optimize import minimize

    design = np.column_stack([np.ones(len(columns)), columns])
    aim = np.r_[0.0, np.full(columns.shape[1], towards)]
    counted = np.ones(len(columns)) if counts is None else counts

    def objective(point: Floats) -> tuple[float, Floats]:
        weights, scale = point[:-1], float(np.exp(point[-1]))
        distance, came = _standing(design @ weights, labels, horizon_days)
        z = distance / scale
        chance = 0.5 * (1.0 + np.tanh(0.5 * z))
        residual = came - (1.0 + came) * chance  # derivative with respect to the margin, times the scale
        off = np.r_[0.0, weights[1:] - aim[1:]]
        losses = (1.0 + came) * np.logaddexp(0.0, z) - came * z + came * point[-1]
        loss = counted @ losses + PENALTY / 2 * (off**2).sum()
        slopes = design.T @ (counted * residual) / scale + PENALTY * off
        by_scale = counted @ (came + z * residual)
        return float(loss), np.r_[slopes, by_scale]

    days = np.clip(np.minimum(labels, horizon_days), SOONEST, None)
    begin = np.r_[float(np.log(days).mean()), aim[1:], 0.0]
    bounds = [(None, None)] * len(aim) + [(float(np.log(LEAST_SCALE)), float(np.log(LARGEST_SCALE)))]
    solution = minimize(
        objective, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500, "ftol": 1e-12}
    )
    return np.asarray(solution.x[:-1], dtype=np.float64), float(np.exp(solution.x[-1]))
