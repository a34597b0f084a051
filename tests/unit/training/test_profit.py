"""Profit is the paper's: compared with a slow integration over the accept rate, and with sums one can do by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from training.evaluation.profit import NOTHING_GIVEN, Campaign, Terms, best_share, earn, empc, profit_curve

PAPER = Terms(value=200.0, contact_cost=1.0, incentive_cost=10.0)
"""Verbraken, Verbeke & Baesens 2013: CLV 200, d 10, f 1, γ ~ Beta(6, 14)."""


def drawn(accounts, seed=0):
    rng = np.random.default_rng(seed)
    probability = rng.beta(1, 4, accounts)
    return probability, (rng.random(accounts) < probability).astype(np.float64)


def slow_empc(probability, labels, terms, steps=20_000):
    """The integral as it is defined: at each accept rate the best cut of the ranking, found by trying all of them."""
    order = np.argsort(-probability, kind="stable")
    last_of_equals = np.r_[probability[order][1:] != probability[order][:-1], True]
    left = np.r_[0.0, np.cumsum(labels[order])[last_of_equals]] / len(labels)
    stayed = np.r_[0.0, np.cumsum(1 - labels[order])[last_of_equals]] / len(labels)
    rates = (np.arange(steps) + 0.5) / steps
    earned = [
        ((rate * (terms.value - terms.incentive_cost) - terms.contact_cost) * left - terms.loss * stayed).max()
        for rate in rates
    ]
    return float(np.mean(np.array(earned) * beta(*terms.beta).pdf(rates)))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("digits", [1, 6])
def test__empc__a_slow_integration__gives_the_same(seed, digits):
    """With ties (one digit) and without, empulse and the definition agree to four digits."""
    probability, labels = drawn(300, seed)
    probability = probability.round(digits)
    assert empc(probability, labels, PAPER) == pytest.approx(slow_empc(probability, labels, PAPER), rel=1e-4)


def test__terms__the_paper_s_campaign__by_hand():
    """γ is 0.3 on average: a leaver brings 0.3·(200 − 10) − 1 = 56, a stayer costs 11; it pays from 11/67 on."""
    assert PAPER.beta == (6.0, 14.0)
    assert (PAPER.gain, PAPER.loss) == (56.0, 11.0)
    assert PAPER.worthwhile_from == pytest.approx(11 / 67)


def test__profit_curve__four_accounts__by_hand():
    """Leaver, stayer, leaver, stayer: 56, 45, 101, 90 in all, a quarter of that an account; halfway is straight."""
    curve = profit_curve(np.array([0.9, 0.7, 0.5, 0.1]), np.array([1.0, 0.0, 1.0, 0.0]), PAPER, np.arange(9) / 8)
    assert (4 * curve).tolist() == pytest.approx([0, 28, 56, 50.5, 45, 73, 101, 95.5, 90])


def test__profit_curve__all_alike__is_a_draw_at_random():
    """Where nothing tells accounts apart, the order of the rows earns nothing: one straight line."""
    curve = profit_curve(np.full(4, 0.5), np.array([1.0, 1.0, 0.0, 0.0]), PAPER, np.array([0.0, 0.25, 0.5, 1.0]))
    assert curve.tolist() == pytest.approx([0, 22.5 / 4, 22.5 / 2, 22.5])


@given(st.integers(0, 10_000))
def test__empc__beside_the_curve__is_at_least_its_best(seed):
    """Who knows the accept rate before the cut earns at least what the best fixed cut earns (Jensen)."""
    probability, labels = drawn(60, seed)
    assert empc(probability, labels, PAPER) >= profit_curve(probability, labels, PAPER).max() - 1e-9


def test__empc__nothing_to_gain__is_zero():
    """An incentive as dear as the account, or nobody who leaves: nobody is contacted, nothing is lost."""
    probability, labels = drawn(100)
    dear = Terms(value=10.0, contact_cost=1.0, incentive_cost=10.0)
    assert empc(probability, labels, dear) == best_share(probability, labels, dear) == 0.0
    assert empc(probability, np.zeros(100), PAPER) == 0.0
    assert math.isinf(dear.worthwhile_from)


def test__campaign__nothing_given__is_the_paper_s_at_the_accounts_value():
    """Value: the mean of 3,000 and 1,000; incentive 5 % and contact 0.5 % of it. What was assumed is told."""
    terms = NOTHING_GIVEN.terms(np.array([3000.0, 1000.0]))
    assert (terms.value, terms.incentive_cost, terms.contact_cost, terms.capacity) == (2000.0, 100.0, 10.0, 0.10)
    assert terms.measured == ("account_value",)
    assert terms.assumed == ("contact_cost", "incentive_cost", "accept_rate", "capacity")


def test__campaign__purchases_without_value__falls_back_on_the_paper_s_200():
    """Returns as large as the orders say nothing of a value: then that too is assumed, and told."""
    terms = NOTHING_GIVEN.terms(np.array([0.0, -5.0, math.nan]))
    assert (terms.value, terms.incentive_cost, terms.contact_cost) == (200.0, 10.0, 1.0)
    assert "account_value" in terms.assumed
    assert terms.measured == ()


def test__campaign__all_given__is_used_as_it_is():
    """Nothing is assumed then; 200 calls among 1,000 accounts are a fifth, among 100 all of them."""
    campaign = Campaign(500.0, 2.0, 0.0, 0.5, 40.0, 200.0, "EUR")
    terms = campaign.terms(np.ones(1000))
    assert terms == Terms(500.0, 2.0, 0.0, 0.5, 40.0, 0.2, "EUR")
    assert campaign.terms(np.ones(100)).capacity == 1.0


def test__earn__a_ranking_beside_guessing__is_worth_more_beyond_noise():
    """The paired difference excludes 0, intervals hold their values, and the same seed gives the same bits."""
    probability, labels = drawn(800)
    models = {"recency": np.full(800, 0.2), "lightgbm": probability}
    found = earn(models, labels, np.arange(800), PAPER, baseline="recency", seed=3)
    assert found.differences["empc"].low > 0
    assert found.differences["at_capacity"].low > 0
    assert all(one.low <= one.value <= one.high for one in (*found.empc.values(), *found.at_capacity.values()))
    assert earn(models, labels, np.arange(800), PAPER, baseline="recency", seed=3) == found


def test__earn__rows_of_one_account__are_drawn_together():
    """An account that stands in eight rows is one draw: the interval is about √8 wider than of eight accounts."""
    probability, labels = drawn(100)
    eightfold = {"recency": np.tile(probability, 8)}
    of_rows, of_accounts = (
        earn(eightfold, np.tile(labels, 8), accounts, PAPER, baseline="recency", seed=1).empc["recency"]
        for accounts in (np.arange(800), np.tile(np.arange(100), 8))
    )
    assert (of_accounts.high - of_accounts.low) > 2 * (of_rows.high - of_rows.low)
