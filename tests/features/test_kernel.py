"""Every stat and formula of the vocabulary equals its slow oracle, on histories with ties, late and missing values."""

import math
from datetime import timedelta

import numpy as np
import pytest
from histories import AS_OF, histories
from hypothesis import given, settings
from oracle import STATS, oracle

from features.catalog import CATALOG
from features.definitions import (
    Aggregate,
    Derived,
    Feature,
    Season,
    Stat,
    at_least,
    at_most,
    difference,
    events,
    ratio,
    trend,
    weights,
)
from features.events import Events
from features.table import build_feature_row

lines = events("purchases")
orders = lines.where(kind="order")


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
    events("purchases", quantity=at_most(3)).count(),
    events("purchases", quantity=at_least(3), kind=("order", "return")).sum("amount", days=90),
    events("service").sum(weights("kind", opened=1.0, resolved=-1.0)),
    ratio(lines.sum("amount"), lines.sum("quantity")),
    difference(orders.count(days=90), orders.count(days=30)),
    trend(orders.count(days=30), orders.count(days=30, lag_days=30)),
    ratio(difference(orders.count(), orders.count(days=90)), orders.count()),
    Season.SINE,
    Season.COSINE,
]


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


@settings(max_examples=300, deadline=None)
@given(history=histories())
def test__every_stat_and_formula__random_history__equals_oracle(history):
    """The kernel and the oracle agree on every declaration, NaN for NaN."""
    assert_same(row(DEFINITIONS, history), [oracle(one, history, AS_OF) for one in DEFINITIONS], DEFINITIONS)


def untied(history):
    """The same history with at most one event of a stream at any moment: what is first, and last, is beyond doubt."""
    return {stream: list({row["occurred_at"]: row for row in rows}.values()) for stream, rows in history.items()}


@settings(max_examples=200, deadline=None)
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


@settings(max_examples=150, deadline=None)
@given(history=histories().map(untied))
def test__every_feature_of_the_catalog__random_history__equals_oracle(history):
    """What the catalog declares is what it computes, slope apart (see above)."""
    catalog = [feature for feature in CATALOG if not rests_on(feature.definition, Stat.SLOPE)]
    got = build_feature_row(Events.from_rows(history), AS_OF, catalog)
    assert_same(got, [oracle(one.definition, history, AS_OF) for one in catalog], [one.name for one in catalog])


def rests_on(definition, stat):
    if isinstance(definition, Derived):
        return rests_on(definition.first, stat) or rests_on(definition.second, stat)
    return isinstance(definition, Aggregate) and definition.stat is stat


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
