"""Compact states: all that is known of one account as a few bytes an event, whatever features will be asked of it.

A state is `MAGIC`, the version of the format (a byte), the CRC-32 of what follows (4 bytes), when the account was first
known (UTC µs, 8 bytes), and each stream that has events: its number, how many columns are filled (a byte each), the number
of events, and the filled columns. Streams are numbered as in `STREAMS`, columns as in `numbered`. A column is its number,
its encoding (a byte each, see `features.encoding`) and its content; one that is missing in every event is left out.

Events stand in the order of `features.events`, and the words of a column are numbered as they first come, so that the
kernel can be fed without sorting or numbering anything again. Little-endian throughout.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features import encoding
from features.encoding import MISSING
from features.events import Events, StreamEvents, Words
from features.moments import moment
from features.streams import STREAMS, Column, Stream

if TYPE_CHECKING:
    from features.history import History

Array = np.ndarray[Any, Any]

MAGIC = b"FS"
VERSION = 1
_HEADER = len(MAGIC) + 1 + 4
"""Bytes before what the check sum is of."""
BODY = _HEADER + 8
"""Where the streams begin."""
MOST_STREAMS, MOST_COLUMNS = 8, 32
OCCURRED_AT, KNOWN_AT, EVENT_ID = range(3)
"""Numbers of the columns that every stream has."""
_SOURCE = Column("source", "text", "the source that the row came from", "it was posted")
_ORDER = list(STREAMS)


class CompactError(ValueError):
    """Bytes that are no state, or not one of this version's; the message says which."""


def numbered(stream: Stream) -> tuple[Column, ...]:
    """The columns of a stream in the order of their numbers; own ones last, so that a stream may gain some."""
    shared = {column.name: column for column in stream.shared_columns}
    return (shared["occurred_at"], shared["known_at"], shared["event_id"], _SOURCE, *stream.own_columns)


def stream_number(name: str) -> int:
    """The number of a stream in a state."""
    return _ORDER.index(name)


@dataclass(frozen=True)
class BucketStates:
    """The states of one bucket's accounts, by account_id ascending."""

    accounts: list[str]
    first_known: Array
    """UTC µs."""
    ends: Array
    bodies: bytes

    @classmethod
    def of(cls, history: "History", bucket: int) -> "BucketStates":
        """All that the history has of a bucket, at its versions."""
        columns = {name: [column.name for column in numbered(stream)[2:]] for name, stream in STREAMS.items()}
        return cls.of_events(Events.from_history(history, bucket, columns))

    @classmethod
    def of_events(cls, events: Events) -> "BucketStates":
        """The states of accounts whose events have all columns, `event_id` and `source` included."""
        ends = np.empty(len(events.accounts), dtype=np.int64)
        bodies = _bodies(events, ends)
        return cls(events.accounts.to_pylist(), events.first_known, ends, bodies.tobytes())

    def __iter__(self) -> Iterator[tuple[str, int, bytes]]:
        """Of each account its id, when it was first known (UTC µs), its state."""
        view, begin = memoryview(self.bodies), 0
        for account, first_known, end in zip(self.accounts, self.first_known.tolist(), self.ends.tolist(), strict=True):
            yield account, first_known, _sealed(view[begin:end])
            begin = end


def _sealed(body: memoryview) -> bytes:
    return b"".join((MAGIC, bytes((VERSION,)), zlib.crc32(body).to_bytes(4, "little"), body))


def _bodies(events: Events, ends: Array) -> Array:
    """All accounts' states without their headers, one after the other."""
    streams = {name: events.streams[name] for name in STREAMS if name in events.streams}
    accounts = len(events.accounts)
    segments, bounds, owners = [np.empty(0, np.uint8)], [], []
    begin = 0
    for place, (name, stream) in enumerate(streams.items()):
        for number, column in enumerate(numbered(STREAMS[name])):
            written, own_ends = _written(stream, column, number, accounts)
            segments.append(written)
            bounds.append(np.concatenate([[0], own_ends]) + begin)
            owners.append(place)
            begin += written.size
    offsets = np.array([stream.offsets for stream in streams.values()], np.int64).reshape(len(streams), accounts + 1)
    out = np.empty(begin + accounts * (8 + 12 * len(streams)), dtype=np.uint8)
    encoding.assemble(
        events.first_known,
        np.array([stream_number(name) for name in streams], np.int64),
        offsets,
        np.array(owners, np.int64),
        np.concatenate(segments),
        np.array(bounds, np.int64).reshape(len(owners), accounts + 1),
        out,
        ends,
    )
    return out[: ends[-1] if accounts else 0]


def _written(events: StreamEvents, column: Column, number: int, accounts: int) -> tuple[Array, Array]:
    """One column of all accounts, account after account, and where each ends."""
    ends, offsets = np.zeros(accounts, dtype=np.int64), events.offsets
    values = _values(events, column)
    if isinstance(values, Words):
        letters, starts = _letters(values.words)
        out = np.empty(_most_bytes_of_words(values.codes, np.diff(starts), accounts), np.uint8)
        encoding.write_words(values.codes, starts, letters, offsets, number, out, ends)
    elif values.dtype == np.int64:
        same = events.occurred_at if column.name == "known_at" else values[:0]
        out = np.empty(_most_bytes(values, accounts), np.uint8)
        encoding.write_moments(values, same, offsets, number, out, ends)
    else:
        out = np.empty(_most_bytes(values, accounts), np.uint8)
        encoding.write_numbers(values, values.view(np.int64), offsets, number, out, ends)
    return out[: ends[-1]].copy() if accounts else out[:0], ends


def _values(events: StreamEvents, column: Column) -> Words | Array:
    """Text as words, moments as int64 with MISSING, numbers as float64 with NaN."""
    if column.name in ("occurred_at", "known_at"):
        return np.ascontiguousarray(getattr(events, column.name))
    values = events.columns[column.name]
    if isinstance(values, Words):
        return Words(np.ascontiguousarray(values.codes), values.words)
    if column.type != "time":
        return np.ascontiguousarray(values)
    absent = np.isnan(values)
    return np.where(absent, MISSING, np.where(absent, 0, values).astype(np.int64))


def _letters(words: "Sequence[str] | pa.Array") -> tuple[Array, Array]:
    """The UTF-8 of all words, one after the other, and where each begins."""
    array = words if isinstance(words, pa.Array) else pa.array(words, pa.string())
    _, starts, letters = array.buffers()
    within = np.frombuffer(starts, np.int32)[array.offset : array.offset + len(array) + 1] if starts else np.zeros(1)
    return np.frombuffer(letters or b"", np.uint8), within.astype(np.int64)


def _most_bytes(values: Array, accounts: int) -> int:
    """Number, encoding and the least value of each account, and 8 bytes an event."""
    return 12 * accounts + 8 * int(values.size)


def _most_bytes_of_words(codes: Array, lengths: Array, accounts: int) -> int:
    """The same of text: a code, a length of at most 5 bytes and the letters of each event."""
    return 7 * accounts + 9 * int(codes.size) + int(lengths[codes[codes >= 0]].sum())


class State:
    """One account's state, each column read when it is asked for.

    CompactError for bytes that are no state, torn, or of another version of the format.
    """

    def __init__(self, state: bytes) -> None:
        _check(state)
        self.content = np.frombuffer(state, np.uint8)
        self.first_known = int.from_bytes(state[_HEADER:BODY], "little", signed=True)
        """UTC µs."""

    def events(self, stream: str) -> list[dict[str, Any]]:
        """The rows of one stream in the order of `features.events`: all its columns but account_id, and `source`.

        Times are aware, numbers floats; what is missing is None.
        """
        found = {int(one[encoding.COLUMN]): one for one in self._columns if one[0] == stream_number(stream)}
        if not found:
            return []
        events = int(next(iter(found.values()))[encoding.EVENTS])
        columns = {
            column.name: self._column(column, number, found) or [None] * events
            for number, column in enumerate(numbered(STREAMS[stream]))
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def event_ids(self, stream: str) -> set[str]:
        """What identifies the events of one stream."""
        number = stream_number(stream)
        return {
            word
            for one in self._columns
            if one[0] == number and one[1] == EVENT_ID
            for word in self._words(one)
            if word is not None
        }

    @cached_property
    def _columns(self) -> list[tuple[int, ...]]:
        found = np.empty((MOST_STREAMS * MOST_COLUMNS, 5), np.int64)
        count = encoding.find_columns(self.content, BODY, found)
        return [tuple(one) for one in found[:count].tolist()]

    def _column(self, column: Column, number: int, found: Mapping[int, tuple[int, ...]]) -> list[Any] | None:
        if number not in found:
            return None
        one = found[number]
        if one[encoding.ENCODING] == encoding.SAME:
            one = found[OCCURRED_AT]
        if column.type == "text":
            return self._words(one)
        return self._moments(one) if column.type == "time" else self._numbers(one)

    def _moments(self, one: tuple[int, ...]) -> list[datetime | None]:
        _, _, how, at, events = one
        out = np.empty(events, np.int64)
        encoding.read_whole(self.content, at, how, events, out)
        return [None if value == MISSING else moment(value) for value in out.tolist()]

    def _numbers(self, one: tuple[int, ...]) -> list[float | None]:
        _, _, how, at, events = one
        out = np.empty(events, np.float64)
        encoding.read_numbers(self.content, at, how, events, out, out.view(np.int64))
        return [None if isnan(value) else value for value in out.tolist()]

    def _words(self, one: tuple[int, ...]) -> list[str | None]:
        _, _, how, at, events = one
        if how == encoding.HEX:
            text = self.content[at : at + events * 16].tobytes().hex()
            return [text[begin : begin + 32] for begin in range(0, 32 * events, 32)]
        words = [*self._distinct_words(at, how, events), None]
        codes = np.empty(events, np.int32)
        encoding.read_codes(self.content, at, how, events, codes)
        return [words[code] for code in codes.tolist()]

    def _distinct_words(self, at: int, how: int, events: int) -> Iterator[str]:
        count, at = encoding.find_words(self.content, at, how, events)
        lengths = []
        for _ in range(count):
            length, at = encoding.varint(self.content, at)
            lengths.append(length)
        letters = self.content[at : at + sum(lengths)].tobytes()
        begin = 0
        for length in lengths:
            yield letters[begin : begin + length].decode()
            begin += length


def _check(state: bytes) -> None:
    if state[: len(MAGIC)] != MAGIC or len(state) < BODY:
        raise CompactError(f"{len(state)} bytes that are no state of an account; `foresail nightly` writes it anew")
    if state[len(MAGIC)] != VERSION:
        raise CompactError(
            f"a state of format {state[len(MAGIC)]}, this installation reads {VERSION}; `foresail nightly` writes it anew"
        )
    if zlib.crc32(memoryview(state)[_HEADER:]) != int.from_bytes(state[_HEADER - 4 : _HEADER], "little"):
        raise CompactError(f"a damaged state of {len(state)} bytes; `foresail nightly` writes it anew")
