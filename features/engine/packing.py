"""Events laid out for the kernel: per event its moments, the tests it passes, its numbers, and its words as small numbers."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.definitions import Product, Value, Weights
from features.engine import layout
from features.engine.events import Events, StreamEvents, Words
from features.engine.plan import Page, Plan, Reading


class Packed(NamedTuple):
    """All streams of some accounts, one after the other in flat arrays.

    `offsets[s, a] : offsets[s, a + 1]` are the events of stream s and account a in `moments` and `known` (UTC µs).
    `bits`, `numbers` and `labels` hold the pages, values and words of the plan's reading, each over the events of its
    stream; the entry of event e is at e + shift. A label numbers the words of one account, from 0 on, −1 where
    there is no word; it has no meaning beyond its account. `label_count` is one more than the largest.
    """

    moments: Array
    known: Array
    bits: Array
    numbers: Array
    labels: Array
    offsets: Array
    bit_shifts: Array
    number_shifts: Array
    label_shifts: Array
    label_count: int


def pack(events: Events, plan: Plan) -> Packed:
    """Lay out the columns that the plan reads; a stream that is not there counts as empty."""
    reading = plan.reading
    nothing = _empty_stream(len(events.accounts))
    streams = {name: events.streams.get(name, nothing) for name in reading.streams}
    starts = dict(
        zip(streams, np.cumsum([0, *(stream.occurred_at.size for stream in streams.values())]).tolist(), strict=False)
    )
    bits, bit_shifts = _laid_out(
        [(page.stream, _bits(streams[page.stream], page)) for page in reading.pages], starts, np.uint64
    )
    numbers, number_shifts = _laid_out(
        [(stream, _numbers(streams[stream], value)) for stream, value in reading.numbers], starts, np.float64
    )
    labels, label_shifts, label_count = _labels(streams, reading, starts)
    return Packed(
        moments=_read_only(_join([stream.occurred_at for stream in streams.values()], np.int64)),
        known=_read_only(_join([stream.known_at for stream in streams.values()], np.int64)),
        bits=bits,
        numbers=_read_only(numbers),
        labels=labels,
        offsets=np.array(
            [stream.offsets + starts[name] for name, stream in streams.items()], dtype=np.int64
        ).reshape(len(streams), len(events.accounts) + 1),
        bit_shifts=bit_shifts,
        number_shifts=number_shifts,
        label_shifts=label_shifts,
        label_count=label_count,
    )  # fmt: skip


def _read_only(array: Array) -> Array:
    """Whether it is a part of the history or was laid out anew: for arrays of two kinds the kernel would be compiled twice."""
    view = array.view()
    view.flags.writeable = False
    return view


def _empty_stream(accounts: int) -> StreamEvents:
    nothing = np.empty(0, dtype=np.int64)
    return StreamEvents(np.zeros(accounts + 1, dtype=np.int64), nothing, nothing, {})


def _laid_out(parts: list[tuple[str, Array]], starts: dict[str, int], dtype: type) -> tuple[Array, Array]:
    """The parts one after the other, and what to add to an event's position to find its place in each."""
    begins = np.cumsum([0, *(part.size for _, part in parts)]).tolist()
    shifts = [begin - starts[stream] for begin, (stream, _) in zip(begins, parts, strict=False)]
    return _join([part for _, part in parts], dtype), np.array(shifts, dtype=np.int64)


def _join(parts: list[Array], dtype: type) -> Array:
    if len(parts) == 1:
        return np.ascontiguousarray(parts[0], dtype=dtype)
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype=dtype)


def _bits(events: StreamEvents, page: Page) -> Array:
    """For each event a word of 64 bits: bit n is set if it passes the page's test n."""
    bits = np.zeros(events.occurred_at.size, dtype=np.uint64)
    if not bits.size:
        return bits
    for name, by_word in page.bits_by_word.items():
        words = _words(events, name)
        layout.mark_words(words.codes, _by_word(words, by_word, np.uint64(0)), bits)
    for name, lowest, highest, bit in page.limits:
        layout.mark_within(_number_column(events, name), lowest, highest, np.uint64(bit), bits)
    return bits


def _numbers(events: StreamEvents, value: Value) -> Array:
    if not events.occurred_at.size:
        return np.empty(0, dtype=np.float64)
    if isinstance(value, Weights):
        words = _words(events, value.column)
        return _by_word(words, dict(value.weights), np.float64(np.nan))[words.codes]
    if isinstance(value, Product):
        with np.errstate(over="ignore", invalid="ignore"):  # too large a number is infinite, in a sum as here
            return _numbers(events, value.first) * _numbers(events, value.second)
    return _number_column(events, value)


def _labels(streams: dict[str, StreamEvents], reading: Reading, starts: dict[str, int]) -> tuple[Array, Array, int]:
    parts, most = [], 0
    for stream, column in reading.labels:
        labels = np.empty(streams[stream].occurred_at.size, dtype=np.int32)
        if labels.size:
            words = _words(streams[stream], column)
            most = max(most, layout.number_words(words.codes, len(words.words), streams[stream].offsets, labels))
        parts.append((stream, labels))
    return *_laid_out(parts, starts, np.int32), most


def _number_column(events: StreamEvents, name: str) -> Array:
    column = events.columns[name]
    if isinstance(column, Words):
        raise TypeError(f"column {name!r} holds text; numbers are needed")
    return column


def _words(events: StreamEvents, name: str) -> Words:
    column = events.columns[name]
    if not isinstance(column, Words):
        raise TypeError(f"column {name!r} holds numbers; words can be asked of a text column only")
    return column


def _by_word(column: Words, answers: Mapping[str, Any], missing: Any) -> Array:
    """The answer of each word; `missing` for those without one, and at the last place, where `NO_CODE` (−1) points."""
    if not isinstance(column.words, pa.Array):
        return np.array([*(answers.get(word, missing) for word in column.words), missing], dtype=missing.dtype)
    table = np.full(len(column.words) + 1, missing)
    places = pc.index_in(pa.array(list(answers), pa.string()), value_set=column.words)
    for place, answer in zip(places.to_pylist(), answers.values(), strict=True):
        if place is not None:
            table[place] = answer
    return table
