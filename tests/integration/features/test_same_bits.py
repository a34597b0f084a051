"""A feature is the same bits wherever and however it is computed: buckets, threads, processes, one account online."""

import multiprocessing
import pickle
import random
from datetime import timedelta

import numpy as np
import pytest
from histories import AS_OF, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from storing import store

from features.catalog import CATALOG
from features.engine.account_state import BucketStates, State
from features.engine.events import Events
from features.engine.plan import FeatureSet
from features.engine.state_packing import layout_of, pack_state
from features.engine.table import build_feature_row, build_feature_table
from features.engine.table import one_row as computed
from features.history.store import History
from features.history.streams import STREAMS
from features.timestamps import microseconds

DATES = [AS_OF - timedelta(days=days) for days in (365, 90, 30, 1, 0)]
BUCKETS = (1, 3, 16)
LAYOUT = layout_of(CATALOG.plan)
JUST_AFTER = AS_OF + timedelta(microseconds=1)
NOT_YET = {"purchases": [{"occurred_at": JUST_AFTER, "known_at": JUST_AFTER, "kind": "order", "amount": 1.0}]}


def company(accounts=30, seed=0):
    """Accounts whose events fill all streams: ties, late arrivals, missing values, some with nothing but attributes."""
    draw = random.Random(seed)
    return {f"account {number}": one_account(draw) for number in range(accounts)} | {"not yet": NOT_YET}


def one_account(draw):
    return {
        name: [one_row(draw, stream) for _ in range(draw.choice([0, 1, 5, 40]))] for name, stream in STREAMS.items()
    }


def one_row(draw, stream):
    # Whole days often, so that moments tie and fall on the edges of windows.
    days = draw.choice([float(draw.randint(-5, 400)), draw.uniform(-5, 800)])
    occurred_at = AS_OF - timedelta(days=days)
    known_at = occurred_at + timedelta(days=draw.choice([0, 0, 0, 2, 45]))
    own = {column.name: one_value(draw, column, occurred_at) for column in stream.own_columns}
    return {"occurred_at": occurred_at, "known_at": known_at} | own


def one_value(draw, column, occurred_at):
    if not column.required and draw.random() < 0.2:
        return None
    if column.type == "number":
        # Of very different sizes, so that another order of adding would show.
        return draw.uniform(-1, 5) * 10.0 ** draw.randint(-3, 6)
    if column.type == "time":
        return occurred_at + timedelta(days=draw.uniform(0, 500))
    return draw.choice(column.allowed or tuple("abcdefg"))


def states(history, bucket):
    """{account_id: state} of a bucket."""
    return {account: State(state) for account, _, state in BucketStates.of(history, bucket)}


def row_of(state, as_of, features=CATALOG, layout=LAYOUT):
    return computed(pack_state(state, layout), features.plan.program, as_of)


def bits(table):
    return table.to_numpy().tobytes()


@pytest.fixture(scope="module")
def rows():
    return company()


@pytest.fixture(scope="module")
def stored(rows, tmp_path_factory):
    """The same company divided into 1, 3 and 16 buckets."""
    return {count: store(tmp_path_factory.mktemp(f"buckets{count}"), rows, buckets=count) for count in BUCKETS}


@pytest.fixture(scope="module")
def table(stored):
    """What all others are compared with: one bucket, one thread."""
    return build_feature_table(stored[1], DATES, CATALOG, threads=1)


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("buckets", BUCKETS)
def test__table__any_buckets_and_threads__same_bits(stored, table, buckets, threads):
    """How the work is shared out is nobody's business but the machine's."""
    other = build_feature_table(stored[buckets], DATES, CATALOG, threads=threads)
    assert other.index.equals(table.index)
    assert bits(other) == bits(table)
    assert np.isnan(table.to_numpy()).any()
    assert len(table) > 100


def test__table__dates_asked_for_alone__same_bits_as_together(stored, table):
    """A training table holds for each date what the night of that date computed."""
    for date in DATES:
        alone = build_feature_table(stored[3], date, CATALOG)
        together = table[table.index.get_level_values("as_of") == date]
        assert list(alone.index) == list(together.index)
        assert bits(alone) == bits(together)


def test__row__online_and_from_a_state__same_bits_as_the_table(rows, stored, table):
    """One account while a page loads: from its rows, or from its compact state."""
    kept = {account: state for bucket in range(3) for account, state in states(stored[3], bucket).items()}
    for (account, as_of), row in zip(table.index, table.to_numpy(), strict=True):
        moment = as_of.to_pydatetime()
        inline = build_feature_row(Events.from_rows(rows[account]), moment, CATALOG)
        assert inline.tobytes() == row_of(kept[account], moment).tobytes() == row.tobytes(), (account, as_of)


def test__table__some_features_alone__same_bits_as_within_the_catalog(stored, table):
    """What else is computed beside a feature does not touch it."""
    names = random.Random(1).sample(CATALOG.names, 12)
    some = FeatureSet(feature for feature in CATALOG if feature.name in names)
    assert bits(build_feature_table(stored[3], DATES, some)) == bits(table[some.names])


def bucket_elsewhere(root, buckets, bucket, catalog):
    """In a process of its own: the rows of one bucket, by account and date."""
    features = pickle.loads(catalog)
    layout = layout_of(features.plan)
    kept = states(History(root, buckets=buckets), bucket).items()
    return {
        (account, date): row_of(state, date, features, layout).tobytes()
        for account, state in kept
        for date in DATES
        if state.first_known <= microseconds(date)
    }


def account_elsewhere(rows, as_of):
    """In a process of its own: one account from its rows."""
    return build_feature_row(Events.from_rows(rows), as_of, CATALOG).tobytes()


@pytest.fixture(scope="module")
def workers():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        yield pool


def test__processes__each_one_bucket_in_any_order__same_bits(stored, table, workers):
    """What a cluster does: workers that share nothing take buckets as they come."""
    expected = {
        (account, date.to_pydatetime()): row.tobytes()
        for (account, date), row in zip(table.index, table.to_numpy(), strict=True)
    }
    tasks = [(stored[16].root, 16, bucket, pickle.dumps(CATALOG)) for bucket in random.Random(2).sample(range(16), 16)]
    found = {}
    for part in workers.starmap(bucket_elsewhere, tasks, chunksize=1):
        assert not found.keys() & part.keys()
        found |= part
    assert found == expected


def test__processes__each_one_account__same_bits(rows, table, workers):
    """A row made in another process, from nothing but the account's own rows."""
    newest = table[table.index.get_level_values("as_of") == AS_OF]
    accounts = newest.index.get_level_values("account_id")
    found = workers.starmap(account_elsewhere, [(rows[account], AS_OF) for account in accounts])
    assert found == [row.tobytes() for row in newest.to_numpy()]


@settings(max_examples=20, deadline=None)
@given(accounts=st.lists(histories(max_size=10), min_size=1, max_size=6), threads=st.sampled_from([1, 2, 5]))
def test__any_history__buckets_threads_and_online__same_bits(accounts, threads, tmp_path_factory):
    """The same law for whatever hypothesis can think of."""
    by_id = {f"account {number}": history for number, history in enumerate(accounts)}
    root = tmp_path_factory.mktemp("any")
    one, many = (
        build_feature_table(store(root / str(n), by_id, buckets=n), DATES, CATALOG, threads=t)
        for n, t in ((1, 1), (3, threads))
    )
    assert bits(one) == bits(many)
    for (account, as_of), row in zip(one.index, one.to_numpy(), strict=True):
        assert (
            build_feature_row(Events.from_rows(by_id[account]), as_of.to_pydatetime(), CATALOG).tobytes()
            == row.tobytes()
        )
