"""How good probabilities are: one weighted computation for the value and for its bootstrap interval.

Labels are 1 (churned) and 0; every metric takes row weights, so that a bootstrap replicate, which draws whole accounts
with replacement, is nothing but the same computation with the number of draws as weights. Weights are always a matrix
(replicates, n), and every metric answers with one number a replicate; NaN where a replicate leaves it undefined.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.arrays import Floats, Integers

NEAREST_TO_CERTAIN = 1e-12  # a probability of exactly 0 that proves wrong would cost an infinite log loss
CALIBRATION_BINS = 10
TOP_SHARE = 0.10
ELEMENTS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Metric:
    """A number to judge by, and how to read it."""

    name: str
    title: str
    higher_is_better: bool
    meaning: str


METRICS = (
    Metric(
        "auroc", "AUROC", True, "chance that an account that churned was ranked above one that stayed; 0.5 is guessing"
    ),
    Metric(
        "average_precision",
        "Average precision",
        True,
        "mean share of churners among the top ranks; the churn rate is guessing",
    ),
    Metric("log_loss", "Log loss", False, "mean −log(probability given to what happened), in nats"),
    Metric("brier", "Brier score", False, "mean squared distance of the probability from what happened"),
    Metric("ece", "ECE", False, "mean distance of the probability from the realised rate, over ten bins of equal mass"),
    Metric("lift_top_decile", "Lift, top decile", True, "churn rate of the riskiest 10 % over the churn rate of all"),
)


@dataclass(frozen=True)
class Ranking:
    """Rows in falling order of probability, and where each run of equal probabilities begins."""

    order: Integers
    starts: Integers
    labels: Floats
    """0 or 1, in that order."""

    @classmethod
    def of(cls, probabilities: Floats, labels: Floats) -> "Ranking":
        """Rank n > 0 rows; equal probabilities share one rank, so that row order cannot matter."""
        order = np.argsort(-probabilities, kind="stable")
        ranked = probabilities[order]
        starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
        return cls(order, starts, labels[order])

    def masses(self, weights: Floats) -> tuple[Floats, Floats]:
        """Weight of churners and of stayers in each run, two (replicates, runs)."""
        ranked = weights[:, self.order]
        churned = np.add.reduceat(ranked * self.labels, self.starts, axis=1)
        return churned, np.add.reduceat(ranked, self.starts, axis=1) - churned


def auroc(churned: Floats, stayed: Floats) -> Floats:
    """Area under the ROC curve, ties counting half (Mann–Whitney), from the masses of a Ranking."""
    stayed_below = stayed.sum(axis=1, keepdims=True) - np.cumsum(stayed, axis=1)
    won = (churned * (stayed_below + 0.5 * stayed)).sum(axis=1)
    return _ratio(won, churned.sum(axis=1) * stayed.sum(axis=1))


def average_precision(churned: Floats, stayed: Floats) -> Floats:
    """Sum over the runs of (rise of recall) × (precision down to there): no interpolation, as in scikit-learn."""
    churned_so_far = np.cumsum(churned, axis=1)
    precision = _ratio(churned_so_far, churned_so_far + np.cumsum(stayed, axis=1), otherwise=0.0)
    return _ratio((churned * precision).sum(axis=1), churned.sum(axis=1))


def lift_at(share: float, churned: Floats, stayed: Floats) -> Floats:
    """Churn rate among the riskiest `share` of the weight, over the churn rate of all.

    A run of equal probabilities that the cut goes through counts in part, at its own churn rate: what one would
    find on average by picking among equals at random.
    """
    mass = churned + stayed
    total = mass.sum(axis=1, keepdims=True)
    before = np.cumsum(mass, axis=1) - mass
    taken = np.clip(share * total - before, 0.0, mass)
    caught = (taken * _ratio(churned, mass, otherwise=0.0)).sum(axis=1)
    return _ratio(caught, share * churned.sum(axis=1))


def log_losses(probabilities: Floats, labels: Floats) -> Floats:
    """−log of the probability given to what happened, a row; probabilities kept 1e-12 away from 0 and 1."""
    safe = np.clip(probabilities, NEAREST_TO_CERTAIN, 1.0 - NEAREST_TO_CERTAIN)
    return -np.where(labels == 1.0, np.log(safe), np.log1p(-safe))


def calibration_bins(ranking: Ranking, bins: int = CALIBRATION_BINS) -> Integers:
    """The bin of each ranked row: equal-mass bins of neighbours in rank, 0 the riskiest.

    Cut on the rows as given, not anew in each replicate. Equal probabilities stay together in the bin of the middle
    of their run, so fewer than `bins` are filled where there are many ties.
    """
    n = len(ranking.order)
    lengths = np.diff(np.r_[ranking.starts, n])
    middle = ranking.starts + (lengths - 1) / 2.0
    return np.repeat(np.minimum(middle * bins // n, bins - 1).astype(np.intp), lengths)


def ece(ranking: Ranking, probabilities: Floats, weights: Floats) -> Floats:
    """Expected calibration error: mass-weighted mean over the bins of |mean probability − churn rate|.

    It is never negative, so noise alone lifts it, in small samples and again in each bootstrap replicate: an interval
    can lie wholly above the value that it belongs to. Read it beside the reliability curve, not as a distance from zero.
    """
    bins = calibration_bins(ranking)
    firsts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    surplus = (probabilities[ranking.order] - ranking.labels) * weights[:, ranking.order]
    return _ratio(np.abs(np.add.reduceat(surplus, firsts, axis=1)).sum(axis=1), weights.sum(axis=1))


def measure(probabilities: ArrayLike, labels: ArrayLike, weights: Floats | None = None) -> dict[str, Floats]:
    """Every metric of METRICS, one number a row of `weights` (one row of ones by default).

    ValueError if there is no row, if labels are not 0 and 1, or if a probability lies outside [0, 1].
    """
    p, y = _checked(probabilities, labels)
    weights = np.ones((1, len(p))) if weights is None else weights
    ranking, total = Ranking.of(p, y), weights.sum(axis=1)
    churned, stayed = ranking.masses(weights)
    return {
        "auroc": auroc(churned, stayed),
        "average_precision": average_precision(churned, stayed),
        "log_loss": _ratio(weights @ log_losses(p, y), total),
        "brier": _ratio(weights @ (p - y) ** 2, total),
        "ece": ece(ranking, p, weights),
        "lift_top_decile": lift_at(TOP_SHARE, churned, stayed),
    }


def bootstrap_weights(accounts: ArrayLike, replicates: int, seed: int) -> Iterator[Floats]:
    """How often each row is drawn, when whole accounts are drawn with replacement: (some replicates, n) at a time.

    Rows of one account (at several as_of dates) are not independent, so they are drawn together. The same seed and
    accounts give the same draws, which is what makes two models' replicates comparable in pairs.
    """
    codes, row_account = np.unique(np.asarray(accounts), return_inverse=True)
    rng = np.random.default_rng(seed)
    at_once = max(1, ELEMENTS_AT_ONCE // max(1, len(row_account)))
    for first in range(0, replicates, at_once):
        drawn = [_draws(rng, len(codes)) for _ in range(min(at_once, replicates - first))]
        yield np.stack(drawn)[:, row_account].astype(np.float64)


def rate_interval(happened: int, of: int) -> tuple[float, float]:
    """95 % interval of the chance behind `happened` among `of` > 0 independent accounts (Wilson 1927, the score interval)."""
    z = 1.959964
    centre = (happened + z**2 / 2) / (of + z**2)
    half = z * math.sqrt(happened * (of - happened) / of + z**2 / 4) / (of + z**2)
    return centre - half, centre + half


def mean_difference_interval(
    differences: Floats, accounts: ArrayLike, replicates: int = 500, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of the mean of paired differences (one a row), by the account bootstrap."""
    means = [weights @ differences / weights.sum(axis=1) for weights in bootstrap_weights(accounts, replicates, seed)]
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    return float(low), float(high)


def _draws(rng: np.random.Generator, accounts: int) -> NDArray[np.intp]:
    return np.bincount(rng.integers(accounts, size=accounts), minlength=accounts)


def _checked(probabilities: ArrayLike, labels: ArrayLike) -> tuple[Floats, Floats]:
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels, dtype=np.float64)
    if p.shape != y.shape or p.ndim != 1 or len(p) == 0:
        raise ValueError(f"probabilities {p.shape} and labels {y.shape} must be two columns of one length, not empty")
    if not np.isin(y, (0.0, 1.0)).all():
        raise ValueError("labels must be 0 (stayed) or 1 (churned)")
    if not ((p >= 0.0) & (p <= 1.0)).all():
        raise ValueError("probabilities must lie in [0, 1]; NaN is not a probability")
    return p, y


def _ratio(numerator: Floats, denominator: Floats, otherwise: float = np.nan) -> Floats:
    ratio: Floats = np.divide(
        numerator, denominator, out=np.full(np.shape(numerator), otherwise), where=denominator > 0
    )
    return ratio
