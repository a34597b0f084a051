"""The compiled parts of compact states: one account's column as few bytes, and back, exact to the last bit.

`features.engine.account_state` has the format. All numbers are little-endian; a varint holds seven bits a byte, the lowest first.
"""

import math
from typing import Any

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled
from features.timestamps import DAY

SAME, FLOATS, HEX, EACH, ALL, CODES_1, CODES_2, CODES_4 = range(8)
"""known_at as occurred_at; floats of 8 bytes; words of 32 hex digits; a word for each event; one for all; codes."""
WHOLE = 64
"""Whole numbers of a unit (bits 3 and 4), counted from the least of them, in 0, 1, 2, 4 or 8 bytes (bits 0 to 2)."""
ONES, SECONDS, DAYS, HUNDREDTHS = range(4)
MISSING = np.iinfo(np.int64).min
"""A missing whole number; in the bytes all bits are set."""

_SECOND = 1_000_000
_DAY = DAY
_EXACT = 2.0**53
HEX_DIGITS = 32


@compiled
def put_varint(number: int, out: Array, at: int) -> int:
    """Write a number of at least 0; the position after it."""
    while number >= 128:
        out[at] = (number & 127) | 128
        number >>= 7
        at += 1
    out[at] = number
    return at + 1


@compiled
def varint(state: Array, at: int) -> tuple[int, int]:
    """The number at a position, and the position after it."""
    number: Any = np.int64(0)
    shift = 0
    while state[at] >= 128:
        number |= (np.int64(state[at]) & 127) << shift
        shift += 7
        at += 1
    return number | (np.int64(state[at]) << shift), at + 1


@compiled
def put_bytes(number: int, width: int, out: Array, at: int) -> int:
    """Write the lowest `width` bytes of a number; the position after them."""
    for place in range(width):
        out[at + place] = (number >> (8 * place)) & 255
    return at + width


@compiled
def from_bytes(state: Array, at: int, width: int) -> Any:
    """The number of `width` bytes, without a sign unless all eight are there."""
    number: Any = np.int64(0)
    for place in range(width):
        number |= np.int64(state[at + place]) << (8 * place)
    return number


@compiled
def write_moments(moments: Array, same_as: Array, offsets: Array, number: int, out: Array, ends: Array) -> None:
    """A column of UTC µs, account by account; `same_as` is another that it may repeat, or empty. `ends` is where each account ends."""
    scratch = np.empty(moments.shape[0], dtype=np.int64)
    at = 0
    for account in range(offsets.shape[0] - 1):
        start, end = offsets[account], offsets[account + 1]
        if start < end and same_as.shape[0] and np.all(moments[start:end] == same_as[start:end]):
            out[at], out[at + 1] = number, SAME
            at += 2
        elif start < end:
            unit = _unit_of_moments(moments[start:end], scratch[start:end])
            at = _put_whole(scratch[start:end], unit, number, out, at)
        ends[account] = at


@compiled
def _unit_of_moments(moments: Array, units: Array) -> int:
    """The largest unit that all moments are whole numbers of; writes how many of it each is."""
    days, seconds = True, True
    for moment in moments:
        if moment != MISSING:
            seconds = seconds and moment % _SECOND == 0
            days = days and moment % _DAY == 0
    length = _DAY if days else _SECOND if seconds else 1
    for event in range(moments.shape[0]):
        units[event] = moments[event] // length if moments[event] != MISSING else MISSING
    return DAYS if days else SECONDS if seconds else ONES


@compiled
def _put_whole(values: Array, unit: int, number: int, out: Array, at: int) -> int:
    """Write whole numbers of a unit; nothing if all are missing. The position after them."""
    least, most, missing = np.int64(0), np.int64(-1), False
    for value in values:
        if value == MISSING:
            missing = True
        elif most < least:
            least = most = value
        else:
            least, most = min(least, value), max(most, value)
    if most < least:
        return at
    span = most - least
    code = (
        0 if span == 0 and not missing
        else 1 if span < 0xFF else 2 if span < 0xFFFF else 3 if span < 0xFFFFFFFF else 4
    )  # fmt: skip
    out[at], out[at + 1] = number, WHOLE | unit << 3 | code
    at = put_varint((least << 1) ^ (least >> 63), out, at + 2)
    width = (1 << code) >> 1
    for event in range(values.shape[0] if width else 0):
        at = put_bytes(values[event] - least if values[event] != MISSING else -1, width, out, at)
    return at


@compiled
def write_numbers(numbers: Array, bits: Array, offsets: Array, number: int, out: Array, ends: Array) -> None:
    """A column of floats, NaN where missing, account by account; `bits` are the same as int64. `ends` is where each account ends."""
    scratch = np.empty(numbers.shape[0], dtype=np.int64)
    at = 0
    for account in range(offsets.shape[0] - 1):
        start, end = offsets[account], offsets[account + 1]
        unit = _unit_of_numbers(numbers[start:end], scratch[start:end])
        if start < end and unit >= 0:
            at = _put_whole(scratch[start:end], unit, number, out, at)
        elif start < end:
            out[at], out[at + 1] = number, FLOATS
            at += 2
            for event in range(start, end):
                at = put_bytes(bits[event], 8, out, at)
        ends[account] = at


@compiled
def _unit_of_numbers(numbers: Array, units: Array) -> int:
    """ONES or HUNDREDTHS if all numbers are whole numbers of it, which are then written; −1 if neither gives them back."""
    for unit in (ONES, HUNDREDTHS):
        scale = 1.0 if unit == ONES else 100.0
        exact = True
        for event in range(numbers.shape[0]):
            number = numbers[event]
            if math.isnan(number):
                units[event] = MISSING
                continue
            nearest = np.rint(number * scale)
            exact = abs(nearest) < _EXACT and nearest / scale == number and not (number == 0.0 and np.signbit(number))
            if not exact:
                break
            units[event] = np.int64(nearest)
        if exact:
            return unit
    return -1


@compiled
def write_words(
    codes: Array, starts: Array, letters: Array, offsets: Array, number: int, out: Array, ends: Array
) -> None:
    """A column of text, account by account: −1 is missing, word w is letters[starts[w] : starts[w + 1]]."""
    place, owner = np.empty(starts.shape[0], dtype=np.int64), np.full(starts.shape[0], -1, dtype=np.int64)
    distinct = np.empty(codes.shape[0], dtype=np.int64)
    at = 0
    for account in range(offsets.shape[0] - 1):
        start, end = offsets[account], offsets[account + 1]
        different, missing = 0, False
        for event in range(start, end):
            code = codes[event]
            missing = missing or code < 0
            if code >= 0 and owner[code] != account:
                owner[code], place[code], distinct[different] = account, different, code
                different += 1
        if different:
            kind = _kind_of_words(different, missing, end - start, distinct, starts, letters)
            out[at], out[at + 1] = number, kind
            at = _put_words(codes[start:end], kind, place, distinct[:different], starts, letters, out, at + 2)
        ends[account] = at


@compiled
def _kind_of_words(different: int, missing: bool, events: int, distinct: Array, starts: Array, letters: Array) -> int:
    if different == events and not missing:
        for word in distinct[:different]:
            if not _is_hex(letters[starts[word] : starts[word + 1]]):
                return EACH
        return HEX
    if different == 1 and not missing:
        return ALL
    return CODES_1 if different < 0xFF else CODES_2 if different < 0xFFFF else CODES_4


@compiled
def _is_hex(word: Array) -> bool:
    if word.shape[0] != HEX_DIGITS:
        return False
    other = 0
    for letter in word:
        other += not (48 <= letter <= 57 or 97 <= letter <= 102)
    return other == 0


@compiled
def _put_words(
    codes: Array, kind: int, place: Array, distinct: Array, starts: Array, letters: Array, out: Array, at: int
) -> int:
    if kind == HEX:
        for word in distinct:
            at = _put_hex(letters, starts[word], out, at)
        return at
    at = put_varint(distinct.shape[0], out, at)
    if kind >= CODES_1:
        width = 1 << (kind - CODES_1)
        for code in codes:
            at = put_bytes(place[code] + 1 if code >= 0 else 0, width, out, at)
    for word in distinct:
        at = put_varint(starts[word + 1] - starts[word], out, at)
    for word in distinct:
        for letter in range(starts[word], starts[word + 1]):
            out[at] = letters[letter]
            at += 1
    return at


@compiled
def _put_hex(letters: Array, start: int, out: Array, at: int) -> int:
    for pair in range(start, start + HEX_DIGITS, 2):
        out[at] = _digit(letters[pair]) * 16 + _digit(letters[pair + 1])
        at += 1
    return at


@compiled
def _digit(letter: int) -> int:
    return letter - 48 if letter <= 57 else letter - 87


@compiled
def assemble(
    first_known: Array, streams: Array, offsets: Array, column_stream: Array, segments: Array, bounds: Array,
    out: Array, ends: Array,
) -> None:  # fmt: skip
    """Put the columns of each account together: `segments[bounds[c, a] : bounds[c, a + 1]]` is column c of account a.

    `streams` are the numbers of those in `offsets`, whose rows are as in `StreamEvents`; `column_stream` says which row
    a column belongs to, ascending. `ends` is where each account ends in `out`.
    """
    at = 0
    for account in range(first_known.shape[0]):
        at = put_bytes(first_known[account], 8, out, at)
        column = 0
        for stream in range(streams.shape[0]):
            events = offsets[stream, account + 1] - offsets[stream, account]
            first = column
            while column < column_stream.shape[0] and column_stream[column] == stream:
                column += 1
            if events:
                begins, stops = bounds[first:column, account], bounds[first:column, account + 1]
                out[at], out[at + 1] = streams[stream], np.sum(begins < stops)
                at = put_varint(events, out, at + 2)
                at = _put_columns(segments, begins, stops, out, at)
        ends[account] = at


@compiled
def _put_columns(segments: Array, begins: Array, ends: Array, out: Array, at: int) -> int:
    for column in range(begins.shape[0]):
        for position in range(begins[column], ends[column]):
            out[at] = segments[position]
            at += 1
    return at


STREAM, COLUMN, ENCODING, AT, EVENTS = range(5)
"""The fields that `find_columns` writes for each column."""


@compiled
def find_columns(state: Array, at: int, places: Array) -> int:
    """Write a row of `found` for each column from `at` to the end of the state; how many there are."""
    count = 0
    while at < state.shape[0]:
        stream, columns = state[at], state[at + 1]
        events, at = varint(state, at + 2)
        for _ in range(columns):
            encoding = state[at + 1]
            row = places[count]
            row[STREAM], row[COLUMN], row[ENCODING], row[AT], row[EVENTS] = stream, state[at], encoding, at + 2, events
            at = _after(state, at + 2, encoding, events)
            count += 1
    return count


@compiled
def _after(state: Array, at: int, encoding: int, events: int) -> int:
    """The position after a column's content."""
    if encoding >= WHOLE:
        _, at = varint(state, at)
        return at + events * ((1 << (encoding & 7)) >> 1)
    if encoding <= HEX:
        return at + events * (0 if encoding == SAME else 8 if encoding == FLOATS else HEX_DIGITS // 2)
    words, at = find_words(state, at, encoding, events)
    letters = 0
    for _ in range(words):
        length, at = varint(state, at)
        letters += length
    return at + letters


@compiled
def find_words(state: Array, at: int, encoding: int, events: int) -> tuple[int, int]:
    """How many words a text column has, and where their lengths stand; the letters follow. Not for HEX."""
    words, at = varint(state, at)
    return words, at + (events << (encoding - CODES_1) if encoding >= CODES_1 else 0)


@compiled
def find_letters(state: Array, at: int, ends: Array) -> None:
    """Where each word begins and ends whose lengths stand from `at` on: one position more than there are words."""
    for word in range(1, ends.shape[0]):
        ends[word], at = varint(state, at)
    ends[0] = at
    for word in range(1, ends.shape[0]):
        ends[word] += ends[word - 1]


@compiled
def read_whole(state: Array, at: int, encoding: int, events: int, out: Array) -> None:
    """Moments in UTC µs, or whole numbers, hundredths still to be divided; MISSING where there is none."""
    unit, width = encoding >> 3 & 3, (1 << (encoding & 7)) >> 1
    length = _DAY if unit == DAYS else _SECOND if unit == SECONDS else 1
    least, at = varint(state, at)
    least = (least >> 1) ^ -(least & 1)
    none = -1 if width == 8 else (np.int64(1) << (8 * width)) - 1
    for event in range(events):
        more = from_bytes(state, at + event * width, width)
        out[event] = (least + more) * length if not width or more != none else MISSING


@compiled
def read_numbers(state: Array, at: int, encoding: int, events: int, out: Array, bits: Array) -> None:
    """The floats of a column of numbers or moments, NaN where there is none; `bits` is `out` as int64."""
    if encoding == FLOATS:
        for event in range(events):
            bits[event] = from_bytes(state, at + 8 * event, 8)
        return
    read_whole(state, at, encoding, events, bits)
    scale = 100.0 if encoding >> 3 & 3 == HUNDREDTHS else 1.0
    for event in range(events):
        whole = bits[event]
        out[event] = whole / scale if whole != MISSING else np.nan


@compiled
def read_codes(state: Array, at: int, encoding: int, events: int, out: Array) -> None:
    """Which of the column's words each event has, numbered as they first come; −1 where there is none."""
    width = 1 << (encoding - CODES_1) if encoding >= CODES_1 else 0
    if width:
        _, at = varint(state, at)
    for event in range(events):
        if width:
            out[event] = from_bytes(state, at + event * width, width) - 1
        else:
            out[event] = 0 if encoding == ALL else event
