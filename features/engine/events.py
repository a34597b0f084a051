"""Events in memory: the accounts of one bucket, or one account, with each stream's events in time order.

Order within an account is (occurred_at, known_at, the stream's own columns as declared, event_id), missing
before present. It depends on the content of the events and not on the order of their arrival, so that a sum
of floats is the same to the last bit wherever it is computed.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.engine.layout import order_in_time
from features.history.streams import STREAMS, Column, Stream
from features.timestamps import microseconds

if TYPE_CHECKING:
    from features.history.store import History

Row = TypeVar("Row", bound=Mapping[str, Any])
NO_CODE = -1


@dataclass(frozen=True)
class Words:
    """A text column: `codes` point into `words`; `NO_CODE` where the value is missing."""

    codes: Array
    words: "Sequence[str] | pa.Array"

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
    """Numbers as float64, NaN where missing; times as the float64 of their UTC µs; text as words."""

    def followed_by(self, later: "StreamEvents") -> "StreamEvents":
        """Of one account these events and others that all occurred later, with the columns that these have."""
        columns = {name: _together(column, later.columns[name]) for name, column in self.columns.items()}
        occurred_at = np.concatenate([self.occurred_at, later.occurred_at])
        known_at = np.concatenate([self.known_at, later.known_at])
        return StreamEvents(self.offsets + later.offsets, occurred_at, known_at, columns)


def _together(earlier: Words | Array, later: Any) -> Words | Array:
    if not isinstance(earlier, Words):
        return np.concatenate([earlier, later])
    words = list(dict.fromkeys([*earlier.words, *later.words]))
    place = np.array([*map(words.index, later.words), NO_CODE], dtype=np.int32)
    return Words(np.concatenate([earlier.codes, place[later.codes]]), words)


@dataclass(frozen=True)
class KnownAccounts:
    """The accounts that are known: their ids, ascending, and when each became known (UTC µs)."""

    accounts: pa.Array
    first_known: Array

    @classmethod
    def of_bucket(cls, history: "History", bucket: int) -> "KnownAccounts":
        """The accounts of one bucket. Every stream is read, so that an account with events in one stream alone has its row."""
        return cls.of_rows([history.read(name, bucket, ["account_id", "known_at"]) for name in STREAMS])

    @classmethod
    def of_rows(cls, tables: Sequence[pa.Table]) -> "KnownAccounts":
        """The accounts of rows in canonical order, with account_id and known_at."""
        heard = [_first_heard(table) for table in tables if table.num_rows]
        accounts = _merged([accounts for accounts, _ in heard])
        first_known = np.full(len(accounts), _NEVER, dtype=np.int64)
        for ids, earliest in heard:
            place = _places(ids, accounts)
            first_known[place] = np.minimum(first_known[place], earliest)
        return cls(accounts, first_known)


@dataclass(frozen=True)
class Events:
    """Everything known of some accounts, by stream. `first_known` is when each became known (UTC µs)."""

    accounts: pa.Array
    first_known: Array
    streams: Mapping[str, StreamEvents]

    @classmethod
    def from_rows(cls, rows: Mapping[str, Sequence[Mapping[str, Any]]], account_id: str = "") -> "Events":
        """One account from plain rows, checked and with defaults filled; times are aware datetimes.

        Columns that a row leaves out are missing. Unknown streams are a KeyError.
        """
        streams = {name: _one_account(STREAMS[name], stream_rows) for name, stream_rows in rows.items() if stream_rows}
        known = [stream.known_at.min() for stream in streams.values()]
        return cls(pa.array([account_id]), np.array([min(known, default=_NEVER)], dtype=np.int64), streams)

    @classmethod
    def from_history(cls, history: "History", bucket: int, needed: Mapping[str, Iterable[str]]) -> "Events":
        """The accounts of one bucket, sorted by account_id, with the needed columns of the needed streams."""
        tables = {name: history.read(name, bucket, _columns_to_read(name, needed)) for name in STREAMS}
        known = KnownAccounts.of_rows(list(tables.values()))
        streams = {
            name: _many_accounts(tables[name], known.accounts, columns)
            for name, columns in needed.items()
            if tables[name].num_rows
        }
        return cls(known.accounts, known.first_known, streams)

    @classmethod
    def of_stream(cls, history: "History", bucket: int, stream: str, needed: Iterable[str]) -> "Events":
        """The accounts of one bucket that one stream knows of; the other streams are not looked at."""
        table = history.read(stream, bucket, ["account_id", "known_at", "occurred_at", *sorted(needed)])
        known = KnownAccounts.of_rows([table])
        streams = {stream: _many_accounts(table, known.accounts, needed)} if table.num_rows else {}
        return cls(known.accounts, known.first_known, streams)


_NEVER = np.iinfo(np.int64).max


def _columns_to_read(stream: str, needed: Mapping[str, Iterable[str]]) -> list[str]:
    """Every stream tells which accounts are known, and since when, also one of which no column is needed."""
    columns = ["occurred_at", *sorted(needed[stream])] if stream in needed else []
    return ["account_id", "known_at", *columns]


def _first_heard(table: pa.Table) -> tuple[pa.Array, Array]:
    """The accounts of rows in canonical order, ascending, and the first known_at of each."""
    codes, known_at = _whole(table["account_id"]), _microseconds(table["known_at"])
    first = _first_of_each(codes.indices.to_numpy())
    # Canonical order is by account_id, then known_at: the first row of an account was known first.
    return codes.dictionary.take(codes.indices.take(pa.array(first))), known_at[first]


def _first_of_each(codes: Array) -> Array:
    """The positions at which another account begins."""
    return np.concatenate([[0], np.flatnonzero(codes[1:] != codes[:-1]) + 1])


def _merged(parts: Sequence[pa.Array]) -> pa.Array:
    """All ids of parts that are each ascending and distinct, ascending and distinct."""
    if len(parts) == 1:
        return parts[0]
    ids = pc.unique(pa.chunked_array(parts, type=pa.string()))
    return ids.take(pc.sort_indices(ids))


def _places(ids: pa.Array, accounts: pa.Array) -> Array:
    places: Array = pc.index_in(ids, value_set=accounts).to_numpy(zero_copy_only=False)
    return places


def _many_accounts(table: pa.Table, accounts: pa.Array, needed: Iterable[str]) -> StreamEvents:
    """Arrow rows in canonical order, at least one, as events of these accounts."""
    codes = _whole(table["account_id"])
    first = _first_of_each(codes.indices.to_numpy())
    ids = codes.dictionary.take(codes.indices.take(pa.array(first)))
    counts = np.zeros(len(accounts) + 1, dtype=np.int64)
    counts[_places(ids, accounts) + 1] = np.diff(np.append(first, table.num_rows))
    columns = {name: _column(table[name]) for name in needed}
    times = _microseconds(table["occurred_at"]), _microseconds(table["known_at"])
    return _in_time_order(StreamEvents(np.cumsum(counts), *times, columns))


def _in_time_order(events: StreamEvents) -> StreamEvents:
    """Canonical order is by known_at first; only late arrivals make the two differ."""
    order = np.empty(events.occurred_at.size, dtype=np.int64)
    return _take(events, order) if order_in_time(events.occurred_at, events.offsets, order) else events


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
    whole = _whole(column)
    if pa.types.is_dictionary(column.type):
        return Words(whole.indices.fill_null(NO_CODE).to_numpy(zero_copy_only=False), whole.dictionary)
    if pa.types.is_timestamp(column.type):
        whole = whole.cast(pa.int64())
    numbers: Array = whole.to_numpy(zero_copy_only=False)
    return numbers.astype(np.float64, copy=False)


def _whole(column: pa.ChunkedArray) -> Any:
    """The column as one array; a column without rows has no chunk at all."""
    return column.chunk(0) if column.num_chunks == 1 else column.unify_dictionaries().combine_chunks()


def _one_account(stream: Stream, rows: Sequence[Mapping[str, Any]]) -> StreamEvents:
    in_order = in_time_order(stream, rows)
    occurred_at = [microseconds(row["occurred_at"]) for row in in_order]
    known_at = [microseconds(row["known_at"]) for row in in_order]
    return StreamEvents(
        np.array([0, len(rows)], dtype=np.int64),
        np.array(occurred_at, dtype=np.int64),
        np.array(known_at, dtype=np.int64),
        {column.name: _values(column, in_order) for column in stream.own_columns},
    )


def in_time_order(stream: Stream, rows: Iterable[Row]) -> list[Row]:
    """Plain rows of one account and stream in the order in which features see them."""
    return sorted(rows, key=lambda row: _canonical_key(stream, row))


def _canonical_key(stream: Stream, row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("known_at", *(column.name for column in stream.own_columns), "event_id")
    return row["occurred_at"], *(_missing_first(row.get(name)) for name in names)


def _missing_first(value: Any) -> tuple[bool, Any]:
    return (False, 0) if value is None else (True, value)


def _values(column: Column, rows: Sequence[Mapping[str, Any]]) -> Words | Array:
    values = [row.get(column.name) for row in rows]
    if column.type == "time":
        values = [None if value is None else microseconds(value) for value in values]
    if column.type != "text":
        return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
    words = sorted({value for value in values if value is not None})
    code = {word: number for number, word in enumerate(words)}
    return Words(np.array([NO_CODE if value is None else code[value] for value in values], dtype=np.int32), words)
