"""What the service computes from a posted event is bit for bit what the night computes once the event is in the history."""

import random
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from histories import AS_OF, busy_history, histories
from hypothesis import given, settings
from hypothesis import strategies as st
from storing import store

from features.catalog import CATALOG
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_table
from features.history.ingest.validation import Bounds
from serving.accounts.checks import Checks
from serving.accounts.event_inbox import PostedEvent, clear, fold, post
from serving.accounts.reader import AccountReader
from serving.accounts.states import refresh_states
from serving.api.event_rows import judge
from serving.database.engine import open_engine, reading, writing
from serving.database.tables import event_inbox
from serving.database.upgrade import upgrade

EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
FEATURES = FeatureSet(CATALOG)
CHECKS = Checks()
SEEDS = st.integers(0, 2**32 - 1)


def as_posted(account, stream, row, draw):
    """The row as a CRM would send it, often without the moment at which it became known."""
    told = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
    if draw.random() < 0.5:
        del told["known_at"]
    return {"account_id": account, "stream": stream} | told


def posted(engine, rows):
    events = [one for one in judge(rows, CHECKS, Bounds(EARLIEST, AS_OF, "UTC")) if isinstance(one, PostedEvent)]
    with writing(engine) as connection:
        post(connection, events, AS_OF, None)
    return events


def bits(rows):
    return [None if row is None else row.tobytes() for row in rows]


def assert_the_night_sees_what_the_service_saw(folder, engine, known, told, seed):
    draw = random.Random(seed)
    history = store(folder, {"A": known, "B": known})
    refresh_states(engine, history, AS_OF)
    rows = [as_posted(account, stream, row, draw) for account in ("A", "C") for stream in told for row in told[stream]]
    draw.shuffle(rows)
    events = posted(engine, rows)
    accounts = AccountReader(engine, FEATURES)
    online = bits(accounts.rows(["A", "B", "C"], AS_OF))
    folded = fold(engine, history, folder / "posted", as_of=AS_OF, timezone="UTC", earliest=EARLIEST)
    assert len(folded.positions) == len({event.identity for event in events})
    # In the history, and not yet in the states: both states and inbox are as before.
    assert bits(accounts.rows(["A", "B", "C"], AS_OF)) == online
    refresh_states(engine, history, AS_OF)
    # In states and inbox at once.
    assert bits(accounts.rows(["A", "B", "C"], AS_OF)) == online
    clear(engine, folded.positions)
    assert bits(accounts.rows(["A", "B", "C"], AS_OF)) == online
    with reading(engine) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(event_inbox)).scalar_one() == 0
    table = build_feature_table(history, AS_OF, CATALOG)
    batch = dict(zip(table.index.get_level_values("account_id"), table.to_numpy(dtype="float64"), strict=True))
    assert bits([batch.get(account) for account in "ABC"]) == online


@given(known=histories(6), told=histories(6), seed=SEEDS)
@settings(max_examples=4, deadline=None)
def test__fold__any_events_over_any_history__every_feature_keeps_its_bits(tmp_path_factory, known, told, seed):
    folder = tmp_path_factory.mktemp("fold")
    engine = open_engine(f"sqlite:///{folder}/operational.db")
    upgrade(engine)
    assert_the_night_sees_what_the_service_saw(folder / "history", engine, known, told, seed)
    engine.dispose()


@pytest.mark.parametrize("seed", [1, 2])
def test__fold__of_accounts_that_do_much__every_feature_keeps_its_bits(database, tmp_path, seed):
    assert_the_night_sees_what_the_service_saw(
        tmp_path / "history", database, busy_history(seed), busy_history(seed + 100), seed
    )
