"""What is decided: the best there is within capacities and a budget, rules first, whatever the order of the rows."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from serving.interventions.decide.policy import Candidates, best_plan, by_group

NAMES = ("success_manager", "support", "sales")


def candidates(rows, **more):
    """From (account, playbook, resource, gain, cost, must)."""
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0, int)] * 6
    account, playbook, resource, gain, cost, must = columns
    tie = np.random.default_rng(7).permutation(len(rows)).astype(np.uint64) * np.uint64(2**40)
    return Candidates(account, playbook, resource, gain.astype(float), cost.astype(float), must, tie, **more)


@st.composite
def companies(draw, musts=False):
    """Some accounts and playbooks, done by three roles or by nobody's, with many ties among gains or with none."""
    accounts, playbooks = draw(st.integers(1, 25)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    resource = rng.integers(-1, 3, playbooks)
    most = draw(st.sampled_from([4, 1_000, 10**6]))
    rows = [
        (a, p, resource[p], rng.integers(0, most) / 4, rng.integers(0, max(most // 3, 2)) / 4, musts and rng.random() < 0.2)
        for a in range(accounts)
        for p in range(playbooks)
        if rng.random() < 0.7
    ]  # fmt: skip
    must = [(*row[:5], int(row[5]) * int(rng.integers(1, 4))) for row in rows]
    return candidates(must)


CAPACITIES = st.lists(st.sampled_from([0, 0.5, 1, 2, 2.75, 3.0, 5, 8, np.inf]), min_size=3, max_size=3).map(np.array)
SHARES = st.one_of(st.just(math.inf), st.floats(0, 0.1), st.floats(0, 1))


def budget_of(told, share):
    """A share of what it would cost to do everything."""
    return share if math.isinf(share) else share * told.cost.sum()


def exact(told, capacity, budget):
    """The best value, by HiGHS."""
    if not len(told.account):
        return 0.0
    resources = [np.where(told.resource == one, 1.0, 0.0) for one in range(len(capacity)) if np.isfinite(capacity[one])]
    limits = [capacity[one] for one in range(len(capacity)) if np.isfinite(capacity[one])]
    accounts = [np.where(told.account == one, 1.0, 0.0) for one in np.unique(told.account)]
    money = [told.cost] if np.isfinite(budget) else []
    left = np.vstack([*accounts, *resources, *money])
    right = np.array([1.0] * len(accounts) + limits + ([budget] if money else []))
    found = milp(
        -told.net, integrality=np.ones(len(told.net)), bounds=Bounds(0, 1), constraints=LinearConstraint(left, ub=right),
        options={"mip_rel_gap": 0},
    )  # fmt: skip
    assert found.success
    return -found.fun


@settings(max_examples=150, deadline=None)
@given(companies(), CAPACITIES)
def test__plan__without_a_budget__is_worth_what_highs_finds(told, capacity):
    plan, best = best_plan(told, capacity), exact(told, capacity, math.inf)
    assert plan.value == pytest.approx(best, rel=1e-9, abs=1e-9)
    assert plan.gap < 1e-9


@settings(max_examples=150, deadline=None)
@given(companies(), CAPACITIES, SHARES)
def test__plan__within_a_budget__is_as_near_to_highs_as_it_says(told, capacity, share):
    budget = budget_of(told, share)
    plan, best = best_plan(told, capacity, budget), exact(told, capacity, budget)
    rounding = 1e-6 * (1 + abs(best))
    assert best - rounding <= plan.bound, "no allocation passes the bound"
    assert plan.value <= best + rounding
    assert plan.value >= plan.bound * (1 - plan.gap) - rounding


@settings(max_examples=150, deadline=None)
@given(companies(musts=True), CAPACITIES, SHARES)
def test__plan__keeps_to_one_action_an_account_and_to_every_limit(told, capacity, share):
    budget = budget_of(told, share)
    plan = best_plan(told, capacity, budget)
    rows = plan.rows
    assert len(np.unique(told.account[rows])) == len(rows)
    used = np.bincount(told.resource[rows] + 1, minlength=4)[1:]
    assert (used <= capacity).all()
    assert (plan.left == np.floor(capacity) - used).all()
    assert told.cost[rows].sum() <= budget * (1 + 1e-12)
    assert ((told.net[rows] > 0) | (told.must[rows] > 0)).all()


@settings(max_examples=100, deadline=None)
@given(companies(musts=True), CAPACITIES, SHARES, st.randoms(use_true_random=False))
def test__plan__of_the_same_rows_in_another_order__is_the_same_to_the_last_bit(told, capacity, share, draw):
    budget = budget_of(told, share)
    order = np.array(draw.sample(range(len(told.tie)), len(told.tie)), dtype=int)
    renamed = np.array(draw.sample(range(40), 40))
    shuffled = Candidates(
        renamed[told.account[order]], *(getattr(told, name)[order] for name in ("playbook", "resource", "gain", "cost", "must", "tie"))
    )  # fmt: skip
    one, other = best_plan(told, capacity, budget), best_plan(shuffled, capacity, budget)
    assert order[other.rows].tolist() == one.rows.tolist()
    for name in ("value", "bound", "gap", "budget_price", "interval", "budget_left"):
        assert getattr(one, name) == getattr(other, name)
    assert (one.price == other.price).all()


@settings(max_examples=100, deadline=None)
@given(companies(), CAPACITIES, st.integers(0, 2))
def test__one_more_place__brings_its_price_and_never_harms(told, capacity, resource):
    """The shadow price is the difference that a place really makes."""
    more = capacity + (np.arange(3) == resource)
    before, after = best_plan(told, capacity), best_plan(told, more)
    assert after.value - before.value == pytest.approx(before.price[resource], rel=1e-9, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(companies(), CAPACITIES, st.integers(0, 2))
def test__threshold__is_what_the_last_place_brings(told, capacity, resource):
    assume(capacity[resource] >= 1)
    fewer = capacity - (np.arange(3) == resource)
    full, short = best_plan(told, capacity), best_plan(told, fewer)
    assert full.value - short.value == pytest.approx(full.threshold[resource], rel=1e-9, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(companies(), CAPACITIES)
def test__prices__of_a_place_that_is_used__the_last_brings_at_least_what_one_more_would(told, capacity):
    """Each place brings less than the one before; of places that are left none brings anything, and of none there is no last."""
    plan = best_plan(told, capacity)
    used_up = (plan.left < 1) & (capacity >= 1)
    assert (plan.threshold[used_up] >= plan.price[used_up] - 1e-9).all()
    assert (plan.threshold[~used_up] == 0).all()
    assert (plan.price[plan.left >= 1] == 0).all()


def prices(rows, *capacity):
    """(what the last place brings, what one more would), of each role."""
    plan = best_plan(candidates(rows), np.array(capacity))
    return [*zip(plan.threshold.tolist(), plan.price.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("gains", "places", "last", "one_more"),
    [
        pytest.param([300, 100, 40], 2, 100, 40, id="somebody waits"),
        pytest.param([300, 100], 2, 100, 0, id="as many takers as places, nobody waits"),
        pytest.param([300, 100, -5], 2, 100, 0, id="as many takers as places, another does not pay"),
        pytest.param([300, 100], 3, 0, 0, id="a place is left"),
        pytest.param([300, -5], 2, 0, 0, id="a place is left for what does not pay"),
        pytest.param([100, 100, 100], 2, 100, 100, id="equals"),
        pytest.param([100, 100], 2, 100, 0, id="equals, all served"),
        pytest.param([300, 100], 0, 0, 300, id="no place"),
        pytest.param([300, 100], 0.9, 0, 300, id="no whole place"),
        pytest.param([300, 100, 40], 2.9, 100, 40, id="two whole places"),
        pytest.param([300, 100], np.inf, 0, 0, id="nobody counts"),
        pytest.param([], 1, 0, 0, id="nobody at all"),
    ],
)
def test__prices__of_one_role__are_what_can_be_counted_on_fingers(gains, places, last, one_more):
    rows = [(account, 0, 0, gain, 0, 0) for account, gain in enumerate(gains)]
    assert prices(rows, places) == [(last, one_more)]


def test__prices__somebody_moves_to_make_room__are_those_of_the_whole_chain():
    """Account 0 brings 10 in one role and 8 in the other, account 1 brings 5 in the first: 8 + 5 is the best.

    Without the first role's place 8 is left, without the other's 10; with one more in the first 10 + 5.
    """
    rows = [(0, 0, 0, 10, 0, 0), (0, 1, 1, 8, 0, 0), (1, 0, 0, 5, 0, 0)]
    assert prices(rows, 1, 1) == [(5, 2), (3, 0)]


def test__prices__what_a_rule_begins_takes_a_place_and_has_no_part_in_them():
    rows = [(0, 0, 0, 1, 0, 3), (1, 0, 0, 300, 0, 0), (2, 0, 0, 100, 0, 0)]
    assert prices(rows, 2) == [(300, 100)]
    assert prices(rows, 3) == [(100, 0)]


@settings(max_examples=100, deadline=None)
@given(companies(musts=True), CAPACITIES, SHARES)
def test__what_rules_begin__is_served_in_order_of_obligation(told, capacity, share):
    """Only what is at least as obliged can have taken an account, a place or money from it."""
    budget = budget_of(told, share)
    plan = best_plan(told, capacity, budget)
    served = plan.rows[told.must[plan.rows] > 0]
    for row in np.setdiff1d(np.flatnonzero(told.must > 0), plan.rows):
        before = served[told.must[served] >= told.must[row]]
        resource = told.resource[row]
        no_place = resource >= 0 and (told.resource[before] == resource).sum() >= np.floor(capacity[resource])
        no_money = told.cost[before].sum() + told.cost[row] > budget - 1e-9
        assert told.account[row] in told.account[before] or no_place or no_money


def test__many_owners__each_has_a_capacity_of_his_own():
    """Hundreds of resources, two for each account: its owner's own and one that all share."""
    rng = np.random.default_rng(1)
    accounts, owners = 2_000, 300
    account, playbook = np.repeat(np.arange(accounts), 2), np.tile([0, 1], accounts)
    resource = np.where(playbook == 0, np.repeat(rng.integers(0, owners, accounts), 2), owners)
    gain = rng.lognormal(5, 1, 2 * accounts)
    tie = rng.integers(0, 2**64, 2 * accounts, dtype=np.uint64)
    zero = np.zeros(2 * accounts, dtype=int)
    told = Candidates(account, playbook, resource, gain, zero + 20.0, zero, tie)
    capacity = np.append(np.full(owners, 3), 100)
    assert best_plan(told, capacity).value == pytest.approx(exact(told, capacity, math.inf), rel=1e-9)


def test__twenty_thousand_accounts_and_a_budget__are_decided_to_a_hundredth_of_a_percent():
    rng = np.random.default_rng(2)
    rows = [(a, p, p % 3, g, 40 + 30 * p, 0) for a in range(20_000) for p, g in enumerate(rng.lognormal(5, 1, 6))]
    plan = best_plan(candidates(rows), np.array([300, 200, np.inf]), 60_000.0)
    assert 0 <= plan.gap < 1e-4


def test__equals__are_chosen_by_hash_and_the_budget_is_still_spent():
    """Everybody alike: at one price of money all want it, a hair above it nobody."""
    told = candidates([(a, 0, 0, 100, 30, 0) for a in range(1_000)])
    plan = best_plan(told, np.array([np.inf]), 3_010.0)
    assert set(plan.rows) == set(np.argsort(told.tie)[:100])
    assert plan.budget_left == pytest.approx(10.0)


def test__nothing_to_decide__is_a_plan_of_nothing():
    plan = best_plan(candidates([]), np.zeros(0))
    assert (len(plan.rows), plan.value, plan.bound, plan.gap) == (0, 0.0, 0.0, 0.0)


def test__interval__adds_deviations_within_a_playbook_and_squares_between_them():
    rows = [(0, 0, -1, 100, 0, 0), (1, 0, -1, 100, 0, 0), (2, 1, -1, 100, 0, 0)]
    plan = best_plan(candidates(rows, sd=np.array([10.0, 20.0, 40.0])), np.zeros(0))
    assert plan.interval == pytest.approx((300 - 1.959964 * 50, 300 + 1.959964 * 50))


def why_not(rows, row, capacity, budget=math.inf):
    return best_plan(candidates(rows), np.array(capacity), budget).why_not(row, NAMES)


def test__candidates_not_chosen__have_a_reason_in_words():
    two = [(0, 0, 0, 2_430, 120, 0), (1, 0, 0, 1_000, 120, 0)]
    assert why_not(two, 1, [1]) == "capacity of success_manager is used by accounts worth 2,310 or more"
    assert why_not(two, 1, [0]) == "success_manager has no capacity left"
    assert why_not([(0, 0, 0, 100, 120, 0)], 0, [1]) == "costs more than it should bring"
    both = [(0, 0, 0, 500, 0, 0), (0, 1, 1, 400, 0, 0)]
    assert why_not(both, 1, [1, 1]) == "another playbook is worth more for this account"
    assert why_not(two, 1, [2], 200.0) == "the budget of the week is spent on what brings more per unit of money"
    ruled = [(0, 0, 0, 10, 120, 3), (1, 0, 0, 1_000, 120, 0), (0, 1, -1, 700, 0, 0)]
    assert why_not(ruled, 1, [1]) == "capacity of success_manager is used by what rules begin first"
    assert why_not(ruled, 2, [1]) == "a rule begins another playbook for this account first"
    torn = [(0, 0, 0, 500, 0, 0), (0, 1, 1, 490, 0, 0), (1, 0, 0, 400, 0, 0)]
    assert why_not(torn, 0, [1, 1]) == (
        "capacity of success_manager brings more at other accounts; another playbook does nearly as well here"
    )
    indivisible = [(0, 0, 0, 1_000, 100, 0), (1, 0, 0, 800, 100, 0)]
    assert why_not(indivisible, 1, [2], 150.0) in {
        "what is left of the budget, 50, does not suffice for it",
        "the budget of the week is spent on what brings more per unit of money",
    }


@settings(max_examples=100, deadline=None)
@given(companies(musts=True), CAPACITIES, SHARES)
def test__reason_of_capacity__is_true(told, capacity, share):
    """Who is kept out by an amount is worth no more than it, and without a budget all who were chosen there are worth it."""
    budget = budget_of(told, share)
    plan = best_plan(told, capacity, budget)
    for row in np.setdiff1d(np.arange(len(told.tie)), plan.rows):
        miss = plan.not_chosen(row)
        if miss.why.name == "CAPACITY":
            assert told.net[row] <= miss.amount
            using = plan.rows[(told.resource[plan.rows] == told.resource[row]) & (told.must[plan.rows] == 0)]
            assert math.isfinite(budget) or (told.net[using] >= miss.amount - 1e-6).all()
        assert miss.why.name != "CHOSEN"


def test__by_group__sums_to_the_plan_and_prices_a_place_for_each_label():
    rows = [(0, 0, 0, 500, 100, 0), (1, 0, 0, 300, 100, 0), (2, 0, 0, 250, 100, 0), (3, 0, 0, 50, 100, 0)]
    plan = best_plan(candidates(rows), np.array([1]))
    table = by_group(plan, np.array(["north", "north", "south", "west"]))
    assert table.index.tolist() == ["north", "south", "west"]
    assert table["interventions"].tolist() == [1, 0, 0]
    assert table["expected_value"].tolist() == [400, 0, 0]
    assert table["cost"].tolist() == [100, 0, 0]
    assert table["one_more"].tolist() == [200, 150, 0]


def test__without_a_place__adding_one_is_worth_the_best_account():
    told = candidates([(0, 0, 0, 500, 100, 0), (1, 0, 0, 300, 100, 0)])
    assert best_plan(told, np.array([0])).price[0] == pytest.approx(400)
    assert best_plan(told, np.array([1])).price[0] == pytest.approx(200)
