"""How much an account will order: expected amounts, from a rule to trees, and how good they are.

All rungs answer with the log of an expected amount, and are judged by the Tweedie deviance, which is lowest for the
mean whatever the spread (Jørgensen 1997; power 1.5: a point at 0 and a long tail). An amount below 0, of an account
that returned more than it ordered, counts as 0 in losses and fits, and as what it is in totals.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import TweedieRegressor

from features.arrays import Floats
from registry.target_kinds import AnswerKind
from training.data.dataset import Dataset
from training.data.targets import Target
from training.metrics.probabilities import TOP_SHARE, Metric, Ranking
from training.models import bgnbd, gammagamma
from training.models.bgnbd import Buying
from training.models.boosting import BOOSTING, BoostedRung
from training.models.buying import BUYING_FEATURES
from training.models.calibration import Calibration, Margins
from training.models.linear import standardised
from training.models.rules import LOG_RFM_FEATURES
from training.models.rung import AsItIs, Fitted, Rung

POWER = 1.5
YEAR = 365.0
LAST_YEAR = ("purchases_amount_sum_365d",)
SPENT = "purchases_amount_sum"
LEAST_SHARE = 1e-4
"""A prediction counts as at least that share of the mean: of a sure 0 the deviance would be infinite."""
PENALTY = 1e-3

METRICS = (
    Metric("deviance", "Tweedie deviance", False, "distance from the expected amount, long tails and zeros allowed for"),
    Metric("mean_error", "Mean error", False, "mean distance of the expected from the real amount, in currency"),
    Metric("correlation", "Correlation", True, "of expected and real amount over the accounts"),
    Metric("gini", "Gini", True, "how well the order of accounts is foreseen: 1 as by hindsight, 0 as by chance"),
    Metric("captured_top_decile", "Captured, top decile", True, "share of all that was ordered that the tenth foreseen highest ordered"),
    Metric("off_level", "Off the level", False, "|total foreseen / total − 1|"),
)  # fmt: skip


class Amounts:
    """Log amounts become amounts, judged by Tweedie deviance."""

    answer: AnswerKind = "amount"
    loss = "deviance"
    shows = "an order of worth"
    methods = ("none", "level")
    metrics = METRICS

    def fit(self, method: str, folds: Sequence[Margins]) -> Calibration:
        """level: the factor for all that makes the total right, whatever a few accounts without a past may have ordered."""
        if method == "none":
            return Calibration("none", answer=self.answer)
        margin = np.concatenate([fold.margin for fold in folds])
        real = np.maximum(np.concatenate([fold.labels for fold in folds]), 0.0)
        most = float(margin.max())
        shift = float(np.log(real.sum() / np.exp(margin - most).sum())) - most
        return Calibration("level", {"slope": 1.0, "intercept": shift}, answer=self.answer)

    def uncalibrated(self, fold: Margins) -> Calibration:  # noqa: ARG002  # as the protocol says
        return Calibration("none", answer=self.answer)

    def can_fit(self, labels: Floats) -> bool:
        return bool((labels > 0).any())

    def losses(self, answers: Floats, labels: Floats) -> Floats:
        return deviances(answers, labels)

    def measure(self, answers: Floats, labels: Floats, weights: Floats | None = None) -> dict[str, Floats]:
        return measure(answers, labels, weights)

    def happened(self, labels: Floats) -> Any:
        return labels > 0

    def shown(self, labels: Floats, accounts: NDArray[Any]) -> int:
        """Accounts that ordered."""
        return len(np.unique(accounts[labels > 0]))


AMOUNTS = Amounts()


@dataclass(frozen=True)
class LastYear(AsItIs):
    """The rule: what the account ordered in the 365 days before, as much of it as the horizon is of a year."""

    horizon_days: float
    name: str = "last_year"
    needs_accounts: int = 10
    features: tuple[str, ...] = LAST_YEAR

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """Nothing is learnt but what counts as nothing: a thousandth of the mean year."""
        term = {
            "feature": LAST_YEAR[0], "transform": "log", "floor": _least(data), "centre": 0.0, "scale": 1.0, "weight": 1.0,
            "missing": float(np.log(_least(data))),
        }  # fmt: skip
        linear = {"intercept": float(np.log(self.horizon_days / YEAR)), "terms": [term]}
        return Fitted(self.name, self.features, linear, answer="amount")


@dataclass(frozen=True)
class BuyingValue(AsItIs):
    """How often by BG/NBD × how much by Gamma-Gamma, learnt from the orders before the newest date and no label."""

    horizon_days: float
    name: str = "bgnbd_gammagamma"
    needs_accounts: int = 40
    features: tuple[str, ...] = (*BUYING_FEATURES, SPENT)

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the search begins at one point."""
        rows = data.columns(self.features)[data.as_of == data.as_of.max()]
        orders, first, last, spent = np.maximum(rows[~np.isnan(rows).any(axis=1)], 0.0).T
        rhythm = bgnbd.fit(Buying.of(np.maximum(orders - 1.0, 0.0), np.maximum(first - last, 0.0), first))
        worth = gammagamma.fit(orders, spent / np.maximum(orders, 1.0))
        new = float(
            np.log(max(_mean_of_new(data, self.features[0]), LEAST_SHARE * max(float(data.labels.mean()), 1e-9)))
        )
        nobody = [0.0, 0.0, 0.0, 0.0]
        known = {
            **asdict(rhythm),
            "worth": asdict(worth),
            "horizon": self.horizon_days,
            "reference": nobody,
            "new": new,
        }
        return Fitted(self.name, self.features, buying=known, answer="amount")


@dataclass(frozen=True)
class LogLinear(AsItIs):
    """Tweedie regression with a log link on signed log1p of a few features: the mean is what it estimates."""

    name: str
    features: tuple[str, ...]
    needs_accounts: int

    @property
    def settings(self) -> dict[str, Any]:
        """The penalty."""
        return {"linear_penalty": PENALTY}

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the minimum is unique."""
        shaped = standardised(self.features, data)
        labels = np.maximum(data.labels, 0.0)
        unit = float(labels.mean()) or 1.0
        fitted = TweedieRegressor(power=POWER, link="log", alpha=PENALTY, solver="newton-cholesky", max_iter=300)
        fitted.fit(shaped.columns, labels / unit, sample_weight=data.weights)
        return Fitted(
            self.name,
            self.features,
            shaped.linear(float(fitted.intercept_ + np.log(unit)), fitted.coef_),
            answer="amount",
        )


@dataclass(frozen=True)
class BoostedAmount(BoostedRung):
    """LightGBM on every feature, by the same deviance."""

    def _labels(self, data: Dataset) -> Floats:
        return np.maximum(data.labels, 0.0)


def ladder(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    """Last year, BG/NBD × Gamma-Gamma, log-linear, LightGBM."""
    tweedie = {**BOOSTING, "objective": "tweedie", "tweedie_variance_power": POWER, "metric": "tweedie"}
    return (
        LastYear(target.horizon_days),
        BuyingValue(target.horizon_days),
        LogLinear("log_linear", LOG_RFM_FEATURES, needs_accounts=60),
        BoostedAmount(
            "lightgbm", tuple(features), needs_accounts=200, parameters=tweedie, metric="tweedie", answer="amount"
        ),
    )


def _least(data: Dataset) -> float:
    """A thousandth of what an account ordered in the year before, on average: nothing, where a logarithm needs something."""
    year = np.nan_to_num(data.columns(LAST_YEAR)[:, 0])
    return max(1e-3 * float(np.maximum(year, 0.0).mean()), 1e-9)


def _mean_of_new(data: Dataset, orders: str) -> float:
    """What accounts that had never ordered went on to order, on average: who has no rhythm yet is told by nothing else."""
    new = ~(data.columns([orders])[:, 0] > 0)
    return float(np.maximum(data.labels[new], 0.0).mean()) if new.any() else 0.0


def deviances(answers: Floats, labels: Floats) -> Floats:
    """Tweedie deviance of power 1.5 of each row: 4·(√y − √μ)²/√μ, so that it is 4·√μ where nothing was ordered.

    μ counts as at least 0.0001 of the mean label.
    """
    y = np.maximum(labels, 0.0)
    mu = np.maximum(answers, max(LEAST_SHARE * float(y.mean()), 1e-12))
    return np.asarray(4.0 * (np.sqrt(y) - np.sqrt(mu)) ** 2 / np.sqrt(mu))


def measure(answers: Floats, labels: Floats, weights: Floats | None = None) -> dict[str, Floats]:
    """Every metric of METRICS, one number a row of `weights` (one row of ones by default)."""
    weights = np.ones((1, len(labels))) if weights is None else weights
    total = weights.sum(axis=1)
    foreseen, real = weights @ answers, weights @ labels
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "deviance": weights @ deviances(answers, labels) / total,
            "mean_error": weights @ np.abs(answers - labels) / total,
            "correlation": _correlation(answers, labels, weights),
            "gini": _concentration(answers, labels, weights) / _concentration(labels, labels, weights),
            "captured_top_decile": _captured(answers, labels, weights),
            "off_level": np.where(real > 0, np.abs(foreseen / np.where(real > 0, real, 1.0) - 1.0), np.nan),
        }


def _correlation(answers: Floats, labels: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=1)
    x, y = (weights @ answers / total)[:, None], (weights @ labels / total)[:, None]
    dx, dy = answers - x, labels - y
    return np.asarray(
        (weights * dx * dy).sum(axis=1) / np.sqrt((weights * dx**2).sum(axis=1) * (weights * dy**2).sum(axis=1))
    )


def _lorenz(answers: Floats, labels: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Mass and amount of each run of equal answers, highest first, two (replicates, runs)."""
    ranking = Ranking.of(answers, labels)
    ranked = weights[:, ranking.order]
    mass = np.add.reduceat(ranked, ranking.starts, axis=1)
    return mass, np.add.reduceat(ranked * ranking.labels, ranking.starts, axis=1)


def _concentration(answers: Floats, labels: Floats, weights: Floats) -> Floats:
    """Area between the curve of what the accounts foreseen highest ordered and the diagonal."""
    mass, amount = _lorenz(answers, labels, weights)
    total, sold = mass.sum(axis=1), amount.sum(axis=1)
    above = np.cumsum(amount, axis=1) - amount / 2
    return np.asarray((above * mass).sum(axis=1) / (total * sold) - 0.5)


def _captured(answers: Floats, labels: Floats, weights: Floats) -> Floats:
    """What goes through the cut in the middle of equals counts in part."""
    mass, amount = _lorenz(answers, labels, weights)
    before = np.cumsum(mass, axis=1) - mass
    taken = np.clip(TOP_SHARE * mass.sum(axis=1, keepdims=True) - before, 0.0, mass)
    mean = np.divide(amount, mass, out=np.zeros_like(amount), where=mass > 0)
    return np.asarray((taken * mean).sum(axis=1) / amount.sum(axis=1))
