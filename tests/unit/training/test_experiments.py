"""What a lot tells: known answers, and error rates over many experiments."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from training.experiments import Arms, Outcomes, difference, measured
from training.experiments.cuped import adjusted
from training.experiments.learning import held_up
from training.experiments.power import accounts_needed
from training.experiments.sequences import TIGHTEST_AT, always_valid, widening
from training.uplift.average import Estimate, detectable


def arms_of(rng, n, control=0.2):
    return Arms(rng.random(n) >= control, np.full(n, control))


def outcomes(rng, n, *, effect=0.0, control=0.2, revenue=0.0):
    """Accounts that are lost with a chance of their own, less `effect` of it in treatment; value and revenue log-normal."""
    arms = arms_of(rng, n, control)
    chance, unit = rng.beta(2, 4, n), np.exp(rng.normal(8, 1, n))
    missed = (rng.random(n) < chance * (1 - effect * arms.treated)).astype(float)
    ordered = unit * np.exp(rng.normal(0, 0.3, n)) + revenue * arms.treated
    known = np.column_stack([chance, chance * unit, unit])
    return Outcomes(arms, missed, ordered, chance, chance * unit, unit, known, np.full(n, None, dtype=object))


def test__detectable_difference__of_a_textbook():
    """Two arms of 400 and a rate of one in five: (1.96 + 0.84) · √(0.16 · 2/400) is 7.9 points."""
    assert detectable(math.sqrt(0.2 * 0.8 * 2 / 400)) == pytest.approx(0.0792, abs=1e-4)


def test__detectable_difference__is_found_in_four_experiments_of_five():
    rng = np.random.default_rng(0)
    size = detectable(math.sqrt(1 / 200 + 1 / 50))
    differences = rng.normal(size, math.sqrt(1 / 200 + 1 / 50), 20_000)
    assert (np.abs(differences) > norm.ppf(0.975) * math.sqrt(1 / 200 + 1 / 50)).mean() == pytest.approx(0.8, abs=0.01)


def test__accounts_needed__for_half_the_effect_are_four_times_as_many():
    assert accounts_needed(0.02, 0.01, 1_000) == pytest.approx(4 * accounts_needed(0.04, 0.01, 1_000))
    assert accounts_needed(0.0, 0.01, 1_000) == math.inf


@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.9])
def test__cuped__removes_the_square_of_the_correlation(correlation):
    """Deng et al. 2013, eq. 5: what is left of the variance is 1 − r²."""
    rng = np.random.default_rng(1)
    arms, before = arms_of(rng, 40_000), rng.normal(size=40_000)
    outcome = correlation * before + math.sqrt(1 - correlation**2) * rng.normal(size=40_000) + 0.1 * arms.treated
    found = difference(outcome, arms, before[:, None])
    assert found.removed == pytest.approx(correlation**2, abs=0.01)
    assert found.once.low < 0.1 < found.once.high


def test__cuped__by_a_regression__is_the_same():
    """With equal weights θ is that of a regression of the outcome on the arm and the covariates."""
    rng = np.random.default_rng(2)
    arms, known = arms_of(rng, 300, 0.5), rng.normal(size=(300, 2))
    outcome = known @ [2.0, -1.0] + rng.normal(size=300) + arms.treated
    design = np.column_stack([np.ones(300), arms.treated, known])
    theta = np.linalg.lstsq(design, outcome, rcond=None)[0]
    assert difference(outcome, arms, known).value == pytest.approx(theta[1])


def test__cuped__covariates_that_say_nothing__change_nothing():
    """Constant, or absent everywhere; and where one is absent it counts as the mean."""
    rng = np.random.default_rng(3)
    arms, outcome = arms_of(rng, 200), rng.normal(size=200)
    nothing = np.column_stack([np.full(200, 7.0), np.full(200, np.nan)])
    with pytest.warns(RuntimeWarning, match="Mean of empty slice"):
        assert np.array_equal(adjusted(outcome, nothing, arms).outcome, outcome)
    gaps = np.where(np.arange(200) < 100, np.nan, outcome)[:, None]
    assert np.isfinite(adjusted(outcome, gaps, arms).outcome).all()


def test__difference__control_share_changed_on_the_way__does_not_pass_for_an_effect():
    """Bad months with many in control, good ones with few: the plain difference lies, the weighted one does not."""
    rng = np.random.default_rng(4)
    share = np.repeat([0.5, 0.1], 10_000)
    arms = Arms(rng.random(20_000) >= share, share)
    outcome = np.repeat([0.0, 1.0], 10_000) + rng.normal(size=20_000)
    assert outcome[arms.treated].mean() - outcome[~arms.treated].mean() > 0.3
    assert difference(outcome, arms).once.low < 0 < difference(outcome, arms).once.high


def test__widening__by_the_formula():
    """Where it is tightest it is 1.55 times as wide as for one look, and never less."""
    assert widening(TIGHTEST_AT) / norm.ppf(0.975) == pytest.approx(1.55, abs=0.01)
    assert min(widening(n) for n in range(50, 100_000, 50)) > 1.5 * norm.ppf(0.975)


@given(st.integers(2, 10**7), st.integers(1, 10**5))
def test__always_valid__holds_the_interval_for_one_look(accounts, tightest_at):
    found = Estimate(0.3, 0.3 - 1.96, 0.3 + 1.96, 1.0)
    wide = always_valid(found, accounts, tightest_at)
    assert wide.low < found.low < found.high < wide.high


def test__always_valid__nothing_is_there__a_look_after_every_50_accounts_errs_in_less_than_one_of_20():
    """400 experiments without any effect, a rate of 0.2, one in five in control, looked at up to 100 times."""
    rng, looks = np.random.default_rng(5), np.arange(200, 5_001, 50)
    missed = rng.random((400, 5_000)) < 0.2
    treated = rng.random((400, 5_000)) >= 0.2
    z = np.abs(_z_at(missed, treated, looks))
    bounds = np.array([widening(int(n)) for n in looks])
    assert (z > 1.96).any(axis=1).mean() > 0.25
    assert (z > bounds).any(axis=1).mean() <= 0.05


def _z_at(missed, treated, looks):
    """The difference of rates in standard errors, (experiments, looks)."""
    counts = [np.cumsum(arm, axis=1)[:, looks - 1] for arm in (treated, ~treated)]
    rates = [
        np.cumsum(missed & arm, axis=1)[:, looks - 1] / count
        for arm, count in zip((treated, ~treated), counts, strict=True)
    ]
    error = np.sqrt(sum(rate * (1 - rate) / (count - 1) for rate, count in zip(rates, counts, strict=True)))
    return (rates[0] - rates[1]) / error


def test__measured__intervals_hold_the_truth_in_19_of_20_experiments():
    """200 experiments with an effect of 0.2 of what is at stake: accounts, money and revenue."""
    rng, held = np.random.default_rng(6), []
    for _ in range(200):
        own = outcomes(rng, 1_200, effect=0.2, revenue=100.0)
        found = measured(own, cost=0.0)
        truth = 0.2 * own.covariates[:, 0].mean() * found.treatment, 0.2, 100.0 * found.treatment
        intervals = found.avoided.once, found.share.once, found.revenue.once
        held.append([one.low < true < one.high for one, true in zip(intervals, truth, strict=True)])
    assert all(0.91 <= share <= 0.985 for share in np.mean(held, axis=0))


def test__measured__nothing_is_there__one_look_finds_something_in_one_of_20():
    """A/A: both arms get nothing. Verdicts, by the interval that is always valid, err far less at one look."""
    rng, once, said = np.random.default_rng(7), 0, 0
    for _ in range(200):
        found = measured(outcomes(rng, 800), cost=0.0)
        once += not found.avoided.once.low < 0 < found.avoided.once.high
        said += found.verdict != "not yet known"
    assert 0.01 <= once / 200 <= 0.10
    assert said / 200 <= 0.01


def test__measured__by_hand():
    """30 and 30 accounts worth 100 each: 3 lost in treatment, 9 in control, so 6 of them were kept."""
    arms = Arms(np.repeat([True, False], 30), np.full(60, 0.5))
    missed = np.r_[np.repeat([1.0, 0.0], [3, 27]), np.repeat([1.0, 0.0], [9, 21])]
    own = Outcomes(
        arms, missed, np.full(60, 10.0), np.full(60, 0.3), np.full(60, 30.0), np.full(60, 100.0), np.full((60, 1), 0.3),
        np.full(60, "routine", dtype=object),
    )  # fmt: skip
    found = measured(own, cost=150.0)
    assert found.avoided.value == pytest.approx(6.0)
    assert found.kept.value == pytest.approx(600.0)
    assert found.kept_net.value == pytest.approx(450.0)
    assert found.share.value == pytest.approx(20 / 30)
    assert found.revenue.value == 0
    assert found.net.value == -150.0
    assert found.as_even_split == 60
    assert found.verdict == "not yet known"
    assert [(one.quadrant, one.treatment, one.control) for one in found.quadrants] == [("routine", 30, 30)]


def test__measured__verdict__works_harms_or_costs_more_than_it_keeps():
    rng = np.random.default_rng(8)
    good, bad = outcomes(rng, 8_000, effect=0.4), outcomes(rng, 8_000, effect=-0.4)
    assert measured(good, cost=0.0).verdict == "works"
    assert measured(bad, cost=0.0).verdict == "harms"
    dear = measured(good, cost=1e9)
    assert dear.avoided.always.low > 0
    assert dear.is_harmful


def test__measured__too_few_in_an_arm__says_nothing_rather_than_much():
    """And of nobody at all."""
    few = outcomes(np.random.default_rng(9), 100, effect=0.9, control=0.05)
    for own in (few, few.only(np.zeros(100, bool))):
        found = measured(own, cost=5.0)
        assert (found.avoided, found.share, found.kept, found.revenue, found.net) == (None,) * 5
        assert found.verdict == "not yet known"
        assert not found.is_harmful
        assert found.needed(0.1) is None


def test__measured__same_for_all_of_an_arm__says_nothing__as_if_there_were_no_error():
    """All of 1,000 are lost: a cost that is certain, and an effect that is not."""
    all_lost = replace(outcomes(np.random.default_rng(9), 1_000), missed=np.ones(1_000))
    found = measured(all_lost, cost=500.0)
    assert (found.avoided, found.kept_net) == (None, None)
    assert found.verdict == "not yet known"
    own = outcomes(np.random.default_rng(9), 1_000)
    assert measured(replace(own, missed=np.where(own.arms.treated, own.missed, 0.0)), cost=0.0).avoided is None
    assert measured(own, cost=0.0).avoided is not None


def test__measured__quadrants__are_every_account_once():
    rng = np.random.default_rng(10)
    quadrant = rng.choice(np.array(["routine", "strategic_core", None], dtype=object), 900)
    own = replace(outcomes(rng, 900), quadrant=quadrant)
    found = measured(own, cost=0.0)
    assert [one.quadrant for one in found.quadrants] == ["routine", "strategic_core", None]
    assert sum(one.treatment for one in found.quadrants) == found.treatment
    assert sum(one.control for one in found.quadrants) == found.control


def _told_apart(n, trust, seed=0, share=0.3):
    """A lot of accounts that keep more or less than the average share of what is at stake, and changes that exaggerate by 1/trust."""
    rng = np.random.default_rng(seed)
    chance, treated = rng.uniform(0.2, 0.8, n), rng.random(n) < 0.8
    own = rng.choice([-0.5, 0.5], n)
    missed = (rng.random(n) < chance * (1 - treated * (share + own))).astype(float)
    outcomes = Outcomes(
        Arms(treated, np.full(n, 0.2)), missed, 1 - missed, chance, chance, np.ones(n), chance[:, None],
        np.full(n, None, dtype=object),
    )  # fmt: skip
    return outcomes, -chance * (share + own / trust)


@pytest.mark.parametrize("trust", [1.0, 0.5, 0.25])
def test__held_up__forecasts_that_exaggerate__are_trusted_as_far_as_they_are_true(trust):
    outcomes, changes = _told_apart(60_000, trust)
    held = held_up(outcomes, 0.3, changes)
    assert trust * 0.85 < held < trust * 1.02


def test__held_up__forecasts_of_nothing__are_not_trusted():
    """What they say of an account has nothing to do with it; in one of forty lots they may seem to know a little."""
    outcomes, changes = _told_apart(4_000, 1.0)
    guesses = [
        np.random.default_rng(seed).permutation(changes / outcomes.chance) * outcomes.chance for seed in range(40)
    ]
    held = np.array([held_up(outcomes, 0.3, one) for one in guesses])
    assert (held == 0).mean() > 0.9
    assert held.max() < 0.15


def test__held_up__same_share_for_all__is_nothing_to_trust():
    """A learner that has found that large chances change more has found the average effect."""
    outcomes, _ = _told_apart(4_000, 1.0)
    assert held_up(outcomes, 0.3, -0.3 * outcomes.chance) == 0
