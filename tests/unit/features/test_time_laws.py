"""The laws of time: what a row may see, and that nothing else about its history matters."""

import random
from datetime import timedelta

from histories import AS_OF, ENGAGEMENT, PURCHASES, histories
from hypothesis import given, settings
from hypothesis import strategies as st

from features.catalog import CATALOG
from features.engine.events import Events
from features.engine.table import build_feature_row

SECOND = timedelta(seconds=1)


def bits(history, as_of=AS_OF):
    return build_feature_row(Events.from_rows(history), as_of, CATALOG).tobytes()


def known_later(row):
    """The row as it would be if we learnt of it only after as_of."""
    return row | {"known_at": max(row["known_at"], AS_OF + SECOND, row["occurred_at"])}


def known_by_as_of(history):
    return {name: [row for row in rows if row["known_at"] <= AS_OF] for name, rows in history.items()}


@settings(max_examples=200, deadline=None)
@given(
    history=histories(), unknown=st.lists(PURCHASES.map(known_later)), contacts=st.lists(ENGAGEMENT.map(known_later))
)
def test__events_not_known_by_as_of__added__move_no_bit(history, unknown, contacts):
    """Adding what becomes known after as_of, wherever in time it occurred, leaves the row as it is."""
    more = history | {
        "purchases": history["purchases"] + unknown,
        "engagement": history["engagement"] + contacts,
    }
    assert bits(more) == bits(history)


@settings(max_examples=200, deadline=None)
@given(history=histories())
def test__events_not_known_by_as_of__removed__move_no_bit(history):
    """The row is a function of what was known by as_of alone."""
    assert bits(history) == bits(known_by_as_of(history))


@settings(max_examples=100, deadline=None)
@given(history=histories(), amount=st.floats(-1e9, 1e9))
def test__events_not_known_by_as_of__changed__move_no_bit(history, amount):
    """A later correction cannot reach back."""
    changed = [row if row["known_at"] <= AS_OF else row | {"amount": amount} for row in history["purchases"]]
    assert bits(history | {"purchases": changed}) == bits(history)


@settings(max_examples=200, deadline=None)
@given(history=histories(), seed=st.integers(0, 2**32))
def test__order_of_rows__any__moves_no_bit(history, seed):
    """How rows arrive does not matter, not even among events of the same moment."""
    shuffled = {name: random.Random(seed).sample(rows, len(rows)) for name, rows in history.items()}
    assert bits(shuffled) == bits(history)


def purchase(occurred_at, known_at=None):
    return {"occurred_at": occurred_at, "known_at": known_at or occurred_at, "kind": "order", "amount": 5.0}


def value(name, history):
    return dict(zip(CATALOG.names, build_feature_row(Events.from_rows(history), AS_OF, CATALOG), strict=True))[name]


def test__event_at_as_of__is_seen_and_one_microsecond_later_is_not():
    """History at as_of is everything with known_at ≤ as_of."""
    assert value("purchases_orders_distinct", {"purchases": [purchase(AS_OF)]}) == 1.0
    assert value("purchases_orders_distinct", {"purchases": [purchase(AS_OF + timedelta(microseconds=1))]}) == 0.0


def test__event_at_as_of_minus_window__is_outside_the_window():
    """Windows are open at their old end: (as_of − 30 days, as_of]."""
    edge = AS_OF - timedelta(days=30)
    assert value("purchases_orders_distinct_30d", {"purchases": [purchase(edge)]}) == 0.0
    assert value("purchases_orders_distinct_30d", {"purchases": [purchase(edge + timedelta(microseconds=1))]}) == 1.0


def test__event_that_occurred_in_the_window_but_is_not_yet_known__is_not_seen():
    """known_at decides what is seen, occurred_at where it stands."""
    late = purchase(AS_OF - timedelta(days=5), known_at=AS_OF + SECOND)
    assert value("purchases_orders_distinct_30d", {"purchases": [late]}) == 0.0
