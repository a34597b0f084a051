"""Rows of chosen accounts at moments of their own are those of the table, bit for bit."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from storing import store

from features.catalog import CATALOG
from features.engine.point_in_time import build_feature_rows
from features.engine.table import build_feature_table
from features.families.eligibility import had_purchase

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DATES = [FIRST + timedelta(days=days) for days in (40, 100, 160)]
FEATURES = [feature for feature in CATALOG if feature.name.startswith("purchases_")]


def order(day, known_day=None, amount=10.0):
    at = FIRST + timedelta(days=day)
    known = at if known_day is None else FIRST + timedelta(days=known_day)
    return {"occurred_at": at, "known_at": known, "kind": "order", "amount": amount, "order_id": f"o{day}"}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Thirty accounts with an order every few days; one that begins late; one whose last order was entered late."""
    accounts = {
        f"a{number:02}": {"purchases": [order(day, amount=number + day) for day in range(number, 200, 3 + number)]}
        for number in range(30)
    }
    accounts["late"] = {"purchases": [order(120)]}
    accounts["entered"] = {"purchases": [order(10), order(105, known_day=170)]}
    return store(tmp_path_factory.mktemp("pairs"), accounts)


def pairs_of(*chosen):
    return pd.MultiIndex.from_tuples(chosen, names=["account_id", "as_of"])


def test__rows__are_the_tables_to_the_last_bit_in_the_order_asked(history):
    """Several moments of one account, not in order, among others."""
    table = build_feature_table(history, DATES, FEATURES)
    pairs = table.index[np.random.default_rng(0).permutation(len(table))[:60]]
    rows = build_feature_rows(history, pairs, FEATURES)
    assert rows.index.equals(pairs)
    assert rows.to_numpy().tobytes() == table.loc[pairs].to_numpy().tobytes()


def test__account_unknown_by_then__has_no_row(history):
    """Of whom nothing was known, and of whom nothing ever was."""
    pairs = pairs_of(("late", DATES[1]), ("late", DATES[2]), ("nobody", DATES[2]), ("a01", DATES[1]))
    assert list(build_feature_rows(history, pairs, FEATURES).index) == [("late", DATES[2]), ("a01", DATES[1])]


def test__leak_until__sees_what_was_entered_late_and_nothing_else_does(history):
    """An order of day 105 that was entered on day 170, as of day 110."""
    bought, pairs = had_purchase(30), pairs_of(("entered", FIRST + timedelta(days=110)))
    assert build_feature_rows(history, pairs, [bought])[bought.name].tolist() == [0]
    seen = build_feature_rows(history, pairs, [bought], leak_until=FIRST + timedelta(days=170))
    assert seen[bought.name].tolist() == [1]
    with pytest.raises(ValueError, match="lies before an as_of"):
        build_feature_rows(history, pairs, [bought], leak_until=FIRST)


def test__pairs__that_cannot_be__are_refused(history):
    """Twice the same, or at a moment without a zone."""
    with pytest.raises(ValueError, match="occurs twice"):
        build_feature_rows(history, pairs_of(("a01", DATES[0]), ("a01", DATES[0])), FEATURES)
    with pytest.raises(ValueError, match="have no timezone"):
        build_feature_rows(history, pairs_of(("a01", DATES[0].replace(tzinfo=None))), FEATURES)
