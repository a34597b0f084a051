"""Accounts at hand: what is computed from a state and from posted events is the feature table's row, bit for bit."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from random import Random
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from histories import AS_OF, busy_history, histories
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from states_in_memory import states_of
from storing import store

from features.catalog import CATALOG, named
from features.engine.account_state import State
from features.engine.events import Events
from features.engine.plan import FeatureSet
from features.engine.state_packing import layout_of
from features.engine.table import build_feature_row, build_feature_table
from features.history.streams import STREAMS
from serving.accounts.reader import FEW_POSTED, Accounts, KnownAccount
from serving.accounts.states import refresh_states
from serving.database.engine import DatabaseUnavailable, opened, writing
from serving.database.tables import account_states, event_inbox
from serving.online.schemas import ScoreRequest
from serving.online.score_request import is_quick

LAYOUT = layout_of(CATALOG.plan)
COMPANY = {f"A{number}": busy_history(number) for number in range(6)} | {
    "奶酪 'quoted'": {"accounts": busy_history(7)["accounts"]},
    "later": {"purchases": [{"occurred_at": AS_OF, "known_at": AS_OF + timedelta(microseconds=1), "kind": "order", "amount": 1.0}]},
}  # fmt: skip


@pytest.fixture
def history(tmp_path):
    return store(tmp_path, COMPANY)


@pytest.fixture
def accounts(database, history):
    refresh_states(database, history, AS_OF)
    return Accounts(database, CATALOG)


def as_posted(stream, row, event_id):
    """A row of the inbox as the service writes it: absent columns left out, times in UTC to the microsecond."""
    told = {name: value for name, value in (row | {"event_id": event_id}).items() if value is not None}
    times = [column.name for column in STREAMS[stream].columns if column.type == "time" and column.name in told]
    return json.dumps(told | {name: told[name].astimezone(UTC).isoformat(timespec="microseconds") for name in times})


def post(engine, account, stream, row, event_id):
    written = {
        "account_id": account,
        "stream": stream,
        "event_id": event_id,
        "occurred_at": row["occurred_at"],
        "known_at": row["known_at"],
        "received_at": row["known_at"],
        "row": as_posted(stream, row, event_id),
    }
    with writing(engine) as connection:
        connection.execute(sa.insert(event_inbox).values(written))


def bought(amount, known_at=AS_OF - timedelta(hours=1)):
    return {"occurred_at": AS_OF - timedelta(days=1), "known_at": known_at, "kind": "order", "amount": amount}


def test__rows__of_stored_accounts__are_the_tables_bit_for_bit(accounts, history):
    table = build_feature_table(history, AS_OF, CATALOG)
    asked = [*COMPANY, "nobody", "A0", "nul\0"]
    found = accounts.rows(asked, AS_OF)
    known = table.index.get_level_values("account_id")
    assert [row is not None for row in found] == [account in known for account in asked]
    for account, row in zip(asked, found, strict=True):
        if row is not None:
            assert row.tobytes() == table.loc[account].to_numpy().tobytes()
            assert accounts.rows([account], AS_OF)[0].tobytes() == row.tobytes()
    assert found[asked.index("later")] is None
    assert accounts.rows([], AS_OF) == []


def test__rows__of_other_features__share_the_connections(accounts, history):
    some = FeatureSet(named(CATALOG.names[5:9]))
    other = accounts.with_features(some)
    expected = build_feature_table(history, AS_OF, some)
    assert other.rows(["A1"], AS_OF)[0].tobytes() == expected.loc["A1"].to_numpy().tobytes()


@settings(max_examples=40, deadline=None)
@given(histories(max_size=12), st.randoms(use_true_random=False))
@example(busy_history(11), Random(1))
def test__row__of_any_history_cut_into_stored_and_posted__is_the_row_of_the_whole(rows, random):
    """Which of an account's events came by ingest and which by a request makes no difference, some came by both."""
    rows = {
        stream: [row | {"event_id": f"{stream}-{number:03}"} for number, row in enumerate(own)]
        for stream, own in rows.items()
    }
    assume(any(rows.values()))
    # Often all posted ones are the newest, as it is when nobody posts what is long past.
    old = sorted(row["occurred_at"] for own in rows.values() for row in own)
    cut = old[len(old) // 2] if old and random.random() < 0.5 else None
    stored = {
        stream: [row for row in own if (row["occurred_at"] <= cut if cut else random.random() < 0.7)]
        for stream, own in rows.items()
    }
    posted = {stream: [row for row in own if row not in stored[stream]] for stream, own in rows.items()}
    state = states_of({"a": stored}).get("a")
    account = KnownAccount("a", state and State(state), {stream: own for stream, own in posted.items() if own})
    events = Events.from_rows({stream: own for stream, own in rows.items() if stream in CATALOG.plan.streams})
    for as_of in (AS_OF, AS_OF - timedelta(days=30)):
        expected = build_feature_row(events, as_of, CATALOG)
        assert account.row(CATALOG, LAYOUT, as_of).tobytes() == expected.tobytes()


def test__posted_event__is_in_the_next_row_and_among_the_events(database, accounts, history):
    before = accounts.rows(["A0"], AS_OF)[0]
    post(database, "A0", "purchases", bought(12.5), "posted-1")
    purchases = [*COMPANY["A0"]["purchases"], bought(12.5) | {"event_id": "posted-1"}]
    whole = store(f"{history.root}/whole", {"A0": COMPANY["A0"] | {"purchases": purchases}})
    after = accounts.rows(["A0", "A1"], AS_OF)[0]
    assert after.tobytes() == build_feature_table(whole, AS_OF, CATALOG).to_numpy().tobytes() != before.tobytes()
    events = accounts.known(["A0"])["A0"].events("purchases")
    assert [row["event_id"] for row in events if row["source"] is None] == ["posted-1"]
    assert [row["occurred_at"] for row in events] == sorted(row["occurred_at"] for row in events)
    assert len(events) == len(COMPANY["A0"]["purchases"]) + 1


def test__is_quick__an_account_with_many_posted_rows__leaves_the_loop_to_others(database, accounts):
    """Thousands of rows are read for as long as all other callers would wait."""
    service = SimpleNamespace(accounts=accounts)
    for number in range(FEW_POSTED):
        post(database, "A0", "purchases", bought(1.0), f"posted-{number}")
    is_local = database.dialect.name == "sqlite"
    assert is_quick(ScoreRequest(account_ids=["A0", "A1"]), service) == is_local
    post(database, "A0", "purchases", bought(1.0), "one more")
    assert not is_quick(ScoreRequest(account_ids=["A1", "A0"]), service)
    assert is_quick(ScoreRequest(account_ids=["A1", "nobody"]), service) == is_local


def test__posted_event__that_the_state_has_already__is_ignored(database, accounts):
    """Between ingest and the clearing of the inbox an event is in both places; the state's is the one that counts."""
    before = accounts.rows(["A0"], AS_OF)[0]
    stored = accounts.known(["A0"])["A0"].events("purchases")
    post(database, "A0", "purchases", bought(1e6), stored[0]["event_id"])
    assert accounts.rows(["A0"], AS_OF)[0].tobytes() == before.tobytes()
    assert accounts.known(["A0"])["A0"].events("purchases") == stored


def test__posted_event__with_an_id_of_another_stream__is_an_event(database, accounts):
    """An id says something within its stream alone."""
    ids = {stream: accounts.known(["A0"])["A0"].state.event_ids(stream) for stream in ("purchases", "engagement")}
    here, there = sorted(ids, key=lambda stream: len(ids[stream]))
    post(database, "A0", here, {"kind": "login"} | bought(1.0), max(ids[there] - ids[here]))
    assert len(accounts.known(["A0"])["A0"].posted[here]) == 1


def test__account__known_by_posted_events_alone__has_its_row_from_then_on(database, accounts):
    row = bought(3.0)
    post(database, "fresh", "purchases", row, "1")
    known = accounts.known(["fresh", "nobody"])
    assert known.keys() == {"fresh"}
    assert known["fresh"].first_known == row["known_at"]
    assert known["fresh"].events("service") == []
    expected = build_feature_row(Events.from_rows({"purchases": [row]}), AS_OF, CATALOG)
    assert accounts.rows(["fresh"], AS_OF)[0].tobytes() == expected.tobytes()
    assert accounts.rows(["fresh"], row["known_at"] - timedelta(microseconds=1)) == [None]


def test__posted_event__known_before_the_first__makes_the_account_known_earlier(database, accounts):
    earlier = accounts.known(["A0"])["A0"].first_known - timedelta(days=1)
    post(database, "A0", "purchases", bought(1.0) | {"occurred_at": earlier, "known_at": earlier}, "1")
    assert accounts.rows(["A0"], earlier)[0] is not None
    assert accounts.known(["A0"])["A0"].first_known == earlier


def test__is_empty__until_a_state_is_written(database, history):
    accounts = Accounts(database, CATALOG)
    assert accounts.is_empty()
    refresh_states(database, history, AS_OF)
    assert not accounts.is_empty()


def test__damaged_state__is_told_and_not_computed_from(database, accounts):
    with writing(database) as connection:
        connection.execute(
            sa.update(account_states).where(account_states.c.account_id == "A0").values(state=b"FS\1torn")
        )
    with pytest.raises(DatabaseUnavailable, match=r"account_states holds .*no state of an account"):
        accounts.rows(["A0"], AS_OF)
    assert accounts.rows(["A1"], AS_OF)[0] is not None


def test__tables_gone__is_told_and_mended_tables_are_used_again(database, accounts):
    with writing(database) as connection:
        connection.exec_driver_sql("alter table event_inbox rename to gone")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="event_inbox"):
            accounts.rows(["A0"], AS_OF)
    with writing(database) as connection:
        connection.exec_driver_sql("alter table gone rename to event_inbox")
    assert accounts.rows(["A0"], AS_OF)[0] is not None


def test__many_threads__each_get_their_own_answers(accounts):
    names = [f"A{number}" for number in range(6)]
    expected = {name: accounts.rows([name], AS_OF)[0].tobytes() for name in names}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda name: (name, accounts.rows([name], AS_OF)[0].tobytes()), names * 20))
    assert all(expected[name] == row for name, row in found)


def test__connections_ended_by_the_server__are_replaced_unnoticed(database, accounts):
    """A restart of the server must not cost a request; only SQLite has nobody who could end them."""
    if database.dialect.name == "sqlite":
        pytest.skip("a file has no server")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: accounts.rows(["A0"], AS_OF), range(40)))
    end = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    for _ in range(2):
        with writing(database) as connection:
            connection.exec_driver_sql(end)
        assert accounts.rows(["A0"], AS_OF)[0] is not None


def test__server_that_is_not_there__is_told():
    nobody = Accounts(opened("postgresql+psycopg://me:secret@127.0.0.1:1/foresail", wait_seconds=0.5), CATALOG)
    with pytest.raises(DatabaseUnavailable, match=r"me:\*\*\*@127\.0\.0\.1"):
        nobody.rows(["A0"], AS_OF)
