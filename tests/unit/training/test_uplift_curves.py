"""Qini, AUUC, policies and intervals against slow, obvious computations."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training.uplift.average import detectable, difference_in_means, mean_of
from training.uplift.checks import _imbalances, weighted_auroc
from training.uplift.coding import Coding
from training.uplift.curves import Ranked, RankPosition, rank_quality, targeting
from training.uplift.trial import Trial, folds_of


def trial(treated, outcome, chance=0.5, account=None, matrix=None):
    """A trial of plain columns."""
    n = len(outcome)
    matrix = np.zeros((n, 1)) if matrix is None else matrix
    coding = Coding(tuple(f"f{at}" for at in range(matrix.shape[1])), {})
    account = np.arange(n) if account is None else account
    return Trial(
        coding, matrix, np.asarray(treated, bool), np.asarray(outcome, float), 1.0, np.ones(n), 0.0, account,
        np.full(n, chance), False,
    )  # fmt: skip


HAND = trial([1, 0, 1, 0, 1, 0, 1, 0], [1, 0, 1, 0, 0, 0, 0, 1])
GAIN = np.array([8, 7, 6, 5, 4, 3, 2, 1.0])
"""The best four: both treated stay, no control does. The others: no treated, one control."""
ONE_FOLD = np.zeros(8, dtype=np.intp)


def test__qini__by_hand():
    """The curve at eighths is 0, 1/4, 1/4, 1/2, 1/2, 1/2, 1/2, 1/2, 1/4: its area less that of the line to 1/4."""
    ranked = Ranked.of(HAND, RankPosition.of(GAIN, ONE_FOLD).middle)
    share, q = ranked.qini_curve(np.ones((1, 8)))
    assert share[0] == pytest.approx(np.arange(9) / 8)
    assert q[0] == pytest.approx([0, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.5, 0.25])
    assert ranked.qini(np.ones((1, 8)))[0] == pytest.approx((3.25 - 0.125) / 8 - 0.125)


def test__auuc__by_hand():
    """Lift of the treated: 1/4, 1/2, 1/2, 1/2, of control: 0, 0, 0, 1/4; the areas differ by 11/32 − ... each by trapezes."""
    ranked = Ranked.of(HAND, RankPosition.of(GAIN, ONE_FOLD).middle)
    treated = (0.125 + 0.375 + 0.5 + 0.5) / 4
    control = 0.125 / 4
    assert ranked.auuc(np.ones((1, 8)))[0] == pytest.approx(treated - control)


def slow_qini(one, gain):
    """Account by account, best first, no ties."""
    order = sorted(range(len(gain)), key=lambda at: -gain[at])
    n_treated, curve = one.treated.sum(), [0.0]
    for upto in range(1, len(order) + 1):
        best = order[:upto]
        t, c = [at for at in best if one.treated[at]], [at for at in best if not one.treated[at]]
        matched = sum(one.outcome[c]) * len(t) / len(c) if c else 0.0
        curve.append((sum(one.outcome[t]) - matched) / n_treated)
    area = sum((left + right) / 2 for left, right in pairwise(curve)) / len(order)
    return area - curve[-1] / 2


drawn = st.integers(0, 10_000).map(np.random.default_rng)


def random_trial(rng, n=60):
    treated = rng.random(n) < 0.5
    treated[:2] = [True, False]
    return trial(treated, rng.integers(0, 4, n)), rng.permutation(n).astype(float)


@given(rng=drawn)
def test__qini__equals_the_slow_one(rng):
    """For any trial and ranking without equals."""
    one, gain = random_trial(rng)
    ranked = Ranked.of(one, RankPosition.of(gain, np.zeros(len(gain), int)).middle)
    assert ranked.qini(np.ones((1, len(gain))))[0] == pytest.approx(slow_qini(one, gain))


@given(rng=drawn)
def test__auuc__of_a_ranking_and_its_reverse__add_up_to_the_average_effect(rng):
    """So that treating at random, which is its own reverse, has half of it."""
    one, gain = random_trial(rng)
    both = [Ranked.of(one, RankPosition.of(sign * gain, np.zeros(len(gain), int)).middle) for sign in (1, -1)]
    ones = np.ones((1, len(gain)))
    assert sum(each.auuc(ones)[0] for each in both) == pytest.approx(difference_in_means(one).value)


@given(rng=drawn)
def test__everybody_equal__is_treating_at_random(rng):
    """Qini 0, AUUC half of the average effect, in whatever folds."""
    one, gain = random_trial(rng)
    ranked = Ranked.of(one, RankPosition.of(np.ones(len(gain)), folds_of(one, 3, 0)).middle)
    ones = np.ones((1, len(gain)))
    assert ranked.qini(ones)[0] == pytest.approx(0.0, abs=1e-12)
    assert ranked.auuc(ones)[0] == pytest.approx(difference_in_means(one).value / 2)


@given(rng=drawn)
def test__weights__are_rows_drawn_so_often(rng):
    """A bootstrap replicate is the table with rows repeated."""
    one, gain = random_trial(rng)
    often = rng.integers(1, 4, len(gain))
    middle = RankPosition.of(gain, np.zeros(len(gain), int)).middle
    repeated = np.repeat(np.arange(len(gain)), often)
    weighted, plain = Ranked.of(one, middle), Ranked.of(one.only(repeated), middle[repeated])
    ones = np.ones((1, len(repeated)))
    assert weighted.qini(often[None, :].astype(float))[0] == pytest.approx(plain.qini(ones)[0])
    assert weighted.auuc(often[None, :].astype(float))[0] == pytest.approx(plain.auuc(ones)[0])


def test__standing__budget_that_cuts_through_equals__treats_them_in_part():
    """Of four with two equals in the middle, half of the accounts are the best and one of the two."""
    position = RankPosition.of(np.array([3.0, 2.0, 2.0, 1.0]), np.zeros(4, int))
    assert position.treated(0.5).tolist() == [1.0, 0.5, 0.5, 0.0]
    assert position.treated(None).tolist() == [0.875, 0.5, 0.5, 0.125]
    average = np.mean([position.treated(share) for share in (np.arange(2000) + 0.5) / 2000], axis=0)
    assert position.treated(None) == pytest.approx(average, abs=1e-3)


def test__standing__scales_of_folds__do_not_mix():
    """A fold whose model hopes for more has no more of its accounts treated."""
    gain, fold = np.array([101.0, 102.0, 1.0, 2.0]), np.array([0, 0, 1, 1])
    assert RankPosition.of(gain, fold).treated(0.5).tolist() == [0.0, 1.0, 0.0, 1.0]


def test__targeting__everybody_treated__is_the_average_net():
    """And nobody treated is 0; known scores of whom to treat first give the sum of the best."""
    one = replace(HAND, cost=0.25)
    scores = np.array([4, 3, 2, 1, 0, 0, 0, -2.0])
    curve = targeting(one, scores, GAIN, ONE_FOLD)
    assert curve.at(0.0) == 0
    assert curve.at(0.5) == pytest.approx((10 - 4 * 0.25) / 8)
    assert curve.at(1.0) == pytest.approx((8 - 8 * 0.25) / 8)
    assert (curve.low <= curve.value).all()
    assert (curve.value <= curve.high).all()


def test__rank_quality__good_ranking__is_above_chance_and_its_interval_holds_it():
    """Half of the accounts gain, and the ranking knows which."""
    rng = np.random.default_rng(0)
    gains, treated = rng.random(2000) < 0.5, rng.random(2000) < 0.5
    one = trial(treated, (rng.random(2000) < 0.3 + 0.3 * gains * treated).astype(float))
    found = rank_quality(one, gains.astype(float), folds_of(one, 5, 0), seed=0)
    assert found.qini.low > 0.01
    assert found.qini.low < found.qini.value < found.qini.high
    assert found.qini.value == pytest.approx(0.3 / 8, abs=0.012)


def test__difference__standard_error__is_neymans():
    """√(s₁²/n₁ + s₀²/n₀), but for n/(n − 1)."""
    rng = np.random.default_rng(1)
    one = trial(np.arange(400) < 150, rng.normal(size=400), chance=150 / 400)
    arms = one.outcome[:150], one.outcome[150:]
    found = difference_in_means(one)
    assert found.value == pytest.approx(arms[0].mean() - arms[1].mean())
    assert found.standard_error == pytest.approx(np.sqrt(sum(arm.var() / len(arm) for arm in arms)), rel=0.002)


def test__interval__of_accounts_that_occur_often__holds_the_truth_95_times_of_100():
    """Rows of an account agree; counted as if they did not, the interval would hold it half as often."""
    rng, held, naive = np.random.default_rng(2), 0, 0
    for _ in range(400):
        account = np.repeat(np.arange(60), 5)
        treated = np.repeat(rng.random(60) < 0.5, 5)
        outcome = 0.3 * treated + np.repeat(rng.normal(size=60), 5) + 0.3 * rng.normal(size=300)
        one = trial(treated, outcome, treated.mean(), account)
        clustered, plain = difference_in_means(one), difference_in_means(replace(one, account=np.arange(300)))
        held += clustered.low <= 0.3 <= clustered.high
        naive += plain.low <= 0.3 <= plain.high
    assert 0.92 <= held / 400 <= 0.98
    assert naive / 400 < 0.75


def test__detectable__is_found_four_times_of_five():
    """An effect of that size is told from 0 in 80 % of experiments."""
    rng, found = np.random.default_rng(3), 0
    for _ in range(1000):
        estimate = mean_of(rng.normal(detectable(0.1), 1.0, 100), np.arange(100))
        found += estimate.low > 0
    assert found / 1000 == pytest.approx(0.80, abs=0.04)


def test__auroc__weighted__is_scikit_learns_and_its_error_that_of_draws():
    """The same number, ties and weights included; the error of many samples."""
    rng, seen = np.random.default_rng(4), []
    for at in range(300):
        treated = (rng.random(120) < 0.4).astype(float)
        score, weights = np.round(rng.normal(size=120) + 0.5 * treated, 1), rng.uniform(0.5, 2, 120)
        value, influence = weighted_auroc(score, treated, weights)
        seen.append((value, np.sqrt((influence**2).sum())))
        if at == 0:
            assert value == pytest.approx(roc_auc_score(treated, score, sample_weight=weights))
    values, errors = np.array(seen).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.12)


def test__balance__of_a_lot__cries_wolf_as_often_as_it_says():
    """Of features without any meaning one in twenty lies below 5 %, in accounts that occur twice as in others."""
    rng, p_values = np.random.default_rng(5), []
    for _ in range(60):
        account = np.repeat(np.arange(100), 2)
        matrix = np.repeat(rng.exponential(size=(100, 5)), 2, axis=0)
        one = trial(np.repeat(rng.random(100) < 0.5, 2), np.zeros(200), 0.5, account, matrix)
        p_values += [found.p_value for found in _imbalances(one)]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.03)


def test__folds__keep_accounts_whole_and_arms_even():
    """Every fold has its share of the treated, to one account."""
    account = np.repeat(np.arange(100), 3)
    one = trial(np.repeat(np.arange(100) < 33, 3), np.zeros(300), 0.33, account)
    fold = folds_of(one, 5, 0)
    assert all(len(np.unique(fold[account == number])) == 1 for number in range(100))
    treated = [one.accounts_in(one.treated & (fold == number)) for number in range(5)]
    assert max(treated) - min(treated) <= 1
