"""A company of fifty accounts: shrunk rungs, wide intervals, and never worse than knowing the churn rate alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.catalog import CATALOG
from training.data.dataset import Dataset, labelled
from training.data.splits import as_of_dates, split
from training.data.targets import ChurnTarget
from training.evaluation.comparison import judge, tail
from training.evaluation.selection import climb_ladder
from training.metrics.probabilities import log_losses
from training.models.calibration import Margins
from training.models.calibration import choose as choose_calibration
from training.models.choice import Candidate, lowest_loss, simplest_within_noise
from training.models.ladder import ladder
from training.models.linear import LinearRung
from training.models.rules import LOG_RFM_FEATURES, PooledRung
from training.models.rung import FoldData
from training.models.shrinkage import TRIED, UNPROVEN, USUAL, least_loss, rate_log_odds, unproven

T = datetime(2023, 9, 1, tzinfo=UTC)
TARGET = ChurnTarget("churn", horizon_days=60, active_within_days=180)
DATES = as_of_dates(T, TARGET.horizon, timedelta(days=30), 9, datetime(2022, 1, 1, tzinfo=UTC), timedelta(days=90))
DAYS = split(DATES, TARGET.horizon)
USED = tuple(feature for feature in CATALOG if feature.name in LOG_RFM_FEATURES)


@pytest.fixture(scope="module")
def data(history):
    """What the simple rungs use, of all 500 accounts."""
    return labelled(history, TARGET, DAYS.closed, USED, T)


def cut(data, wanted):
    return replace(
        data, matrix=data.matrix[wanted], labels=data.labels[wanted], account_id=data.account_id[wanted],
        account=data.account[wanted], as_of=data.as_of[wanted],
    )  # fmt: skip


def fifty(data, seed):
    """Fifty of the accounts, and all the others."""
    drawn = np.random.default_rng(seed).permutation(np.unique(data.account))[:50]
    inside = np.isin(data.account, drawn)
    return cut(data, inside), cut(data, ~inside)


@pytest.fixture(scope="module")
def trainings(data):
    """(climb, the fifty, all other accounts at the test date) of seven companies cut from one."""
    rungs = ladder(LOG_RFM_FEATURES, TARGET)
    cuts = [fifty(data, seed) for seed in range(7)]
    return [
        (climb_ladder(rungs, few, DAYS, TARGET, 0, lambda _: None), few, rest.at([DAYS.test])) for few, rest in cuts
    ]


def test__fifty_accounts__out_of_time__never_trees_and_better_than_the_pooled_rate(trainings):
    """On accounts it has never seen, the mean over seven companies beats the rate of their own fifty beyond noise."""
    gains = []
    for climb, few, rest in trainings:
        assert climb.choice.name in {"pooled", "recency", "bgnbd", "logistic"}
        said = climb.winner.calibration.probability(climb.winner.fitted.margin(rest))
        rate = 1 / (1 + np.exp(-rate_log_odds(few.at(DAYS.train).labels)))
        gains.append((log_losses(np.full(len(rest), rate), rest.labels) - log_losses(said, rest.labels)).mean())
    assert np.mean(gains) > 2 * np.std(gains, ddof=1) / np.sqrt(len(gains))
    assert min(gains) > -0.02


def test__fifty_accounts__probabilities__never_certain(trainings):
    """What fifty accounts have shown is no ground to call anything impossible or sure."""
    for climb, _, rest in trainings:
        said = climb.winner.calibration.probability(climb.winner.fitted.margin(rest))
        assert 0.0005 < said.min() <= said.max() < 0.9995


def test__fifty_accounts__chosen_by_the_lowest_loss__and_says_why(trainings):
    """Noise would make everything equal to the simplest rung, so shrinkage and not the rung keeps it simple."""
    for climb, _, _ in trainings:
        labels = np.concatenate([fold.labels for fold in climb.winner.contender.margins])
        losses = [log_losses(each.contender.answers, labels).mean() for each in climb.judged]
        assert log_losses(climb.winner.contender.answers, labels).mean() == min(losses)
        assert "cannot tell a difference from noise" in climb.choice.reason


def test__lowest_loss__a_difference_within_noise__decides_all_the_same():
    """Where the usual rule would take the simplest, few accounts take what the folds speak for."""
    noise = np.random.default_rng(0).normal(0, 1, 200)
    rungs = [Candidate("recency", np.ones(200)), Candidate("logistic", 0.999 + noise - noise.mean())]
    assert simplest_within_noise(rungs, np.arange(200), 0).name == "recency"
    assert lowest_loss(rungs, 12).name == "logistic"


def test__shrinkage__few_accounts_without_a_fold__stronger_than_usual():
    """Without evidence fifty accounts are shrunk hard, and many are not."""
    assert (unproven(12), unproven(59), unproven(60)) == (UNPROVEN, UNPROVEN, USUAL)
    assert LinearRung("logistic", LOG_RFM_FEATURES, 10).tuned([], 0).penalty is None


def test__shrinkage__on_the_folds__the_penalty_of_the_lowest_loss(data):
    """Tried one by one, none of the penalties has a lower out-of-time loss; many accounts keep the usual one."""
    few, _ = fifty(data, 3)
    rung = LinearRung("logistic", LOG_RFM_FEATURES, 10)
    folds = [FoldData(few, fold) for fold in DAYS.folds]
    losses = {penalty: later_loss(replace(rung, penalty=penalty), folds) for penalty in TRIED}
    assert losses[rung.tuned(folds, 0).penalty] == min(losses.values())
    assert rung.tuned([FoldData(data, fold) for fold in DAYS.folds], 0).penalty == USUAL


def later_loss(rung, folds):
    fitted = [(rung.fit(fold.train, 0).margin(fold.later), fold.later.labels) for fold in folds]
    return np.concatenate([np.logaddexp(0, margin) - labels * margin for margin, labels in fitted]).mean()


def test__shrinkage__equal_losses__strongest():
    """Where the folds do not care, the data should say as little as they can."""
    assert least_loss(lambda penalty: np.ones(4)) == max(TRIED)


def test__pooled__every_account__the_rate_with_half_an_outcome_added():
    """3 of 10 churned: (3 + ½) / (10 + 1) for everybody, whatever their recency."""
    labels = np.r_[np.ones(3), np.zeros(7)]
    days = np.full(10, np.datetime64("2024-01-01", "us"))
    recency = np.r_[np.nan, np.arange(9.0)][:, None]
    ten = Dataset(("purchases_days_since_last",), recency, labels, np.arange(10).astype(str), np.arange(10), days)
    margin = PooledRung().fit(ten, 0).margin(ten)
    assert 1 / (1 + np.exp(-margin)) == pytest.approx(np.full(10, 3.5 / 11))


def test__calibration__few_accounts_of_the_rarer_kind__nothing_is_corrected():
    """Two folds that agree on a slope are no evidence when a dozen accounts stand behind them."""
    rng, folds = np.random.default_rng(0), []
    for step in range(3):
        at, margin = T + timedelta(days=100 * step), rng.normal(0, 2, 50)
        labels = (rng.random(50) < 1 / (1 + np.exp(3 * margin))).astype(float)
        folds.append(Margins(at, at + timedelta(days=60), margin, labels, np.arange(50)))
    method, reason = choose_calibration(folds, 0)
    assert method == "none"
    assert "a correction needs about 60" in reason


@pytest.mark.parametrize(("accounts", "share"), [(1, 0.0), (2, 0.0), (20, 0.01588), (10**6, 0.025)])
def test__tail__fewer_accounts__further_out(accounts, share):
    """Hesterberg's expanded percentiles: Φ(−√(20/19) · 2.093) = 1.59 % for 20, the usual 2.5 % for very many."""
    assert tail(accounts) == pytest.approx(share, abs=1e-5)


def test__interval__of_the_mean_of_twelve_accounts__holds_the_truth_as_often_as_it_says():
    """Brier score of a constant over 12 rare outcomes in 24: 300 companies, covered in 95 % give or take 2.5 points."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(300):
        labels = (rng.random(24) < 0.5).astype(float)
        spread = rng.choice([0.1, 0.9], 24, p=[0.3, 0.7])
        said = np.where(labels == 1.0, spread, 1 - spread)
        found = judge({"m": said}, labels, np.arange(24), baseline="m", replicates=200).metrics["m"]["brier"]
        held += found.low <= 0.3 * 0.81 + 0.7 * 0.01 <= found.high
    assert held / 300 >= 0.925
