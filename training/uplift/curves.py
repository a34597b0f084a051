"""How well a ranking by effect finds the accounts to treat: Qini, AUUC, and the value of treating a share of the accounts.

Rows are ranked within their fold, because each fold's ranking comes from a model of its own; those of equal rank are
treated at random. Where the chance of treatment differs, each row is weighted by one over the chance of its arm.

    Qini curve (Radcliffe, "Using control groups to target on predicted lift", 2007), φ the share treated, best first:
        q(φ) = (Y_T(φ) − Y_C(φ) · N_T(φ) / N_C(φ)) / N_T
    with Y the sum of outcomes and N the number of rows among the best φ; N_T without φ counts all treated.
    Qini coefficient: the area between q and the straight line from 0 to q(1). 0 is treating at random; it is in units of
    the outcome per account and not divided by a best possible area, which nobody knows.

    AUUC (Jaśkowski & Jaroszewicz, "Uplift modeling for clinical trial data", 2012): the area under
        u(φ) = Y_T(φ) / N_T − Y_C(φ) / N_C
    with the best φ taken of each arm by itself. Treating at random has half the average effect.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.stats import rankdata

from features.arrays import Floats
from training.metrics.probabilities import bootstrap_weights
from training.uplift.average import Estimate, mean_of
from training.uplift.trial import Codes, Trial

REPLICATES = 200
STEPS_OF_SPREAD = 3
"""Decimals: how widely Qini and AUUC spread does not depend on ranks finer than a thousandth, and takes long to tell by them."""
SHARES = tuple(np.linspace(0.0, 1.0, 41).tolist())


@dataclass(frozen=True)
class RankPosition:
    """Where each row stands in its fold: the share of rows ranked before it, and that share with its equals counted in."""

    before: Floats
    after: Floats

    @classmethod
    def of(cls, gain: Floats, fold: Codes) -> "RankPosition":
        """Rank the rows of each fold by falling gain."""
        before, after = np.empty(len(gain)), np.empty(len(gain))
        for number in np.unique(fold):
            held_out = np.flatnonzero(fold == number)
            before[held_out] = (rankdata(-gain[held_out], method="min") - 1) / len(held_out)
            after[held_out] = rankdata(-gain[held_out], method="max") / len(held_out)
        return cls(before, after)

    @property
    def middle(self) -> Floats:
        """The share of rows before it, counting half of its equals."""
        return (self.before + self.after) / 2

    def treated(self, budget: float | None) -> Floats:
        """The chance that each row is treated if a share `budget` is; with None on average over all shares from 0 to 1."""
        if budget is None:
            return 1.0 - self.middle
        return np.clip((budget - self.before) / (self.after - self.before), 0.0, 1.0)


@dataclass(frozen=True)
class Targeting:
    """What treating the best share of the accounts brings, an account of all, and a 95 % interval at each share alone."""

    shares: Floats
    value: Floats
    low: Floats
    high: Floats

    def at(self, share: float) -> float:
        """The value at a share, by a straight line between its neighbours."""
        return float(np.interp(share, self.shares, self.value))


def targeting(trial: Trial, scores: Floats, gain: Floats, fold: Codes) -> Targeting:
    """The targeting curve of a ranking, valued by doubly robust scores, cost taken off.

    It goes on where the ranking itself would stop, so that one sees what the last ones cost.
    """
    position, net = RankPosition.of(gain, fold), trial.net(scores)
    values = [mean_of(position.treated(share) * net, trial.account) for share in SHARES]
    columns = ([getattr(value, name) for value in values] for name in ("value", "low", "high"))
    return Targeting(np.array(SHARES), *map(np.array, columns))


@dataclass(frozen=True)
class RankQuality:
    """Qini coefficient and AUUC of one ranking, in units of the outcome per account, with bootstrap intervals."""

    qini: Estimate
    auuc: Estimate
    shares: Floats
    """φ, and beside it q(φ): the Qini curve, thinned for drawing."""
    curve: Floats


def rank_quality(trial: Trial, effect: Floats, fold: Codes, seed: int) -> RankQuality:
    """Both of a ranking by effect (the most in the better direction first), whole accounts drawn in the bootstrap."""
    middle = RankPosition.of(trial.sign * effect, fold).middle
    ranked, ones = Ranked.of(trial, middle), np.ones((1, len(trial)))
    coarse = Ranked.of(trial, np.round(middle, STEPS_OF_SPREAD))
    draws = bootstrap_weights(trial.account, REPLICATES, seed)
    drawn = [(coarse.qini(weights), coarse.auuc(weights)) for weights in draws]
    qini, auuc = (np.concatenate(replicates) for replicates in zip(*drawn, strict=True))
    share, curve = ranked.qini_curve(ones)
    drawn_at = np.array(SHARES)
    return RankQuality(
        _with_spread(ranked.qini(ones), qini), _with_spread(ranked.auuc(ones), auuc), drawn_at,
        np.interp(drawn_at, share[0], curve[0]),
    )  # fmt: skip


@dataclass(frozen=True)
class Ranked:
    """Rows in runs of equal rank, the best run first: each table has (n, runs), with one number a row, in the run of the row.

    Weights are (replicates, n): how often each row is drawn.
    """

    rows: csr_array
    treated: csr_array
    """One over the chance of treatment for the treated, 0 for control."""
    treated_gained: csr_array
    """The same times the outcome in the better direction."""
    control: csr_array
    control_gained: csr_array

    @classmethod
    def of(cls, trial: Trial, middle: Floats) -> "Ranked":
        """Rank n > 0 rows, the smallest `middle` first."""
        runs, run = np.unique(middle, return_inverse=True)
        gained, weights = trial.sign * trial.outcome, trial.weights
        arms = np.where(trial.treated, weights, 0.0), np.where(trial.treated, 0.0, weights)
        masses = (np.ones(len(trial)), arms[0], arms[0] * gained, arms[1], arms[1] * gained)
        place = np.arange(len(trial))
        return cls(*(csr_array((mass, (place, run)), shape=(len(trial), len(runs))) for mass in masses))

    def qini_curve(self, weights: Floats) -> tuple[Floats, Floats]:
        """φ and q(φ) at the ends of the runs, 0 first, each (replicates, runs + 1): between them the curve is straight."""
        share, n_treated, n_control = (_upto(weights, table) for table in (self.rows, self.treated, self.control))
        matched = _ratio(n_treated, n_control) * _upto(weights, self.control_gained)
        return share / share[:, -1:], (_upto(weights, self.treated_gained) - matched) / n_treated[:, -1:]

    def qini(self, weights: Floats) -> Floats:
        """The Qini coefficient of each replicate."""
        share, q = self.qini_curve(weights)
        return np.asarray(np.trapezoid(q, share, axis=1) - q[:, -1] / 2)

    def auuc(self, weights: Floats) -> Floats:
        """The area under the uplift curve of each replicate."""
        treated = _area(weights, self.treated, self.treated_gained)
        return treated - _area(weights, self.control, self.control_gained)


def _upto(weights: Floats, table: csr_array) -> Floats:
    """(replicates, runs + 1): the mass of all runs up to each, 0 before the first."""
    summed = np.cumsum(weights @ table, axis=1)
    return np.concatenate([np.zeros((len(summed), 1)), summed], axis=1)


def _area(weights: Floats, mass: csr_array, gained: csr_array) -> Floats:
    n = _upto(weights, mass)
    return np.asarray(np.trapezoid(_upto(weights, gained), n, axis=1) / n[:, -1] ** 2)


def _with_spread(value: Floats, replicates: Floats) -> Estimate:
    low, high = np.quantile(replicates, [0.025, 0.975])
    return Estimate(float(value[0]), float(low), float(high), float(replicates.std(ddof=1)))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """0 before anybody of the denominator has been met."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
