"""The feature table: its grain and order, and that it is the same bits however it is computed."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from histories import AS_OF, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from storing import store

from features.catalog import CATALOG, named
from features.definitions import Feature, events
from features.engine.events import Events
from features.engine.table import build_feature_row, build_feature_table

DATES = [AS_OF - timedelta(days=days) for days in (200, 31, 0)]
ORDERS = named(["purchases_orders_distinct"])


def purchase(occurred_at, known_at=None, amount=5.0):
    return {"occurred_at": occurred_at, "known_at": known_at or occurred_at, "kind": "order", "amount": amount}


@settings(max_examples=15, deadline=None)
@given(accounts=st.lists(histories(max_size=12), min_size=1, max_size=9))
def test__table__any_buckets_threads_and_dates__same_bits_as_one_account_alone(accounts, tmp_path_factory):
    """Batch = one account, bit for bit; buckets, threads and the other dates asked for change nothing."""
    by_id = {f"account {number}": history for number, history in enumerate(accounts)}
    root = tmp_path_factory.mktemp("history")
    one = build_feature_table(store(root / "one", by_id, buckets=1), DATES, CATALOG, threads=1)
    many = build_feature_table(store(root / "many", by_id, buckets=5), DATES, CATALOG, threads=3)
    split = build_feature_table(store(root / "split", by_id, buckets=1), DATES, CATALOG, threads=4)
    assert one.index.equals(many.index)
    assert one.to_numpy().tobytes() == many.to_numpy().tobytes() == split.to_numpy().tobytes()
    for (account, as_of), row in zip(one.index, one.to_numpy(), strict=True):
        alone = build_feature_row(Events.from_rows(by_id[account]), as_of.to_pydatetime(), CATALOG)
        assert row.tobytes() == alone.tobytes()


def test__table__rows__one_for_each_account_known_at_each_date(tmp_path):
    """An account has rows from the moment it is first known, by any stream, and keeps them without events."""
    early, late = DATES[0] - timedelta(days=1), DATES[1] + timedelta(days=1)
    history = store(
        tmp_path,
        {
            "b": {"accounts": [{"occurred_at": early, "known_at": early, "size": 3.0}]},
            "a": {"purchases": [purchase(late)]},
            "c": {"purchases": [purchase(early, known_at=late)]},
        },
    )
    table = build_feature_table(history, DATES, CATALOG)
    last, middle, first = (as_of for as_of in reversed(DATES))
    assert list(table.index) == [("a", last), ("b", first), ("b", middle), ("b", last), ("c", last)]
    assert table.loc[("b", last), "purchases_orders_distinct"] == 0.0
    assert np.isnan(table.loc[("b", last), "purchases_days_since_last"])
    assert table.loc[("b", first), "account_size_last"] == 3.0


def test__table__empty_history__has_no_rows_and_all_columns(tmp_path):
    """The quiet path: nothing was ever ingested."""
    table = build_feature_table(store(tmp_path, {}), AS_OF, CATALOG)
    assert table.shape == (0, len(CATALOG))
    assert table.index.names == ["account_id", "as_of"]


def test__table__dates_in_any_order_and_twice__come_out_sorted_and_once(tmp_path):
    """The dates asked for are a set."""
    history = store(tmp_path, {"a": {"purchases": [purchase(DATES[0])]}})
    table = build_feature_table(history, [DATES[2], DATES[0], DATES[2]], ORDERS)
    assert list(table.index.get_level_values("as_of")) == [DATES[0], DATES[2]]


def test__leak_until__after_as_of__shows_late_arrivals_of_the_past_and_nothing_that_occurred_later(tmp_path):
    """For labels: an order of before as_of that was reported after it counts; an order after it does not."""
    reported_late = purchase(AS_OF - timedelta(days=1), known_at=AS_OF + timedelta(days=5))
    later = purchase(AS_OF + timedelta(days=1))
    known = purchase(AS_OF - timedelta(days=300))
    history = store(
        tmp_path, {"a": {"purchases": [known, reported_late, later]}, "not known yet": {"purchases": [later]}}
    )
    assert build_feature_table(history, AS_OF, ORDERS).iloc[0, 0] == 1.0
    leaked = build_feature_table(history, AS_OF, ORDERS, leak_until=AS_OF + timedelta(days=10))
    assert leaked.iloc[0, 0] == 2.0
    assert list(leaked.index) == [("a", AS_OF)]


def test__leak_until__before_as_of__is_refused(tmp_path):
    """A label cannot be known before its horizon has passed."""
    with pytest.raises(ValueError, match="lies before an as_of"):
        build_feature_table(store(tmp_path, {}), AS_OF, CATALOG, leak_until=AS_OF - timedelta(days=1))


def test__as_of__without_a_timezone__is_refused(tmp_path):
    """A naive moment could mean two different histories."""
    with pytest.raises(ValueError, match="has no timezone"):
        build_feature_table(store(tmp_path, {}), datetime(2020, 1, 1), CATALOG)  # noqa: DTZ001


@pytest.mark.parametrize("as_of", ["2020-01-01", ["2020-01-01"]])
def test__as_of__a_text__says_how_to_make_a_moment_of_it(tmp_path, as_of):
    """What everybody tries first in a notebook."""
    with pytest.raises(TypeError, match="'2020-01-01' is no datetime; read_moment"):
        build_feature_table(store(tmp_path, {}), as_of, CATALOG)


def test__progress__is_told_of_every_bucket(tmp_path):
    """Long work says how far it is."""
    seen = []
    history = store(tmp_path, {"a": {"purchases": [purchase(AS_OF)]}}, buckets=3)
    build_feature_table(history, AS_OF, CATALOG, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test__history_grows_while_a_table_is_built__the_table_is_of_one_version(tmp_path):
    """Buckets read later must not see what was committed after the first was read."""
    old, new = ({str(n): {"purchases": [purchase(AS_OF, amount=amount)]} for n in range(20)} for amount in (1.0, 2.0))
    history = store(tmp_path, old)
    amount = feature("amount", events("purchases").sum("amount"))
    table = build_feature_table(history, AS_OF, [amount], threads=1, progress=lambda *_: store(tmp_path, new))
    assert set(table["amount"]) == {1.0}


def feature(name, definition):
    return Feature(name, definition, "", "", "")


def test__account_order__is_by_code_point_whatever_the_buckets(tmp_path):
    """Rows stand in the order of their ids, umlauts and case included."""
    ids = ["Ä", "a", "B", "10", "9", "日本"]
    history = store(tmp_path, {one: {"purchases": [purchase(AS_OF)]} for one in ids}, buckets=3)
    table = build_feature_table(history, datetime(2030, 1, 1, tzinfo=UTC), ORDERS)
    assert list(table.index.get_level_values("account_id")) == sorted(ids)
