"""Account states: everything known of one account in a few bytes per event, for any set of features.

A state is `MAGIC`, the version of the format (a byte), the CRC-32 of what follows (4 bytes), when the account was first
known (UTC µs, 8 bytes), and each stream that has events: its number, how many columns are filled (a byte each), the number
of events, and the filled columns. Streams are numbered as in `STREAMS`, columns as in `numbered`. A column is its number,
its encoding (a byte each, see `features.engine.codec`) and its content; one that is missing in every event is left out.

Events stand in the order of `features.engine.events`, and the words of a column are numbered as they first come, so that the
kernel can be fed without sorting or numbering anything again. Little-endian throughout.
"""

import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isnan
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from features.arrays import Array
from features.engine import codec
from features.engine.codec import MISSING
from features.engine.events import NO_CODE, Events, StreamEvents, Words
from features.errors import ExitCode, ForesailError
from features.history.streams import STREAMS, Column, Stream
from features.timestamps import moment

if TYPE_CHECKING:
    from features.history.store import History


MAGIC = b"FS"
VERSION = 1
_HEADER = len(MAGIC) + 1 + 4
"""Bytes before the content that the check sum covers."""
BODY = _HEADER + 8
"""Where the streams begin."""
MOST_STREAMS, MOST_COLUMNS = 8, 32
OCCURRED_AT, KNOWN_AT, EVENT_ID = range(3)
"""Numbers of the columns that every stream has."""
_SOURCE = Column("source", "text", "the source that the row came from", "it was posted")
_ORDER = list(STREAMS)


class CompactError(ForesailError, ValueError):
    """Bytes that are no state, or a state of another version; the message says which."""

    exit_code = ExitCode.DATA


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
    codec.assemble(
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
        codec.write_words(values.codes, starts, letters, offsets, number, out, ends)
    elif values.dtype == np.int64:
        same = events.occurred_at if column.name == "known_at" else values[:0]
        out = np.empty(_most_bytes(values, accounts), np.uint8)
        codec.write_moments(values, same, offsets, number, out, ends)
    else:
        out = np.empty(_most_bytes(values, accounts), np.uint8)
        codec.write_numbers(values, values.view(np.int64), offsets, number, out, ends)
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


_Column = tuple[int, int, int, int, int]
"""Stream, number, encoding, position of its content, and events of a column, as `features.engine.codec` finds it."""


class State:
    """One account's state, each column read on first use.

    CompactError for bytes that are no state, torn, or of another version of the format.
    """

    def __init__(self, state: bytes) -> None:
        _check(state)
        self.content = np.frombuffer(state, np.uint8)
        self.first_known = int.from_bytes(state[_HEADER:BODY], "little", signed=True)
        """UTC µs."""

    def events(self, stream: str) -> list[dict[str, Any]]:
        """The rows of one stream in the order of `features.engine.events`: all its columns but account_id, and `source`.

        Times are aware, numbers floats; missing values are None.
        """
        places = self._places(stream)
        if not places:
            return []
        absent = [None] * places[OCCURRED_AT][codec.EVENTS]
        columns = {
            column.name: self._plain(column, places[number]) if number in places else absent
            for number, column in enumerate(numbered(STREAMS[stream]))
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def stream(self, stream: str, columns: Collection[str]) -> StreamEvents | None:
        """The events of one stream with these columns of its own; None where it has none."""
        places = self._places(stream)
        if not places:
            return None
        events = places[OCCURRED_AT][codec.EVENTS]
        return StreamEvents(
            np.array([0, events], np.int64),
            self._whole(places[OCCURRED_AT]),
            self._whole(places[KNOWN_AT]),
            {
                column.name: self._array(column, places.get(number), events)
                for number, column in enumerate(numbered(STREAMS[stream]))
                if column.name in columns
            },
        )

    def event_ids(self, stream: str) -> set[str]:
        """The event_ids of one stream."""
        places = self._places(stream)
        return {word for word in self._words(places[EVENT_ID]) if word is not None} if EVENT_ID in places else set()

    def _places(self, stream: str) -> dict[int, _Column]:
        """Where each column of a stream is, by its number."""
        places = {place[codec.COLUMN]: place for place in self._columns if place[codec.STREAM] == stream_number(stream)}
        if places and places[KNOWN_AT][codec.ENCODING] == codec.SAME:
            places[KNOWN_AT] = places[OCCURRED_AT]
        return places

    @cached_property
    def _columns(self) -> list[_Column]:
        places = np.empty((MOST_STREAMS * MOST_COLUMNS, 5), np.int64)
        count = codec.find_columns(self.content, BODY, places)
        return [(stream, column, how, at, events) for stream, column, how, at, events in places[:count].tolist()]

    def _plain(self, column: Column, place: _Column) -> list[Any]:
        if column.type == "text":
            return self._words(place)
        if column.type == "time":
            return [None if value == MISSING else moment(value) for value in self._whole(place).tolist()]
        return [None if isnan(value) else value for value in self._numbers(place).tolist()]

    def _array(self, column: Column, place: _Column | None, events: int) -> Words | Array:
        if column.type == "text":
            words = [] if place is None else self._distinct_words(place)
            return Words(np.full(events, NO_CODE, np.int32) if place is None else self._codes(place), words)
        return np.full(events, np.nan) if place is None else self._numbers(place)

    def _whole(self, place: _Column) -> Array:
        _, _, how, at, events = place
        out = np.empty(events, np.int64)
        codec.read_whole(self.content, at, how, events, out)
        return out

    def _numbers(self, place: _Column) -> Array:
        _, _, how, at, events = place
        out = np.empty(events, np.float64)
        codec.read_numbers(self.content, at, how, events, out, out.view(np.int64))
        return out

    def _codes(self, place: _Column) -> Array:
        _, _, how, at, events = place
        codes = np.empty(events, np.int32)
        codec.read_codes(self.content, at, how, events, codes)
        return codes

    def _words(self, place: _Column) -> list[str | None]:
        words = [*self._distinct_words(place), None]
        return [words[code] for code in self._codes(place).tolist()]

    def _distinct_words(self, place: _Column) -> list[str]:
        _, _, how, at, events = place
        if how == codec.HEX:
            digits = self.content[at : at + events * 16].tobytes().hex()
            return [digits[begin : begin + 32] for begin in range(0, 32 * events, 32)]
        count, at = codec.find_words(self.content, at, how, events)
        ends = np.empty(count + 1, np.int64)
        codec.find_letters(self.content, at, ends)
        return [self.content[begin:end].tobytes().decode() for begin, end in pairwise(ends.tolist())]


def _check(state: bytes) -> None:
    if state[: len(MAGIC)] != MAGIC or len(state) < BODY:
        raise CompactError(f"{len(state)} bytes that are no state of an account; `foresail nightly` writes it anew")
    if state[len(MAGIC)] != VERSION:
        raise CompactError(
            f"a state of format {state[len(MAGIC)]}, this installation reads {VERSION}; `foresail nightly` writes it anew"
        )
    if zlib.crc32(memoryview(state)[_HEADER:]) != int.from_bytes(state[_HEADER - 4 : _HEADER], "little"):
        raise CompactError(f"a damaged state of {len(state)} bytes; `foresail nightly` writes it anew")
