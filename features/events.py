"""Events in memory: the accounts of one bucket, or one account, with each stream's events in time order.

Order within an account is (occurred_at, known_at, the stream's own columns as declared, event_id), missing
before present. It depends on what the events say and not on how they arrived, which is what lets a sum
of floats come out the same to the last bit wherever it is computed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.moments import microseconds
from features.streams import STREAMS, Column, Stream

if TYPE_CHECKING:
    from features.history import History

Array = np.ndarray[Any, Any]
NO_CODE = -1


@dataclass(frozen=True)
class Words:
    """A text column: `codes` point into `words`; `NO_CODE` where the value is missing."""

    codes: Array
    words: Sequence[str]

    def take(self, order: Array) -> "Words":
        return Words(self.codes[order], self.words)


@dataclass(frozen=True)
class StreamEvents:
    """The events of one stream, account after account, in time order inside each."""

    offsets: Array
    """Where each account's events begin, and the end of the last: accounts + 1 positions."""
    occurred_at: Array
    known_at: Array
    columns: Mapping[str, Words | Array]


@dataclass(frozen=True)
class Events:
    """All that is known of some accounts, by stream. `first_known` is when each was first heard of (UTC µs)."""

    accounts: Sequence[str]
    first_known: Array
    streams: Mapping[str, StreamEvents]

    @classmethod
    def from_rows(cls, rows: Mapping[str, Sequence[Mapping[str, Any]]], account_id: str = "") -> "Events":
        """One account from plain rows, checked and with defaults filled; times are aware datetimes.

        Columns that a row leaves out are missing. Unknown streams are a KeyError.
        """
        streams = {name: _one_account(STREAMS[name], given) for name, given in rows.items() if given}
        known = [stream.known_at.min() for stream in streams.values()]
        return cls([account_id], np.array([min(known, default=_NEVER)], dtype=np.int64), streams)

    @classmethod
    def from_history(cls, history: "History", bucket: int, needed: Mapping[str, Iterable[str]]) -> "Events":
        """The accounts of one bucket, sorted by account_id, with the needed columns of the needed streams.

        Every stream is asked who its accounts are, so that an account without events of one kind keeps its row.
        """
        tables = {name: history.read(name, bucket, _columns_to_read(needed.get(name, ()))) for name in STREAMS}
        accounts = sorted(set().union(*(_present(table["account_id"]) for table in tables.values())))
        first_known = np.full(len(accounts), _NEVER, dtype=np.int64)
        streams = {}
        for name, table in tables.items():
            events = _many_accounts(table, accounts, needed.get(name, ()))
            _lower_to_first(first_known, events)
            if name in needed:
                streams[name] = events
        return cls(accounts, first_known, streams)


_NEVER = np.iinfo(np.int64).max


def _columns_to_read(needed: Iterable[str]) -> list[str]:
    return ["account_id", "occurred_at", "known_at", *sorted(needed)]


def _present(column: pa.ChunkedArray) -> list[str]:
    """The words that occur in a dictionary-encoded column; a dictionary may hold others."""
    return [word.as_py() for chunk in column.chunks for word in chunk.unique().dictionary_decode()]


def _lower_to_first(first_known: Array, events: StreamEvents) -> None:
    """Lower each account's first_known to the earliest known_at among its events of this stream."""
    holds = np.flatnonzero(np.diff(events.offsets))
    if holds.size:
        earliest = np.minimum.reduceat(events.known_at, events.offsets[holds])
        first_known[holds] = np.minimum(first_known[holds], earliest)


def _many_accounts(table: pa.Table, accounts: Sequence[str], needed: Iterable[str]) -> StreamEvents:
    """Arrow rows in canonical order, sorted by account_id, as events of these accounts."""
    words = _words(table["account_id"])
    rank = {account: number for number, account in enumerate(accounts)}
    account = np.array([rank.get(word, 0) for word in words.words], dtype=np.int64)[words.codes]
    occurred_at, known_at = _microseconds(table["occurred_at"]), _microseconds(table["known_at"])
    columns = {name: _column(table[name]) for name in needed}
    offsets = np.searchsorted(account, np.arange(len(accounts) + 1)).astype(np.int64)
    events = StreamEvents(offsets, occurred_at, known_at, columns)
    in_order = (np.diff(occurred_at) >= 0) | (np.diff(account) > 0)
    # Canonical order is by known_at first; only late arrivals make the two differ. lexsort is stable.
    return events if in_order.all() else _take(events, np.lexsort((occurred_at, account)))


def _take(events: StreamEvents, order: Array) -> StreamEvents:
    columns = {
        name: column.take(order) if isinstance(column, Words) else column[order]
        for name, column in events.columns.items()
    }
    return StreamEvents(events.offsets, events.occurred_at[order], events.known_at[order], columns)


def _microseconds(column: pa.ChunkedArray) -> Array:
    moments: Array = _whole(column).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return moments


def _column(column: pa.ChunkedArray) -> Words | Array:
    if pa.types.is_dictionary(column.type):
        return _words(column)
    numbers: Array = _whole(column).to_numpy(zero_copy_only=False)
    return numbers.astype(np.float64, copy=False)


def _words(column: pa.ChunkedArray) -> Words:
    whole = _whole(column)
    return Words(whole.indices.fill_null(NO_CODE).to_numpy(zero_copy_only=False), whole.dictionary.to_pylist())


def _whole(column: pa.ChunkedArray) -> Any:
    """The column as one array; a column without rows has no chunk at all."""
    return column.chunk(0) if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()


def _one_account(stream: Stream, rows: Sequence[Mapping[str, Any]]) -> StreamEvents:
    in_order = sorted(rows, key=lambda row: _canonical_key(stream, row))
    occurred_at = [microseconds(row["occurred_at"]) for row in in_order]
    known_at = [microseconds(row["known_at"]) for row in in_order]
    return StreamEvents(
        np.array([0, len(rows)], dtype=np.int64),
        np.array(occurred_at, dtype=np.int64),
        np.array(known_at, dtype=np.int64),
        {column.name: _values(column, in_order) for column in stream.own_columns},
    )


def _canonical_key(stream: Stream, row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("known_at", *(column.name for column in stream.own_columns), "event_id")
    return row["occurred_at"], *(_missing_first(row.get(name)) for name in names)


def _missing_first(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)


def _values(column: Column, rows: Sequence[Mapping[str, Any]]) -> Words | Array:
    values = [row.get(column.name) for row in rows]
    if column.type == "number":
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    words = sorted({value for value in values if value is not None})
    code = {word: number for number, word in enumerate(words)}
    return Words(np.array([NO_CODE if value is None else code[value] for value in values], dtype=np.int32), words)
