"""Every stat and formula of the vocabulary equals its slow oracle, on histories with ties, late and missing values."""

import math
from datetime import timedelta

import numpy as np
import pytest
from histories import AS_OF, histories
from hypothesis import given, settings
from oracle import STATS, oracle

from features.definitions import (
    Aggregate,
    Constant,
    Derived,
    Feature,
    Formula,
    Season,
    Stat,
    at_least,
    at_most,
    both,
    days_until,
    difference,
    either,
    events,
    less,
    or_else,
    product,
    ratio,
    still_ahead,
    times,
    total,
    trend,
    weights,
)
from features.engine.events import Events
from features.engine.table import build_feature_row

lines = events("purchases")
orders = lines.where(kind="order")
open_cases = (
    events("service", kind=("opened", "reopened", "resolved")).newest("case_id").where(kind=("opened", "reopened"))
)
in_force = (
    events("contracts").newest("contract_id").where(kind=("signed", "renewed", "upgraded"), ends_at=still_ahead())
)


def variants(declare):
    """One aggregate without a window, over growing windows, and over a window that ended a week ago."""
    return [declare(), *(declare(days=days) for days in (7, 30, 90, 365)), declare(days=30, lag_days=7)]


def unlagged(declare):
    return [declare(), *(declare(days=days) for days in (7, 30, 90, 365))]


DEFINITIONS = [
    *variants(orders.count),
    *variants(lambda **over: lines.sum("amount", **over)),
    *variants(lambda **over: lines.mean("amount", **over)),
    *variants(lambda **over: lines.std("quantity", **over)),
    *variants(lambda **over: lines.min("quantity", **over)),
    *variants(lambda **over: lines.max("amount", **over)),
    *variants(lambda **over: lines.distinct("product_id", **over)),
    *variants(lambda **over: lines.distinct("order_id", absent_is_own=True, **over)),
    *unlagged(orders.days_since_first),
    *unlagged(orders.days_since_last),
    *unlagged(orders.gap_mean),
    *unlagged(lambda **over: orders.gap_std(same_occasion_days=2, **over)),
    *unlagged(lambda **over: lines.decayed_sum("amount", half_life_days=20, **over)),
    *unlagged(orders.gap_median),
    *unlagged(lambda **over: orders.gap_max(same_occasion_days=2, **over)),
    *variants(lambda **over: lines.quantile("quantity", 0.5, **over)),
    *variants(lambda **over: lines.quantile("amount", 0.9, **over)),
    *variants(lambda **over: orders.largest_share("quantity", "category", **over)),
    *variants(lambda **over: lines.sum(times("amount", "quantity"), **over)),
    *variants(lambda **over: orders.where(channel="web").share_of_total("quantity", **over)),
    *variants(open_cases.count),
    *variants(open_cases.where(topic="complaint").days_since_first),
    *variants(lambda **over: open_cases.distinct("severity", **over)),
    *variants(lambda **over: in_force.sum("value", **over)),
    in_force.count(),
    in_force.where(quantity=at_least(10)).mean("value"),
    days_until(in_force.min("ends_at")),
    days_until(events("contracts").max("ends_at")),
    events("contracts", ends_at=still_ahead()).count(days=365),
    events("engagement").newest("subject").sum("quantity", days=90),
    events("purchases", quantity=at_most(3)).count(),
    events("purchases", quantity=at_least(3), kind=("order", "return")).sum("amount", days=90),
    events("service").sum(weights("kind", opened=1.0, resolved=-1.0)),
    ratio(lines.sum("amount"), lines.sum("quantity")),
    difference(orders.count(days=90), orders.count(days=30)),
    trend(orders.count(days=30), orders.count(days=30, lag_days=30)),
    ratio(difference(orders.count(), orders.count(days=90)), orders.count()),
    product(orders.count(), orders.mean("quantity")),
    total(orders.count(), Constant(2.5)),
    less(orders.count(days=90), orders.count(days=90, lag_days=90)),
    less(orders.days_since_last(), Constant(30.0)),
    both(less(orders.count(days=30), Constant(2.0)), less(Constant(0.0), orders.count())),
    either(less(orders.count(days=30), Constant(2.0)), less(orders.mean("quantity"), Constant(4.0))),
    or_else(orders.days_since_last(), Constant(-1.0)),
    Season.SINE,
    Season.COSINE,
]


def formulas(definition):
    if not isinstance(definition, Derived):
        return set()
    return {definition.formula} | formulas(definition.first) | formulas(definition.second)


def row(definitions, history, as_of=AS_OF):
    features = [Feature(str(number), one, "", "", "") for number, one in enumerate(definitions)]
    return build_feature_row(Events.from_rows(history), as_of, features)


def assert_same(got, expected, names):
    for name, value, slow in zip(names, got, expected, strict=True):
        assert value == pytest.approx(slow, rel=1e-9, abs=1e-6, nan_ok=True), name


def test__oracle__covers_every_stat():
    """A stat that has no oracle is not tested at all."""
    tested = {one.stat for one in DEFINITIONS if isinstance(one, Aggregate)}
    assert set(STATS) == set(Stat)
    assert tested | {Stat.FIRST, Stat.LAST, Stat.SLOPE} == set(Stat)
    assert set().union(*map(formulas, DEFINITIONS)) == set(Formula)


@settings(max_examples=150, deadline=None)
@given(history=histories())
def test__every_stat_and_formula__random_history__equals_oracle(history):
    """The kernel and the oracle agree on every declaration, NaN for NaN."""
    assert_same(row(DEFINITIONS, history), [oracle(one, history, AS_OF) for one in DEFINITIONS], DEFINITIONS)


def untied(history):
    """The same history with at most one event of a stream at any moment: what is first, and last, is beyond doubt."""
    return {stream: list({row["occurred_at"]: row for row in rows}.values()) for stream, rows in history.items()}


@settings(max_examples=100, deadline=None)
@given(history=histories().map(untied))
def test__first_last_and_slope__no_two_events_at_once__equal_oracle(history):
    """First and last are those in time; the slope is numpy's."""
    definitions = [
        *variants(lambda **over: lines.first("amount", **over)),
        *variants(lambda **over: lines.last("amount", **over)),
    ]
    assert_same(row(definitions, history), [oracle(one, history, AS_OF) for one in definitions], definitions)
    slopes = unlagged(lambda **over: lines.slope("amount", **over))
    apart = [one for one in slopes if well_spread(one, history)]
    assert_same(row(apart, history), [oracle(one, history, AS_OF) for one in apart], apart)


def well_spread(one, history):
    """Whether the window's events lie at least an hour apart in all: a slope over microseconds is noise in both."""
    inside = [
        line["occurred_at"]
        for line in history["purchases"]
        if line["known_at"] <= AS_OF and line["occurred_at"] > AS_OF - timedelta(days=min(one.days, 10_000))
    ]
    return len(inside) < 2 or max(inside) - min(inside) > timedelta(hours=1)


def line(days_ago, amount=1.0, known_days_ago=None, **columns):
    occurred_at = AS_OF - timedelta(days=days_ago)
    known_at = occurred_at if known_days_ago is None else AS_OF - timedelta(days=known_days_ago)
    return {"occurred_at": occurred_at, "known_at": known_at, "kind": "order", "amount": amount} | columns


def test__empty_history__counts_are_zero_and_the_rest_is_absent():
    """Absent is not zero: an account that never bought has 0 orders and no time since the last."""
    got = row([orders.count(), orders.sum("amount"), orders.mean("amount"), orders.days_since_last()], {})
    assert got[:2].tolist() == [0.0, 0.0]
    assert np.isnan(got[2:]).all()


def test__gaps__known_numbers__by_hand():
    """Orders 30, 20 and 4 days ago, and another a quarter of a day before the last: gaps of 10 and 16 days."""
    history = {"purchases": [line(30), line(20), line(4), line(4.25)]}
    assert row([orders.gap_mean(), orders.gap_std()], history).tolist() == [13.0, pytest.approx(math.sqrt(18))]


def test__std__equal_large_values__is_exactly_zero():
    """No rounding noise where nothing varies, even at values where squares lose all their digits."""
    history = {"purchases": [line(days, amount=123_456_789.01) for days in (1, 2, 3, 50)]}
    assert row([orders.std("amount"), orders.std("amount", days=30)], history).tolist() == [0.0, 0.0]


def test__late_event__before_it_is_known__is_not_there_and_afterwards_stands_where_it_occurred():
    """An order of 40 days ago, reported 10 days ago: unseen 11 days ago, in its old place 9 days ago."""
    history = {"purchases": [line(50), line(40, known_days_ago=10)]}
    definitions = [orders.days_since_last(), orders.count()]
    assert row(definitions, history, AS_OF - timedelta(days=11)).tolist() == [39.0, 1.0]
    assert row(definitions, history, AS_OF - timedelta(days=9)).tolist() == [31.0, 2.0]


def test__window__event_exactly_on_each_edge__old_edge_out_new_edge_in():
    """Windows are (as_of − w, as_of]."""
    on_edges = {"purchases": [line(0), line(30), line(60)]}
    assert row([orders.count(days=30), orders.count(days=30, lag_days=30)], on_edges).tolist() == [1.0, 1.0]
    inside = {"purchases": [line(30 - 1 / 86_400_000_000)]}
    assert row([orders.count(days=30)], inside).tolist() == [1.0]


def test__gaps__orders_every_eleven_hours__have_a_rhythm():
    """Two orders are one occasion, then the next two: who orders all the time must not look as if never twice."""
    history = {"purchases": [line(hours / 24) for hours in range(0, 110, 11)]}
    assert row([orders.gap_mean()], history).tolist() == [pytest.approx(22 / 24)]


def test__gaps__growing_windows__each_as_if_alone():
    """A longer window continues the walk of the shorter one, in the middle of an occasion too."""
    history = {"purchases": [line(days) for days in (0.1, 6.9, 7.2, 7.3, 20, 20.3, 40)]}
    windows = [orders.gap_mean(days=days) for days in (7, 7.25, 30, 90)]
    together = row(windows, history).tolist()
    assert together == [pytest.approx(row([one], history)[0], nan_ok=True) for one in windows]
    assert together == [pytest.approx(oracle(one, history, AS_OF), nan_ok=True) for one in windows]


def case(days_ago, kind, case_id="c", known_days_ago=None):
    return line(days_ago, known_days_ago=known_days_ago, case_id=case_id) | {"kind": kind}


def test__newest__resolution_known_late__case_is_open_until_it_is_known():
    """Resolved 20 days ago, reported 5 days ago: six days ago nobody could have known that the case was closed."""
    history = {"service": [case(50, "opened"), case(20, "resolved", known_days_ago=5)]}
    definitions = [open_cases.count(), open_cases.days_since_first()]
    assert row(definitions, history, AS_OF - timedelta(days=6)).tolist() == [1.0, 44.0]
    assert row(definitions[:1], history, AS_OF - timedelta(days=4)).tolist() == [0.0]


def test__newest__outside_the_window__older_event_of_the_key_does_not_come_back():
    """A case reopened yesterday was not open before: with a lag of two days there is nothing, not the old opening."""
    history = {"service": [case(30, "opened"), case(1, "reopened")]}
    assert row([open_cases.count(), open_cases.count(lag_days=2)], history).tolist() == [1.0, 0.0]


def test__still_ahead__contract_ends_at_as_of__is_over():
    """In force until the moment it ends, not at it."""
    signed = line(400, contract_id="s", ends_at=AS_OF, value=12.0) | {"kind": "signed"}
    before = AS_OF - timedelta(microseconds=1)
    assert row([in_force.count()], {"contracts": [signed]}).tolist() == [0.0]
    assert row([in_force.count()], {"contracts": [signed]}, before).tolist() == [1.0]
    assert row([days_until(in_force.min("ends_at"))], {"contracts": [signed]}, AS_OF - timedelta(days=3)).tolist() == [
        3.0
    ]


def test__quantile_and_largest_share__known_numbers__by_hand():
    """Of 1, 2, 4 and 13 the median is 3; 13 of 20 came from one category, the line without one left out."""
    amounts = [(1, 1.0, "x"), (2, 2.0, "y"), (3, 4.0, "y"), (4, 13.0, "z"), (5, 80.0, None)]
    history = {"purchases": [line(days, amount=amount, category=category) for days, amount, category in amounts]}
    definitions = [orders.quantile("amount", 0.5, days=4.5), orders.largest_share("amount", "category")]
    assert row(definitions, history).tolist() == [3.0, 0.65]


def test__quantile__more_values_than_are_put_in_order_one_by_one__equals_numpy():
    """Few values are inserted in order, many are sorted: the answer does not tell which."""
    amounts = np.random.default_rng(0).normal(size=500)
    for count in (1, 2, 47, 48, 49, 500):
        history = {"purchases": [line(number, amount=amount) for number, amount in enumerate(amounts[:count])]}
        assert row([lines.quantile("amount", 0.37)], history)[0] == pytest.approx(np.quantile(amounts[:count], 0.37))


@pytest.mark.parametrize("different", [1, 63, 64, 65, 200])
def test__distinct__more_words_than_a_word_has_bits__are_all_counted(different):
    """Each product twice, one a day: a window of n days has n of them, as long as there are so many."""
    history = {"purchases": [line(day, product_id=f"p{day % different}") for day in range(2 * different)]}
    windows = (0.5, 10.5, 63.5, 64.5, 1000)
    expected = [min(int(days) + 1, different) for days in windows]
    assert row([lines.distinct("product_id", days=days) for days in windows], history).tolist() == expected


def test__many_tests__more_than_a_word_has_bits__are_all_made():
    """A company may ask about hundreds of words of one column; sixty-four fit on a page."""
    history = {"purchases": [line(1, product_id=f"p{number}") for number in range(150)]}
    definitions = [events("purchases", product_id=f"p{number}", kind="order").count() for number in range(0, 300, 2)]
    assert row(definitions, history).tolist() == [1.0] * 75 + [0.0] * 75


@pytest.mark.filterwarnings("error")
def test__product__too_large_for_a_number__is_infinite_without_a_warning():
    """A slip of the pen in one row must not write onto the terminal of whoever builds a table."""
    row = {"occurred_at": AS_OF, "known_at": AS_OF, "kind": "order", "amount": 1e308, "quantity": 1e308}
    feature = Feature("f", events("purchases").sum(times("amount", "quantity")), "", "", "")
    assert build_feature_row(Events.from_rows({"purchases": [row]}), AS_OF, [feature]).tolist() == [math.inf]
