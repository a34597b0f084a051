"""Metrics: known answers by hand, scikit-learn as an oracle, and what may not change them."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from training.evaluation.comparison import judge
from training.metrics.probabilities import (
    METRICS,
    Ranking,
    bootstrap_weights,
    calibration_bins,
    mean_difference_interval,
    measure,
    rate_interval,
)


@st.composite
def scored_rows(draw):
    """Probabilities with many ties, labels of both kinds, small whole weights."""
    n = draw(st.integers(2, 40))
    p = np.array(draw(st.lists(st.integers(0, 20), min_size=n, max_size=n))) / 20
    y = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=float)
    y[:2] = [0.0, 1.0]
    weights = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)), dtype=float)
    weights[:2] += 1
    return p, y, weights


@given(scored_rows())
def test__weighted_metrics__ties_and_weights__as_scikit_learn(rows):
    """One weighted computation serves value and bootstrap, so it must be right for any weights."""
    p, y, weights = rows
    ours = {name: float(value[0]) for name, value in measure(p, y, weights[None, :]).items()}
    assert ours["auroc"] == pytest.approx(roc_auc_score(y, p, sample_weight=weights))
    assert ours["average_precision"] == pytest.approx(average_precision_score(y, p, sample_weight=weights))
    assert ours["brier"] == pytest.approx(brier_score_loss(y, p, sample_weight=weights))
    safe = np.clip(p, 1e-12, 1 - 1e-12)
    assert ours["log_loss"] == pytest.approx(log_loss(y, np.column_stack([1 - safe, safe]), sample_weight=weights))


@given(scored_rows())
def test__weights__whole_numbers__count_rows(rows):
    """A row of weight 3 is three rows; for all metrics but ECE, whose bins are cut on the rows as given."""
    p, y, weights = rows
    times = weights.astype(int)
    weighted, repeated = measure(p, y, weights[None, :]), measure(np.repeat(p, times), np.repeat(y, times))
    for name in {metric.name for metric in METRICS} - {"ece"}:
        assert weighted[name][0] == pytest.approx(repeated[name][0]), name


@given(scored_rows(), st.randoms(use_true_random=False))
def test__metrics__rows_in_another_order__same(rows, random):
    """Row order says nothing, and must not break ties."""
    p, y, _ = rows
    order = list(range(len(p)))
    random.shuffle(order)
    shuffled = measure(p[order], y[order])
    for name, value in measure(p, y).items():
        assert shuffled[name][0] == pytest.approx(value[0]), name


@given(scored_rows())
def test__ranking_metrics__probabilities_squared__same(rows):
    """AUROC, average precision and lift look at order alone."""
    p, y, _ = rows
    for name in ("auroc", "average_precision", "lift_top_decile"):
        assert measure(p**2, y)[name][0] == pytest.approx(measure(p, y)[name][0]), name


def test__lift__tie_across_the_cut__counts_in_part():
    """10 accounts, 4 churned. The top tenth is one account out of two equals, one of which churned: rate 0.5 over 0.4."""
    p = np.array([0.9, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    y = np.array([1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert measure(p, y)["lift_top_decile"][0] == pytest.approx(0.5 / 0.4)


def test__lift__perfect_ranking__as_high_as_can_be():
    """20 accounts, 4 churned, the top two found both: rate 1 over 0.2."""
    y = np.r_[np.ones(4), np.zeros(16)]
    assert measure(np.linspace(0.9, 0.1, 20), y)["lift_top_decile"][0] == pytest.approx(5.0)


def test__ece__two_levels__mean_distance_by_hand():
    """Half of the accounts are told 0.8 and 6 of 10 churn, half 0.2 and 1 of 10 do: (0.2 + 0.1) / 2."""
    p = np.r_[np.full(10, 0.8), np.full(10, 0.2)]
    y = np.r_[np.ones(6), np.zeros(4), np.ones(1), np.zeros(9)]
    assert measure(p, y)["ece"][0] == pytest.approx(0.15)


def test__ece__ten_bins_of_equal_mass__worst_bin_weighs_a_tenth():
    """100 honest accounts (each certain and right) but for the ten riskiest, who are told 0.9 and never churn."""
    p, y = np.r_[np.full(10, 0.9), np.zeros(90)], np.zeros(100)
    assert measure(p, y)["ece"][0] == pytest.approx(0.09)


def test__calibration_bins__a_run_of_equals__stays_in_the_bin_of_its_middle():
    """20 rows, of which the 18 in the middle are equal: ranks 1 to 18, middle 9.5, so the fifth of ten bins."""
    p = np.r_[0.9, np.full(18, 0.5), 0.1]
    assert calibration_bins(Ranking.of(p, np.zeros(20))).tolist() == [0, *[4] * 18, 9]


def test__metrics__one_label_only__nan_where_undefined():
    """Without a churner there is nothing to rank; log loss and Brier are still defined."""
    values = measure(np.array([0.2, 0.4]), np.zeros(2))
    assert [name for name, value in values.items() if np.isnan(value[0])] == [
        "auroc",
        "average_precision",
        "lift_top_decile",
    ]
    assert values["brier"][0] == pytest.approx((0.04 + 0.16) / 2)


@pytest.mark.parametrize(
    ("p", "y", "said"),
    [
        ([0.1], [0.5], "labels must be 0"),
        ([1.1], [1.0], "probabilities must lie in"),
        ([np.nan], [1.0], "probabilities must lie in"),
        ([], [], "not empty"),
        ([0.1, 0.2], [1.0], "of one length"),
    ],
)
def test__measure__what_is_no_probability_or_label__refused(p, y, said):
    """A NaN that went through would come out as a metric."""
    with pytest.raises(ValueError, match=said):
        measure(p, y)


def test__bootstrap__accounts_repeated__drawn_whole():
    """Rows of one account always carry the same weight, and a replicate draws as many accounts as there are."""
    accounts = np.repeat(np.arange(30), 3)
    for weights in bootstrap_weights(accounts, replicates=20, seed=1):
        assert (weights.reshape(len(weights), 30, 3).std(axis=2) == 0).all()
        assert (weights.sum(axis=1) == 90).all()


def test__bootstrap__rows_copied_tenfold__interval_no_narrower():
    """Ten copies of every account are no new evidence; by rows the interval would shrink by √10."""
    rng = np.random.default_rng(3)
    difference = rng.normal(0.1, 1.0, 400)
    once = mean_difference_interval(difference, np.arange(400))
    copied = mean_difference_interval(np.repeat(difference, 10), np.repeat(np.arange(400), 10))
    assert copied[1] - copied[0] == pytest.approx(once[1] - once[0], rel=0.15)


def test__mean_difference_interval__many_samples__covers_the_truth():
    """A 95 % interval holds the true mean about 95 times in 100."""
    rng = np.random.default_rng(5)
    draws = [mean_difference_interval(rng.normal(0.3, 1.0, 80), np.arange(80), seed=i) for i in range(200)]
    covered = np.mean([low <= 0.3 <= high for low, high in draws])
    assert 0.88 <= covered <= 0.99


@settings(max_examples=20)
@given(scored_rows())
def test__judge__a_model_against_itself__differs_by_nothing(rows):
    """Pairs share their replicates: two equal models differ by exactly 0 in each of them."""
    p, y, _ = rows
    evaluation = judge({"rule": p, "same": p.copy()}, y, np.arange(len(p)), baseline="rule", replicates=20)
    assert all((each.low, each.value, each.high) == (0, 0, 0) for each in evaluation.differences["same"].values())
    assert not any(evaluation.beats_baseline("same", metric.name) for metric in METRICS)


def test__judge__clearly_better_model__beats_baseline_on_every_metric():
    """Better means up for AUROC and down for log loss; a sign error would show here."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1, 3000)
    y = (rng.random(3000) < truth).astype(float)
    noisy = np.clip(0.5 + 0.3 * (truth - 0.5) + rng.normal(0, 0.2, 3000), 0.01, 0.99)
    evaluation = judge({"rule": noisy, "model": truth}, y, np.arange(3000), baseline="rule")
    assert all(evaluation.beats_baseline("model", metric.name) for metric in METRICS)
    backwards = judge({"rule": truth, "model": noisy}, y, np.arange(3000), baseline="rule")
    assert not any(backwards.beats_baseline("model", metric.name) for metric in METRICS)
    for metric in METRICS:
        each = evaluation.metrics["model"][metric.name]
        assert each.low <= each.value <= each.high or metric.name == "ece"


def test__judge__five_thousand_accounts__takes_no_longer_than_people_wait():
    """500 replicates of two models are a matter of a second or so, not of minutes."""
    rng = np.random.default_rng(0)
    p, y = rng.random(5000), (rng.random(5000) < 0.3).astype(float)
    started = time.process_time()
    judge({"rule": np.round(p, 1), "model": p}, y, np.arange(5000), baseline="rule")
    assert time.process_time() - started < 10


def test__judge__unknown_baseline__says_which_models_there_are():
    """A misspelt baseline must not silently compare with something else."""
    with pytest.raises(ValueError, match="'recencey' is not among the judged models: recency"):
        judge({"recency": np.array([0.5])}, [1.0], [1], baseline="recencey")


def test__rate_interval__wilson__textbook_numbers():
    """10 of 20: 0.299 to 0.701; none of 10: 0 to 0.278, where the naive interval would have no width."""
    assert rate_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    assert rate_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)


def test__ece__exact_probabilities__interval_lies_above_the_value():
    """Ten groups of 100 in which 5, 15 … 95 churned, as foreseen: the value is 0, but every replicate's noise counts as error."""
    share = np.arange(0.05, 1.0, 0.1)
    labels = np.concatenate([np.arange(100) < round(100 * each) for each in share]).astype(float)
    model = judge({"model": np.repeat(share, 100)}, labels, np.arange(1000), baseline="model").metrics["model"]
    assert model["ece"].value == pytest.approx(0.0)
    assert model["ece"].low > 0.01
