"""Account states: nothing of a history is lost in them, the kernel sees no difference, and damage is reported."""

import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from histories import AS_OF, busy_history, histories
from hypothesis import example, given, settings
from hypothesis import strategies as st
from states_in_memory import states_of

from features.catalog import CATALOG
from features.engine.account_state import BODY, CompactError, State, numbered
from features.engine.events import Events, in_time_order
from features.engine.packing import Packed, pack
from features.engine.state_packing import layout_of, pack_state
from features.engine.table import build_feature_row, one_row
from features.history.streams import STREAMS
from features.timestamps import microseconds, moment

GOLDEN = Path(__file__).with_name("state_format_1.hex")
LAYOUT = layout_of(CATALOG.plan)
DATES = [AS_OF - timedelta(days=days) for days in (365, 30, 0)]

DAY = datetime(2024, 2, 29, tzinfo=UTC)
KNOWN = {
    "purchases": [
        {"occurred_at": DAY, "known_at": DAY, "event_id": "0" * 31 + "f", "source": "erp", "kind": "order",
         "order_id": "O1", "amount": 12.5, "quantity": 3.0},
        {"occurred_at": DAY + timedelta(seconds=1), "known_at": DAY + timedelta(days=2), "event_id": "a" * 32,
         "source": "erp", "kind": "return", "order_id": None, "amount": -0.1 - 0.2, "quantity": None},
    ],
    "accounts": [
        {"occurred_at": DAY, "known_at": DAY, "event_id": "x", "source": "crm", "name": "Käserei 奶酪",
         "founded_at": datetime(1871, 1, 18, tzinfo=UTC), "size": 1e300},
    ],
}  # fmt: skip


def full(stream, row):
    """A row as a state gives it: every column, and no account."""
    return {column.name: row.get(column.name) for column in numbered(STREAMS[stream])}


def assert_holds(state, rows):
    for stream in STREAMS:
        given = [full(stream, row) for row in rows.get(stream, [])]
        assert repr(State(state).events(stream)) == repr(in_time_order(STREAMS[stream], given)), stream


def test__state__of_known_rows__is_byte_by_byte_what_the_format_says():
    """Stored states outlive the code that wrote them: another format needs another number."""
    (state,) = states_of({"a": KNOWN}).values()
    assert state.hex() == GOLDEN.read_text(encoding="ascii").strip()


def test__state__of_the_golden_file__still_reads():
    assert_holds(bytes.fromhex(GOLDEN.read_text(encoding="ascii")), KNOWN)


def numbers():
    """Numbers of every encoding: whole, cents, neither, huge, without end, and a zero with a sign."""
    special = st.sampled_from([0.0, -0.0, 0.1 + 0.2, 1e300, 2.0**53, -(2.0**53) - 2, float("inf"), 5e-324])
    return st.one_of(special, st.floats(allow_nan=False), st.integers(-300, 70_000).map(lambda n: n / 100),
                     st.integers(-300, 300).map(float))  # fmt: skip


def words():
    """Words of every encoding: few, many, of 32 hex digits, empty, long, of any script, with separators inside."""
    return st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
        st.text("0123456789abcdef", min_size=32, max_size=32),
        st.sampled_from(["", "\0", "é" * 200, "a,b;c", "ABCDEFABCDEFABCDEFABCDEFABCDEFAB"]),
    )


def moments():
    """Moments of every unit, long ago and far away."""
    days, seconds = timedelta(days=1), timedelta(seconds=1)
    whole = st.builds(lambda unit, n: DAY + n * unit, st.sampled_from([days, seconds]), st.integers(-20_000, 20_000))
    return st.one_of(whole, st.integers(microseconds(DAY) - 10**15, microseconds(DAY) + 10**15).map(moment))


VALUES = {"text": words(), "number": numbers(), "time": moments()}


def rows_of(stream):
    """Rows with anything that a column can hold, which need make no sense."""
    columns = {column.name: st.none() | VALUES[column.type] for column in numbered(STREAMS[stream])}
    needed = {"occurred_at": moments(), "known_at": moments(), "event_id": words()}
    rows = st.lists(st.fixed_dictionaries(columns | needed), max_size=6, unique_by=lambda row: row["event_id"])
    return st.one_of(rows, rows.map(lambda own: [row | {"known_at": row["occurred_at"]} for row in own]))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.fixed_dictionaries({name: rows_of(name) for name in STREAMS})))
def test__state__of_any_rows__gives_them_back_to_the_last_bit(accounts):
    """Whatever a column holds, and whatever its neighbours in the bucket hold."""
    states = states_of(accounts)
    assert states.keys() == {account for account, rows in accounts.items() if any(rows.values())}
    for account, state in states.items():
        assert_holds(state, accounts[account])
        known = [microseconds(row["known_at"]) for rows in accounts[account].values() for row in rows]
        assert State(state).first_known == min(known)


def test__state__of_many_different_words__gives_them_back():
    """Codes grow to two bytes when one no longer tells the words apart."""
    rows = [
        {"occurred_at": DAY, "known_at": DAY, "event_id": f"{n:04}", "order_id": f"{n % 300}", "amount": 1.0}
        for n in range(600)
    ]
    (state,) = states_of({"a": {"purchases": rows}}).values()
    assert {row["event_id"]: row["order_id"] for row in State(state).events("purchases")} == {
        row["event_id"]: row["order_id"] for row in rows
    }
    assert State(state).event_ids("purchases") == {row["event_id"] for row in rows}
    assert State(state).event_ids("service") == set()


@settings(max_examples=60, deadline=None)
@given(histories())
@example(busy_history(1))
@example(busy_history(2))
@example({"accounts": [KNOWN["accounts"][0]]})
def test__row__from_a_state__is_the_row_from_events_bit_for_bit(rows):
    """Ties, late arrivals and events after as_of included: the kernel is fed with the very same numbers."""
    states = states_of({"other": busy_history(3), "a": rows})
    if "a" not in states:
        return
    packed = pack_state(State(states["a"]), LAYOUT)
    given = {name: [{"event_id": f"a-{number}"} | row for number, row in enumerate(own)] for name, own in rows.items()}
    events = Events.from_rows({name: given.get(name, []) for name in CATALOG.plan.streams})
    for name, own, expected in zip(Packed._fields, packed, pack(events, CATALOG.plan), strict=True):
        assert np.array_equal(own, expected, equal_nan=name == "numbers"), name
    for as_of in DATES:
        row = one_row(packed, CATALOG.plan.program, as_of)
        assert row.tobytes() == build_feature_row(events, as_of, CATALOG).tobytes()


def test__state__torn_or_foreign__is_refused():
    """A disk, or a hand, may have left anything; nothing of it may become a feature."""
    (state,) = states_of({"a": KNOWN}).values()
    for length in range(len(state)):
        with pytest.raises(CompactError):
            State(state[:length])
    for position in range(len(state)):
        with pytest.raises(CompactError):
            State(state[:position] + bytes([state[position] ^ 4]) + state[position + 1 :])
    for foreign in (b"", b"PK\3\4" + state, state + b"\0", zlib.compress(state)):
        with pytest.raises(CompactError, match="foresail nightly"):
            State(foreign)


def test__state__of_another_format__says_which():
    (state,) = states_of({"a": KNOWN}).values()
    with pytest.raises(CompactError, match="a state of format 2, this installation reads 1"):
        State(state[:2] + b"\2" + state[3:])


def test__state__header__is_what_the_format_says():
    """Read by nothing but the description."""
    (state,) = states_of({"a": KNOWN}).values()
    magic, version, check, first_known = struct.unpack_from("<2sBIq", state)
    assert (magic, version, check) == (b"FS", 1, zlib.crc32(state[BODY - 8 :]))
    assert first_known == microseconds(DAY)
    stream, columns, events = state[BODY : BODY + 3]
    assert (stream, events) == (0, 2)
    assert columns == len({name for row in KNOWN["purchases"] for name, value in row.items() if value is not None})


def test__columns__of_every_stream__fit_their_numbers():
    """A number of a column is below 32, that of a stream below 8; more needs another format."""
    assert len(STREAMS) <= 8
    assert all(len(numbered(stream)) <= 32 for stream in STREAMS.values())
