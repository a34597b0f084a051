"""The one kernel: every declared stat over every window, for each (account, as_of), in compiled code.

It reads the arrays of `features.engine.packing` and runs the program that `features.engine.plan` makes of the declarations.
The same machine code computes a bucket of a million accounts and one account while a page loads, account by account and
date by date, so the two cannot differ in a single bit.

Shape of the work, for each account and each selection of its events: gather them once, in order of occurred_at; at
each date find the position of every window edge; then run by run walk backward from the newest event of the narrowest
window to the oldest of the widest, writing an answer whenever a window ends. Where an event has happened at a date but
is not yet known, or where only the newest event of each key counts, the events are gathered for that date.
docs/decisions/kernel.md has the alternatives, measured.
"""

from typing import Any, NamedTuple

import numpy as np

from features.arrays import Array
from features.definitions import Formula, Season
from features.engine.compilation import compiled, compiled_without_memory
from features.engine.packing import Packed
from features.engine.plan import CONSTANT, RUN, SELECTION, Family, Program
from features.timestamps import DAY

KERNEL_VERSION = 2
"""Part of every fingerprint: raise it with any change that could move a value. A golden test insists."""

# numba freezes these into the compiled code; an enum member or a look-up by name would cost at every turn.
_PAGE, _KEY, _EDGE_FROM, _EDGE_TO, _RUN_FROM, _RUN_TO = range(6)
_VALUE_FROM, _VALUE_TO, _LABEL_FROM, _LABEL_TO, _AHEAD_FROM, _AHEAD_TO = range(6, len(SELECTION))
_FAMILY, _VALUE, _LABEL, _NEWER_EDGE, _WINDOW_FROM, _WINDOW_TO, _ABSENT_IS_OWN = range(len(RUN))
_COUNT, _SINCE, _SUMMARY, _DISTINCT = int(Family.COUNT), int(Family.SINCE), int(Family.SUMMARY), int(Family.DISTINCT)
_GAPS, _SLOPE, _DECAYED, _QUANTILE = int(Family.GAPS), int(Family.SLOPE), int(Family.DECAYED), int(Family.QUANTILE)
_RATIO, _DIFFERENCE, _TREND = int(Formula.RATIO), int(Formula.DIFFERENCE), int(Formula.TREND)
_DAYS_UNTIL, _PRODUCT, _SUM, _LESS = (
    int(Formula.DAYS_UNTIL), int(Formula.PRODUCT), int(Formula.SUM), int(Formula.LESS),
)  # fmt: skip
_MINIMUM, _MAXIMUM, _OR_ELSE = int(Formula.MINIMUM), int(Formula.MAXIMUM), int(Formula.OR_ELSE)
_SINE, _COSINE = int(Season.SINE), int(Season.COSINE)
_STEPS = 16
"""From one date to the next few events pass an edge; halving would mispredict at every turn."""
_FEW = 48
"""Values that are put in order one by one; numba's sort begins with a stack of its own."""
_RADIANS_A_DAY = 2.0 * np.pi / 365.2425


class Scratch(NamedTuple):
    """The working memory of one call; nothing is allocated per account.

    Two sets of events gathered: `t`, `v`, `w` (values and words, row after row) for all dates, `t2`, `v2`, `w2` for one.
    """

    block: Array
    limbo: Array
    position: Array
    t: Array
    v: Array
    w: Array
    t2: Array
    v2: Array
    w2: Array
    value_at: Array
    label_at: Array
    seen: Array
    token: Array
    group: Array
    members: Array
    sorted: Array


@compiled
def fill(
    first_account: int, last_account: int, packed: Packed, program: Program, as_of: Array, visible_until: Array,
    rows: Array, out: Array,
) -> None:  # fmt: skip
    """Write the rows of the accounts [first_account, last_account) into `out`.

    as_of and visible_until (dates, UTC µs, as_of ascending); rows (accounts × dates) names each one's row in `out`,
    −1 where none is wanted; out (rows, columns).
    """
    scratch = _scratch(first_account, last_account, packed, program, as_of.shape[0])
    for account in range(first_account, last_account):
        scratch.block[:] = program.empty
        for stream in range(packed.offsets.shape[0]):
            start, end = packed.offsets[stream, account], packed.offsets[stream, account + 1]
            if start < end:
                _one_stream(stream, start, end, packed, program, as_of, visible_until, scratch)
        _write_rows(scratch.block, program, as_of, rows, account * as_of.shape[0], out)


@compiled
def _scratch(first_account: int, last_account: int, packed: Packed, program: Program, dates: int) -> Scratch:
    most = 0
    for stream in range(packed.offsets.shape[0]):
        for account in range(first_account, last_account):
            most = max(most, packed.offsets[stream, account + 1] - packed.offsets[stream, account])
    values, labels, edges = 0, 0, 0
    for selection in range(program.selections.shape[0]):
        entry = program.selections[selection]
        values = max(values, entry[_VALUE_TO] - entry[_VALUE_FROM])
        labels = max(labels, entry[_LABEL_TO] - entry[_LABEL_FROM])
        edges = max(edges, entry[_EDGE_TO] - entry[_EDGE_FROM])
    return Scratch(
        np.empty((dates, program.empty.shape[0]), dtype=np.float64),
        np.zeros(dates, dtype=np.bool_),
        np.zeros(edges, dtype=np.int64),
        np.empty(most, dtype=np.int64), np.empty(most * values, dtype=np.float64), np.empty(most * labels, dtype=np.int32),
        np.empty(most, dtype=np.int64), np.empty(most * values, dtype=np.float64), np.empty(most * labels, dtype=np.int32),
        np.empty(values, dtype=np.int64),
        np.empty(labels, dtype=np.int64),
        np.zeros(packed.label_count, dtype=np.int64),
        np.zeros(1, dtype=np.int64),
        np.empty(packed.label_count, dtype=np.float64),
        np.empty(packed.label_count, dtype=np.int64),
        np.empty(most, dtype=np.float64),
    )  # fmt: skip


@compiled_without_memory
def _one_stream(
    stream: int, start: int, end: int, packed: Packed, program: Program, as_of: Array, visible_until: Array,
    scratch: Scratch,
) -> None:  # fmt: skip
    """Answer all selections over one stream's events [start, end) of one account, at every date."""
    is_late = _mark_limbo(packed, start, end, as_of, visible_until, scratch.limbo)
    first_page, last_page = program.stream_pages[stream, 0], program.stream_pages[stream, 1]
    selection = program.stream_selections[stream, 0]
    for page in range(first_page, last_page):
        some, every = _bits_of(packed.bits, packed.bit_shifts[page], start, end)
        while selection < program.stream_selections[stream, 1] and program.selections[selection, _PAGE] == page:
            need = program.needs[selection, 0]
            if some & need == need:
                _one_selection(
                    selection, every & need == need, is_late, start, end, packed, program, as_of, visible_until, scratch
                )
            selection += 1


@compiled_without_memory
def _mark_limbo(packed: Packed, start: int, end: int, as_of: Array, visible_until: Array, limbo: Array) -> bool:
    """Note at which dates some event has happened but is not yet known; whether there is any such date."""
    limbo[:] = False
    is_late = False
    for event in range(start, end):
        if packed.known[event] != packed.moments[event]:
            for date in range(as_of.shape[0]):
                if packed.moments[event] <= as_of[date] and packed.known[event] > visible_until[date]:
                    limbo[date] = True
                    is_late = True
    return is_late


@compiled_without_memory
def _bits_of(bits: Array, shift: int, start: int, end: int) -> tuple[Any, Any]:
    """The bits that some, and that all, of these events have."""
    some, every = np.uint64(0), ~np.uint64(0)
    for event in range(start + shift, end + shift):
        some |= bits[event]
        every &= bits[event]
    return some, every


@compiled_without_memory
def _one_selection(
    selection: int, takes_all: bool, is_late: bool, start: int, end: int, packed: Packed, program: Program,
    as_of: Array, visible_until: Array, scratch: Scratch,
) -> None:  # fmt: skip
    entry = program.selections[selection]
    changes = entry[_KEY] >= 0 or entry[_AHEAD_TO] > entry[_AHEAD_FROM]
    edges = program.edges[entry[_EDGE_FROM] : entry[_EDGE_TO]]
    scratch.position[: edges.shape[0]] = 0
    if takes_all:
        count = end - start
        t, v, w = packed.moments[start:end], packed.numbers, packed.labels
        _point_at_columns(entry, packed, program, start, scratch)
    else:
        count = 0 if changes else _gather(selection, start, end, packed, program, scratch)
        t, v, w = scratch.t[:count], scratch.v, scratch.w
        _point_at_scratch(entry, scratch.t.shape[0], scratch)
    for date in range(as_of.shape[0]):
        if not changes and not scratch.limbo[date]:
            _find_edges(t, as_of[date], edges, scratch.position)
            _answer(entry, t, v, w, scratch.position, as_of[date], program, scratch, scratch.block[date])
    if changes or is_late:
        _point_at_scratch(entry, scratch.t2.shape[0], scratch)
        for date in range(as_of.shape[0]):
            if changes or scratch.limbo[date]:
                count = _gather_at(selection, start, end, as_of[date], visible_until[date], packed, program, scratch)
                scratch.position[: edges.shape[0]] = 0
                t2 = scratch.t2[:count]
                _find_edges(t2, as_of[date], edges, scratch.position)
                _answer(
                    entry,
                    t2,
                    scratch.v2,
                    scratch.w2,
                    scratch.position,
                    as_of[date],
                    program,
                    scratch,
                    scratch.block[date],
                )


@compiled_without_memory
def _point_at_columns(entry: Array, packed: Packed, program: Program, start: int, scratch: Scratch) -> None:
    """All events are selected: their values and words are read where they lie."""
    for number in range(entry[_VALUE_FROM], entry[_VALUE_TO]):
        scratch.value_at[number - entry[_VALUE_FROM]] = start + packed.number_shifts[program.values[number]]
    for number in range(entry[_LABEL_FROM], entry[_LABEL_TO]):
        scratch.label_at[number - entry[_LABEL_FROM]] = start + packed.label_shifts[program.labels[number]]


@compiled_without_memory
def _point_at_scratch(entry: Array, room: int, scratch: Scratch) -> None:
    for number in range(entry[_VALUE_TO] - entry[_VALUE_FROM]):
        scratch.value_at[number] = number * room
    for number in range(entry[_LABEL_TO] - entry[_LABEL_FROM]):
        scratch.label_at[number] = number * room


@compiled_without_memory
def _gather(selection: int, start: int, end: int, packed: Packed, program: Program, scratch: Scratch) -> int:
    """Copy the selected events to the front of the scratch space; how many there are."""
    entry, need = program.selections[selection], program.needs[selection, 0]
    shift, room, count = packed.bit_shifts[entry[_PAGE]], scratch.t.shape[0], 0
    for event in range(start, end):
        if packed.bits[event + shift] & need == need:
            scratch.t[count] = packed.moments[event]
            _copy(entry, event, count, room, packed, program, scratch.v, scratch.w)
            count += 1
    return count


@compiled_without_memory
def _copy(entry: Array, event: int, to: int, room: int, packed: Packed, program: Program, v: Array, w: Array) -> None:
    """One event's values and words, each into its row."""
    for number in range(entry[_VALUE_FROM], entry[_VALUE_TO]):
        v[(number - entry[_VALUE_FROM]) * room + to] = packed.numbers[
            event + packed.number_shifts[program.values[number]]
        ]
    for number in range(entry[_LABEL_FROM], entry[_LABEL_TO]):
        w[(number - entry[_LABEL_FROM]) * room + to] = packed.labels[
            event + packed.label_shifts[program.labels[number]]
        ]


@compiled_without_memory
def _gather_at(
    selection: int, start: int, end: int, as_of: int, visible_until: int, packed: Packed, program: Program,
    scratch: Scratch,
) -> int:  # fmt: skip
    """As `_gather`, for one date: only what is known, of each key only the newest, and what still lies ahead.

    Goes backward, so that the first event met of a key is its newest, and turns the order round at the end.
    """
    entry, need, need_of_newest = (
        program.selections[selection],
        program.needs[selection, 0],
        program.needs[selection, 1],
    )
    shift, room, count = packed.bit_shifts[entry[_PAGE]], scratch.t2.shape[0], 0
    scratch.token[0] += 1
    for event in range(end - 1, start - 1, -1):
        if packed.moments[event] > as_of or packed.known[event] > visible_until:
            continue
        if packed.bits[event + shift] & need != need:
            continue
        if entry[_KEY] >= 0:
            key = packed.labels[event + packed.label_shifts[program.labels[entry[_LABEL_FROM] + entry[_KEY]]]]
            if key < 0 or scratch.seen[key] == scratch.token[0]:
                continue
            scratch.seen[key] = scratch.token[0]
            if packed.bits[event + shift] & need_of_newest != need_of_newest:
                continue
        if _is_ahead(entry, event, as_of, packed, program):
            scratch.t2[count] = packed.moments[event]
            _copy(entry, event, count, room, packed, program, scratch.v2, scratch.w2)
            count += 1
    _turn_round(entry, count, room, scratch)
    return count


@compiled_without_memory
def _is_ahead(entry: Array, event: int, as_of: int, packed: Packed, program: Program) -> bool:
    """Whether every moment that must lie after as_of does; a missing one does not."""
    for number in range(entry[_AHEAD_FROM], entry[_AHEAD_TO]):
        if not packed.numbers[event + packed.number_shifts[program.aheads[number]]] > as_of:
            return False
    return True


@compiled_without_memory
def _turn_round(entry: Array, count: int, room: int, scratch: Scratch) -> None:
    _reverse(scratch.t2, 0, count)
    for number in range(entry[_VALUE_TO] - entry[_VALUE_FROM]):
        _reverse(scratch.v2, number * room, count)
    for number in range(entry[_LABEL_TO] - entry[_LABEL_FROM]):
        _reverse(scratch.w2, number * room, count)


@compiled_without_memory
def _reverse(array: Array, begin: int, count: int) -> None:
    for number in range(count // 2):
        other = begin + count - 1 - number
        array[begin + number], array[other] = array[other], array[begin + number]


@compiled_without_memory
def _find_edges(t: Array, as_of: int, edges: Array, position: Array) -> None:
    """Move each edge's position on to the first event after it. With the dates they only ever move forward."""
    at = 0
    for edge in range(edges.shape[0] - 1, -1, -1):
        # From the oldest on: what lies before an edge lies before the newer ones too.
        at = _after(t, max(at, position[edge]), as_of - edges[edge])
        position[edge] = at


@compiled_without_memory
def _after(t: Array, position: int, moment: int) -> int:
    """The first position from `position` on whose moment is later: step by step for a while, then by halves."""
    near = min(position + _STEPS, t.shape[0])
    while position < near and t[position] <= moment:
        position += 1
    if position < near or near == t.shape[0]:
        return position
    end = t.shape[0]
    while position < end:
        middle = (position + end) // 2
        if t[middle] <= moment:
            position = middle + 1
        else:
            end = middle
    return position


@compiled_without_memory
def _answer(
    entry: Array, t: Array, v: Array, w: Array, position: Array, as_of: int, program: Program, scratch: Scratch, row: Array
) -> None:  # fmt: skip
    """Every run of one selection at one date."""
    base = entry[_EDGE_FROM]
    for number in range(entry[_RUN_FROM], entry[_RUN_TO]):
        run = program.runs[number]
        hi = position[run[_NEWER_EDGE] - base]
        windows = program.windows[run[_WINDOW_FROM] : run[_WINDOW_TO]]
        if hi == position[windows[-1, 0] - base]:
            continue
        family = run[_FAMILY]
        if family == _COUNT:
            for window in range(windows.shape[0]):
                row[windows[window, 1]] = hi - position[windows[window, 0] - base]
        elif family == _SINCE:
            _since(t, hi, windows, position, base, as_of, row)
        elif family == _GAPS:
            _gaps(t, hi, windows, position, base, program.parameters[number], scratch.sorted, row)
        elif family == _DISTINCT:
            words = w[scratch.label_at[run[_LABEL]] : scratch.label_at[run[_LABEL]] + t.shape[0]]
            _distinct(words, hi, windows, position, base, run[_ABSENT_IS_OWN] == 1, scratch.seen, scratch.token, row)
        else:
            values = v[scratch.value_at[run[_VALUE]] : scratch.value_at[run[_VALUE]] + t.shape[0]]
            if family == _SUMMARY:
                _summary(values, hi, windows, position, base, row)
            elif family == _SLOPE:
                _slope(t, values, hi, windows, position, base, row)
            elif family == _DECAYED:
                _decayed(t, values, hi, windows, position, base, as_of, program.parameters[number], row)
            elif family == _QUANTILE:
                _quantile(values, hi, windows, position, base, program.parameters[number], scratch.sorted, row)
            else:
                words = w[scratch.label_at[run[_LABEL]] : scratch.label_at[run[_LABEL]] + t.shape[0]]
                _largest_share(values, words, hi, windows, position, base, scratch, row)


@compiled_without_memory
def _set(row: Array, slot: int, value: float) -> None:
    """An answer that no feature uses has no slot."""
    if slot >= 0:
        row[slot] = value


@compiled_without_memory
def _since(t: Array, hi: int, windows: Array, position: Array, base: int, as_of: int, row: Array) -> None:
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        if lo < hi:
            _set(row, windows[window, 1], (as_of - t[lo]) / DAY)
            _set(row, windows[window, 2], (as_of - t[hi - 1]) / DAY)


@compiled_without_memory
def _summary(v: Array, hi: int, windows: Array, position: Array, base: int, row: Array) -> None:
    """Sum, mean, first, last, standard deviation, least and greatest of the values that are there.

    Deviations are taken from the newest value, so that equal values give exactly 0.
    """
    count, total, first, last = 0, 0.0, np.nan, np.nan
    deviation, square, lowest, highest = 0.0, 0.0, np.inf, -np.inf
    walked = hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            value = v[event]
            if not np.isnan(value):
                if count == 0:
                    last = value
                count += 1
                total += value
                off = value - last
                deviation += off
                square += off * off
                lowest = min(lowest, value)
                highest = max(highest, value)
                first = value
        walked = lo
        if count > 0:
            _set(row, windows[window, 1], total)
            _set(row, windows[window, 2], total / count)
            _set(row, windows[window, 3], first)
            _set(row, windows[window, 4], last)
            if count > 1:
                variance = max(square - deviation * deviation / count, 0.0) / (count - 1)
                _set(row, windows[window, 5], np.sqrt(variance))
            _set(row, windows[window, 6], lowest)
            _set(row, windows[window, 7], highest)


@compiled_without_memory
def _distinct(
    w: Array, hi: int, windows: Array, position: Array, base: int, absent_is_own: bool, seen: Array, token: Array,
    row: Array,
) -> None:  # fmt: skip
    """Counts words not yet met on this walk: the first 64 of an account as bits, others in `seen` with the walk's token."""
    token[0] += 1
    met, others, walked = np.uint64(0), 0, hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            word = w[event]
            if word < 0:
                others += absent_is_own
            elif word < 64:
                met |= np.uint64(1) << np.uint64(word)
            elif seen[word] != token[0]:
                seen[word] = token[0]
                others += 1
        walked = lo
        row[windows[window, 1]] = _ones(met) + others


@compiled_without_memory
def _ones(bits: Any) -> int:
    """How many of 64 bits are set: in pairs, fours, bytes, and all together (Warren, Hacker's Delight, 5-1)."""
    bits -= (bits >> np.uint64(1)) & np.uint64(0x5555555555555555)
    bits = (bits & np.uint64(0x3333333333333333)) + ((bits >> np.uint64(2)) & np.uint64(0x3333333333333333))
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return int((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled_without_memory
def _gaps(
    t: Array, hi: int, windows: Array, position: Array, base: int, same_occasion_days: float, gaps: Array, row: Array
) -> None:  # fmt: skip
    """Mean, standard deviation (Welford's), longest and median of the days between occasions.

    An occasion is an event and all those at most `same_occasion_days` before it; the next one begins with the event
    before them. So an account that orders twice a day still has a rhythm, and one order's many lines are one occasion.
    """
    count, total, mean, square, longest = 0, 0.0, 0.0, 0.0, 0.0
    occasion, walked = t[hi - 1], hi - 1
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            gap = (occasion - t[event]) / DAY
            if gap > same_occasion_days:
                gaps[count] = gap
                count += 1
                total += gap
                off = gap - mean
                mean += off / count
                square += off * (gap - mean)
                longest = max(longest, gap)
                occasion = t[event]
        walked = min(walked, lo)
        if count > 0:
            _set(row, windows[window, 1], total / count)
            if count > 1:
                _set(row, windows[window, 2], np.sqrt(square / (count - 1)))
            _set(row, windows[window, 3], longest)
            if windows[window, 4] >= 0:
                row[windows[window, 4]] = _at_share(gaps[:count], 0.5)


@compiled_without_memory
def _at_share(values: Array, share: float) -> float:
    """The quantile of at least one value, which are put in order: type 7 of Hyndman & Fan (1996), as numpy's default."""
    if values.shape[0] <= _FEW:
        _insert_in_order(values)
    else:
        _sort(values)
    at = share * (values.shape[0] - 1)
    below = int(np.floor(at))
    above = min(below + 1, values.shape[0] - 1)
    return values[below] + (values[above] - values[below]) * (at - below)


@compiled_without_memory
def _insert_in_order(values: Array) -> None:
    for number in range(1, values.shape[0]):
        value, place = values[number], number
        while place > 0 and values[place - 1] > value:
            values[place] = values[place - 1]
            place -= 1
        values[place] = value


@compiled
def _sort(values: Array) -> None:
    values.sort()


@compiled_without_memory
def _quantile(
    v: Array, hi: int, windows: Array, position: Array, base: int, share: float, ordered: Array, row: Array
) -> None:  # fmt: skip
    count, walked = 0, hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            if not np.isnan(v[event]):
                ordered[count] = v[event]
                count += 1
        walked = lo
        if count > 0:
            row[windows[window, 1]] = _at_share(ordered[:count], share)


@compiled_without_memory
def _slope(t: Array, v: Array, hi: int, windows: Array, position: Array, base: int, row: Array) -> None:
    """The least-squares line of value against days, both counted from the newest event that has a value."""
    count, x_sum, y_sum, xx_sum, xy_sum = 0, 0.0, 0.0, 0.0, 0.0
    newest_moment, newest_value, walked = t[hi - 1], 0.0, hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            if not np.isnan(v[event]):
                if count == 0:
                    newest_moment, newest_value = t[event], v[event]
                count += 1
                x = (t[event] - newest_moment) / DAY
                y = v[event] - newest_value
                x_sum += x
                y_sum += y
                xx_sum += x * x
                xy_sum += x * y
        walked = lo
        if count > 0:
            spread = xx_sum - x_sum * x_sum / count
            if spread > 0.0:
                row[windows[window, 1]] = (xy_sum - x_sum * y_sum / count) / spread


@compiled_without_memory
def _decayed(
    t: Array, v: Array, hi: int, windows: Array, position: Array, base: int, as_of: int, half_life_days: float, row: Array
) -> None:  # fmt: skip
    total, walked = 0.0, hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            if not np.isnan(v[event]):
                total += v[event] * np.exp2(-((as_of - t[event]) / DAY) / half_life_days)
        walked = lo
        row[windows[window, 1]] = total


@compiled_without_memory
def _largest_share(
    v: Array, w: Array, hi: int, windows: Array, position: Array, base: int, scratch: Scratch, row: Array
) -> None:  # fmt: skip
    scratch.token[0] += 1
    members, total, walked = 0, 0.0, hi
    for window in range(windows.shape[0]):
        lo = position[windows[window, 0] - base]
        for event in range(walked - 1, lo - 1, -1):
            word = w[event]
            if word >= 0 and not np.isnan(v[event]):
                if scratch.seen[word] != scratch.token[0]:
                    scratch.seen[word] = scratch.token[0]
                    scratch.group[word] = 0.0
                    scratch.members[members] = word
                    members += 1
                scratch.group[word] += v[event]
                total += v[event]
        walked = lo
        if total > 0.0:
            largest = -np.inf
            for member in range(members):
                largest = max(largest, scratch.group[scratch.members[member]])
            row[windows[window, 1]] = largest / total


@compiled_without_memory
def _write_rows(block: Array, program: Program, as_of: Array, rows: Array, first: int, out: Array) -> None:
    """Compute the derived features from the answers, and write the wanted rows and columns of one account."""
    aggregates = program.empty.shape[0] - program.formulas.shape[0]
    for date in range(as_of.shape[0]):
        row = rows[first + date]
        if row < 0:
            continue
        for step in range(program.formulas.shape[0]):
            formula, first_slot, second_slot = program.formulas[step]
            if formula == CONSTANT:
                block[date, aggregates + step] = program.constants[step]
            elif formula == _SINE:
                block[date, aggregates + step] = np.sin(as_of[date] / DAY * _RADIANS_A_DAY)
            elif formula == _COSINE:
                block[date, aggregates + step] = np.cos(as_of[date] / DAY * _RADIANS_A_DAY)
            else:
                block[date, aggregates + step] = _derive(
                    formula, block[date, first_slot], block[date, second_slot], as_of[date]
                )
        for column in range(program.columns.shape[0]):
            out[row, column] = block[date, program.columns[column]]


@compiled_without_memory
def _derive(formula: int, first: float, second: float, as_of: int) -> float:
    if formula == _OR_ELSE:
        return second if np.isnan(first) else first
    if np.isnan(first) or np.isnan(second):
        return np.nan
    if formula == _RATIO:
        return first / second if second != 0.0 else np.nan
    if formula == _DIFFERENCE:
        return first - second
    if formula == _TREND:
        return (first - second) / (first + second) if first + second > 0.0 else np.nan
    if formula == _DAYS_UNTIL:
        return (first - as_of) / DAY
    if formula == _PRODUCT:
        return first * second
    if formula == _SUM:
        return first + second
    if formula == _LESS:
        return 1.0 if first < second else 0.0
    if formula == _MINIMUM:
        return min(first, second)
    return max(first, second)
