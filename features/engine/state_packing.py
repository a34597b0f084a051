"""An account state laid out for the kernel in one compiled step: the work of `features.engine.packing` without its events.

A page load waits for it. Going through arrays of numpy costs half a millisecond for one account, most of it for calls.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from features.arrays import Array
from features.definitions import Product, Value, Weights
from features.engine import codec
from features.engine.account_state import (
    BODY,
    KNOWN_AT,
    MOST_COLUMNS,
    MOST_STREAMS,
    OCCURRED_AT,
    State,
    numbered,
    stream_number,
)
from features.engine.codec import (
    AT,
    COLUMN,
    ENCODING,
    EVENTS,
    HEX,
    SAME,
    STREAM,
    find_columns,
    find_letters,
    find_words,
)
from features.engine.compilation import compiled
from features.engine.layout import mark_within
from features.engine.packing import Packed
from features.engine.plan import Plan, Reading
from features.history.streams import STREAMS

_COLUMN, _PRODUCT, _WEIGHTS = range(3)
_NONE = -1


class Layout(NamedTuple):
    """The columns that a plan reads, as arrays.

    places: the place of each stream among those read; number_slots, word_slots: of each (stream, column) its place among
    the columns read as numbers or as words; word_from, word_starts, letters: the words that the plan asks each word
    column for; page_streams: of each page its stream; page_words: page, word column and first of its bits; limits:
    page and number column, with lowest, highest and bit; numbers: stream, how, and the columns or the first weight;
    labels: stream and word column. Streams are places, columns are slots.
    """

    places: Array
    number_slots: Array
    word_slots: Array
    word_from: Array
    word_starts: Array
    letters: Array
    page_streams: Array
    page_words: Array
    word_bits: Array
    limits: Array
    lowest: Array
    highest: Array
    limit_bits: Array
    numbers: Array
    weights: Array
    labels: Array


class _Slots:
    """Columns in the order in which they are first asked for."""

    def __init__(self) -> None:
        self.order: dict[tuple[str, str], int] = {}

    def __call__(self, stream: str, column: str) -> int:
        return self.order.setdefault((stream, column), len(self.order))

    def table(self) -> Array:
        """Slots by stream and column number."""
        table = np.full((MOST_STREAMS, MOST_COLUMNS), _NONE, np.int64)
        for (stream, column), slot in self.order.items():
            names = [entry.name for entry in numbered(STREAMS[stream])]
            table[stream_number(stream), names.index(column)] = slot
        return table


class _Writer:
    """Writes a layout."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.place = {name: place for place, name in enumerate(reading.streams)}
        self.numbers, self.words = _Slots(), _Slots()
        self.needed = _needed_words(reading)
        self.page_words: list[tuple[int, int, int]] = []
        self.word_bits: list[int] = []
        self.limits: list[tuple[int, int]] = []
        self.bounds: list[tuple[float, float, int]] = []
        self.weights: list[float] = []
        for number, page in enumerate(reading.pages):
            for column, bits in page.bits_by_word.items():
                self._write_words(number, page.stream, column, bits)
            for column, lowest, highest, bit in page.limits:
                self.limits.append((number, self.numbers(page.stream, column)))
                self.bounds.append((lowest, highest, bit))

    def _write_words(self, page: int, stream: str, column: str, bits: dict[str, int]) -> None:
        self.page_words.append((page, self.words(stream, column), len(self.word_bits)))
        self.word_bits += [bits.get(word, 0) for word in self.needed[stream, column]]

    def _number(self, stream: str, value: Value) -> tuple[int, int, int, int]:
        if isinstance(value, Weights):
            first, weights = len(self.weights), dict(value.weights)
            self.weights += [weights.get(word, np.nan) for word in self.needed[stream, value.column]]
            return self.place[stream], _WEIGHTS, self.words(stream, value.column), first
        if isinstance(value, Product):
            return (
                self.place[stream],
                _PRODUCT,
                self.numbers(stream, value.first),
                self.numbers(stream, value.second),
            )
        return self.place[stream], _COLUMN, self.numbers(stream, value), _NONE

    def layout(self) -> Layout:
        numbers = [self._number(stream, value) for stream, value in self.reading.numbers]
        labels = [(self.place[stream], self.words(stream, column)) for stream, column in self.reading.labels]
        words = [[word.encode() for word in self.needed.get(key, ())] for key in self.words.order]
        flat = [word for column_words in words for word in column_words]
        lowest, highest, bits = zip(*self.bounds, strict=True) if self.bounds else ((), (), ())
        return Layout(
            places=np.array([self.place.get(name, _NONE) for name in STREAMS], np.int64),
            number_slots=self.numbers.table(),
            word_slots=self.words.table(),
            word_from=_starts(words),
            word_starts=_starts(flat),
            letters=np.frombuffer(b"".join(flat) or b"\0", np.uint8).copy(),
            page_streams=np.array([self.place[page.stream] for page in self.reading.pages], np.int64),
            page_words=_table(self.page_words, 3),
            word_bits=np.array(self.word_bits, np.uint64),
            limits=_table(self.limits, 2),
            lowest=np.array(lowest, np.float64),
            highest=np.array(highest, np.float64),
            limit_bits=np.array(bits, np.uint64),
            numbers=_table(numbers, 4),
            weights=np.array(self.weights, np.float64),
            labels=_table(labels, 2),
        )


def layout_of(plan: Plan) -> Layout:
    """The layout of a plan; made once for a plan."""
    return _Writer(plan.reading).layout()


def _needed_words(reading: Reading) -> dict[tuple[str, str], list[str]]:
    """By stream and column the words that a test or a weight names."""
    needed: dict[tuple[str, str], dict[str, None]] = {}
    for page in reading.pages:
        for column, bits in page.bits_by_word.items():
            needed.setdefault((page.stream, column), {}).update(dict.fromkeys(bits))
    for stream, value in reading.numbers:
        if isinstance(value, Weights):
            needed.setdefault((stream, value.column), {}).update(dict.fromkeys(dict(value.weights)))
    return {key: list(words) for key, words in needed.items()}


def _starts(parts: Sequence[Sequence[Any] | bytes]) -> Array:
    return np.cumsum([0, *(len(part) for part in parts)]).astype(np.int64)


def _table(rows: Sequence[Sequence[int]], width: int) -> Array:
    return np.array(rows, np.int64).reshape(-1, width)


def pack_state(state: State, layout: Layout) -> Packed:
    """The account's events laid out, field by field as `features.engine.packing.pack` does it."""
    packed = Packed(*lay_out(state.content, layout))
    for array in (packed.moments, packed.known, packed.numbers):
        array.flags.writeable = False  # as `pack` has them, so that one kernel serves both
    return packed


@compiled
def lay_out(state: Array, layout: Layout) -> tuple[Any, ...]:
    """The fields of `Packed`."""
    places = np.empty((MOST_STREAMS * MOST_COLUMNS, 5), np.int64)
    places = places[: find_columns(state, BODY, places)]
    counts = _counts(places, layout)
    starts = _running(counts)
    moments, known = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.int64)
    numbers, codes, word_places, most = _columns(state, places, counts, starts, layout, moments, known)
    bits, bit_shifts = _bits(numbers, word_places, counts, starts, layout)
    values, value_shifts = _values(numbers, word_places, counts, starts, layout)
    labels, label_shifts = _labels(codes, counts, starts, layout)
    offsets = np.empty((counts.shape[0], 2), np.int64)
    offsets[:, 0], offsets[:, 1] = starts[:-1], starts[1:]
    return moments, known, bits, values, labels, offsets, bit_shifts, value_shifts, label_shifts, most


@compiled
def _counts(places: Array, layout: Layout) -> Array:
    """How many events each stream has that is read."""
    streams = 0
    for place in layout.places:
        streams = max(streams, place + 1)
    counts = np.zeros(streams, np.int64)
    for row in places:
        if layout.places[row[STREAM]] >= 0:
            counts[layout.places[row[STREAM]]] = row[EVENTS]
    return counts


@compiled
def _running(counts: Array) -> Array:
    """Where each begins, and the end of the last."""
    starts = np.zeros(counts.shape[0] + 1, np.int64)
    for place in range(counts.shape[0]):
        starts[place + 1] = starts[place] + counts[place]
    return starts


@compiled
def _columns(
    state: Array, places: Array, counts: Array, starts: Array, layout: Layout, moments: Array, known: Array
) -> tuple[Array, Array, Array, int]:
    """Read the needed columns: numbers, codes of words, the place of each among the needed words; the most words of a label."""
    longest = 0
    for count in counts:
        longest = max(longest, count)
    number_columns, word_columns = layout.number_slots.max() + 1, layout.word_slots.max() + 1
    numbers = np.full((number_columns, longest), np.nan)
    codes = np.full((word_columns, longest), -1, np.int32)
    word_places = np.full((word_columns, longest), -1, np.int32)
    words_of = np.zeros(word_columns, np.int64)
    bits = numbers.view(np.int64)
    for row in places:
        stream, column, how, at, events = row[STREAM], row[COLUMN], row[ENCODING], row[AT], row[EVENTS]
        place = layout.places[stream]
        if place < 0:
            continue
        begin, end = starts[place], starts[place + 1]
        if column == OCCURRED_AT:
            codec.read_whole(state, at, how, events, moments[begin:end])
        elif column == KNOWN_AT and how == SAME:
            known[begin:end] = moments[begin:end]
        elif column == KNOWN_AT:
            codec.read_whole(state, at, how, events, known[begin:end])
        number, word = layout.number_slots[stream, column], layout.word_slots[stream, column]
        if number >= 0:
            codec.read_numbers(state, at, how, events, numbers[number], bits[number])
        if word >= 0:
            codec.read_codes(state, at, how, events, codes[word])
            words_of[word] = _find_needed(state, at, how, events, word, codes[word], word_places[word], layout)
    most = 0
    for label in layout.labels:
        most = max(most, words_of[label[1]])
    return numbers, codes, word_places, most


@compiled
def _find_needed(
    state: Array, at: int, how: int, events: int, column: int, codes: Array, word_places: Array, layout: Layout
) -> Any:
    """For each event, the place of its word among the needed words of the column; how many words the column has."""
    if how == HEX:
        return events
    words, lengths = find_words(state, at, how, events)
    if layout.word_from[column] == layout.word_from[column + 1]:
        return words
    which, ends = np.empty(words, np.int32), np.empty(words + 1, np.int64)
    find_letters(state, lengths, ends)
    for word in range(words):
        which[word] = _which(state[ends[word] : ends[word + 1]], column, layout)
    for event in range(events):
        word_places[event] = which[codes[event]] if codes[event] >= 0 else -1
    return words


@compiled
def _which(word: Array, column: int, layout: Layout) -> Any:
    """The place of a word among the needed words of a column; −1 if it is none of them."""
    for place in range(layout.word_from[column], layout.word_from[column + 1]):
        start, end = layout.word_starts[place], layout.word_starts[place + 1]
        if end - start == word.shape[0] and np.all(layout.letters[start:end] == word):
            return place - layout.word_from[column]
    return -1


@compiled
def _room(owners: Array, counts: Array, starts: Array) -> tuple[Array, Array]:
    """Where the part of each owner begins, one after the other, and what to add to an event's position to find it there."""
    begins, shifts = np.zeros(owners.shape[0] + 1, np.int64), np.empty(owners.shape[0], np.int64)
    for part in range(owners.shape[0]):
        begins[part + 1] = begins[part] + counts[owners[part]]
        shifts[part] = begins[part] - starts[owners[part]]
    return begins, shifts


@compiled
def _bits(numbers: Array, word_places: Array, counts: Array, starts: Array, layout: Layout) -> tuple[Array, Array]:
    begins, shifts = _room(layout.page_streams, counts, starts)
    bits = np.zeros(begins[-1], np.uint64)
    for row in layout.page_words:
        page, column, first = row
        for event in range(counts[layout.page_streams[page]]):
            if word_places[column, event] >= 0:
                bits[begins[page] + event] |= layout.word_bits[first + word_places[column, event]]
    for limit in range(layout.limits.shape[0]):
        page, column = layout.limits[limit]
        events = begins[page + 1] - begins[page]
        mark_within(
            numbers[column, :events], layout.lowest[limit], layout.highest[limit], layout.limit_bits[limit],
            bits[begins[page] : begins[page + 1]],
        )  # fmt: skip
    return bits, shifts


@compiled
def _values(numbers: Array, word_places: Array, counts: Array, starts: Array, layout: Layout) -> tuple[Array, Array]:
    begins, shifts = _room(layout.numbers[:, 0], counts, starts)
    values = np.empty(begins[-1])
    for part in range(layout.numbers.shape[0]):
        _, how, first, second = layout.numbers[part]
        for event in range(begins[part + 1] - begins[part]):
            if how == _WEIGHTS:
                which = word_places[first, event]
                value = layout.weights[second + which] if which >= 0 else np.nan
            else:
                value = numbers[first, event]
                if how == _PRODUCT:
                    value *= numbers[second, event]
            values[begins[part] + event] = value
    return values, shifts


@compiled
def _labels(codes: Array, counts: Array, starts: Array, layout: Layout) -> tuple[Array, Array]:
    begins, shifts = _room(layout.labels[:, 0], counts, starts)
    labels = np.empty(begins[-1], np.int32)
    for part in range(layout.labels.shape[0]):
        events = begins[part + 1] - begins[part]
        labels[begins[part] : begins[part + 1]] = codes[layout.labels[part, 1], :events]
    return labels, shifts
