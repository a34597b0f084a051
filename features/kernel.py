"""The one kernel: every declared stat over every window, for each (account, as_of), in compiled code.

It reads what `features.packing` laid out and answers the requests that `features.plan` derived from
the declarations. The same machine code answers a bucket of a million accounts and one account while
a page loads, account by account and date by date, so the two cannot differ in a single bit.

Shape of the work: for each account and each selection of its events (sorted by occurred_at), the
position of every window edge is found once per date; each request then walks backward from the
newest event of its window. Requests of one kind come in order of growing window, so that a longer
window continues the walk of the shorter one. docs/decisions/kernel.md has the alternatives, measured.
"""

from typing import Any

import numpy as np
from numba import njit

from features.definitions import Formula, Season, Stat
from features.moments import DAY

KERNEL_VERSION = 1
"""Part of every fingerprint: raise it with any change that could move a value. A golden test insists."""

# numba freezes these into the compiled code; an enum member would cost a look-up at every request.
_COUNT, _SUM, _MEAN, _STD = int(Stat.COUNT), int(Stat.SUM), int(Stat.MEAN), int(Stat.STD)
_MIN, _MAX, _FIRST, _LAST = int(Stat.MIN), int(Stat.MAX), int(Stat.FIRST), int(Stat.LAST)
_DISTINCT, _SLOPE, _DECAYED_SUM = int(Stat.DISTINCT), int(Stat.SLOPE), int(Stat.DECAYED_SUM)
_DAYS_SINCE_FIRST, _DAYS_SINCE_LAST = int(Stat.DAYS_SINCE_FIRST), int(Stat.DAYS_SINCE_LAST)
_GAP_MEAN, _GAP_STD = int(Stat.GAP_MEAN), int(Stat.GAP_STD)
_RATIO, _DIFFERENCE = int(Formula.RATIO), int(Formula.DIFFERENCE)
_SINE, _COSINE = int(Season.SINE), int(Season.COSINE)
_RADIANS_A_DAY = 2.0 * np.pi / 365.2425
_NO_CODE = -1.0
_STATE = 5

Array = np.ndarray[Any, Any]


def _compiled(function: Any) -> Any:
    """Machine code, kept on disk between runs, free of the GIL, dividing by zero as numpy does."""
    return njit(function, cache=True, nogil=True, error_model="numpy")


@_compiled
def fill(
    first_account: int,
    last_account: int,
    moments: Array,
    known: Array,
    values: Array,
    offsets: Array,
    codes: int,
    as_of: Array,
    visible_until: Array,
    edges: Array,
    selection_edges: Array,
    selection_requests: Array,
    stats: Array,
    windows: Array,
    restarts: Array,
    parameters: Array,
    empty: Array,
    formulas: Array,
    slots: int,
    columns: Array,
    out: Array,
) -> None:
    """Write the rows of the accounts [first_account, last_account) into `out`.

    Shapes: moments, known, values (events of all selections, one after the other); offsets
    (selections, accounts + 1); as_of, visible_until (dates, ascending); edges (µs before as_of);
    selection_edges and selection_requests (selections, 2) give each selection's range of edges and
    requests; stats, windows[:, 2] (edge positions from, to), restarts, parameters, empty (requests);
    formulas (derived, 3: formula, first slot, second slot); columns (slot of each output column);
    out (accounts × dates, columns). Request r fills slot r, formula f the slot after all requests.
    """
    block = np.empty((as_of.shape[0], slots), dtype=np.float64)
    position = np.zeros(edges.shape[0], dtype=np.int64)
    state = np.zeros(_STATE, dtype=np.float64)
    seen = np.zeros(codes, dtype=np.int64)
    token = 0
    longest = _longest_late(first_account, last_account, offsets, moments, known)
    late_moments = np.empty(longest, dtype=np.int64)
    late_values = np.empty(longest, dtype=np.float64)
    for account in range(first_account, last_account):
        for selection in range(offsets.shape[0]):
            start, end = offsets[selection, account], offsets[selection, account + 1]
            request_from, request_to = selection_requests[selection]
            edge_from, edge_to = selection_edges[selection]
            if start == end:
                block[:, request_from:request_to] = empty[request_from:request_to]
            else:
                token = _walk_dates(
                    moments, known, values, start, end, as_of, visible_until,
                    edges, edge_from, edge_to, position, request_from, request_to,
                    stats, windows, restarts, parameters, empty,
                    late_moments, late_values, state, seen, token, block,
                )  # fmt: skip
        _write_rows(block, stats.shape[0], formulas, as_of, columns, account * as_of.shape[0], out)


@_compiled
def _walk_dates(
    moments: Array, known: Array, values: Array, start: int, end: int, as_of: Array, visible_until: Array,
    edges: Array, edge_from: int, edge_to: int, position: Array, request_from: int, request_to: int,
    stats: Array, windows: Array, restarts: Array, parameters: Array, empty: Array,
    late_moments: Array, late_values: Array, state: Array, seen: Array, token: int, block: Array,
) -> int:  # fmt: skip
    """Answer one selection's requests at every date, for the events [start, end) of one account; the token used last.

    Window edges only ever move forward with the dates, so each is found where the last date left it; unless there
    are late events, which make what is visible another row of events at every date.
    """
    position[edge_from:edge_to] = 0
    late = _is_late(moments, known, start, end)
    t, v = moments[start:end], values[start:end]
    for date in range(as_of.shape[0]):
        if late:
            visible = _gather_visible(
                moments, known, values, start, end, visible_until[date], late_moments, late_values
            )
            t, v = late_moments[:visible], late_values[:visible]
            position[edge_from:edge_to] = 0
        for edge in range(edge_from, edge_to):
            position[edge] = _after(t, position[edge], as_of[date] - edges[edge])
        walked = 0
        for request in range(request_from, request_to):
            lo, hi = position[windows[request, 0]], position[windows[request, 1]]
            if restarts[request]:
                state[:] = 0.0
                token += 1
                walked = hi
            block[date, request], walked = _answer(
                stats[request], t, v, lo, hi, walked, as_of[date], parameters[request], state, seen, token,
                empty[request],
            )  # fmt: skip
    return token


@_compiled
def _write_rows(
    block: Array, requests: int, formulas: Array, as_of: Array, columns: Array, first_row: int, out: Array
) -> None:
    """Derive what follows from the answers, and write one account's rows, the wanted columns of them."""
    for date in range(as_of.shape[0]):
        for formula in range(formulas.shape[0]):
            block[date, requests + formula] = _derive(
                formulas[formula, 0], block[date, formulas[formula, 1]], block[date, formulas[formula, 2]], as_of[date]
            )
        for column in range(columns.shape[0]):
            out[first_row + date, column] = block[date, columns[column]]


@_compiled
def _is_late(moments: Array, known: Array, start: int, end: int) -> bool:
    """Whether any of these events became known after it happened."""
    for event in range(start, end):
        if known[event] != moments[event]:
            return True
    return False


@_compiled
def _longest_late(first_account: int, last_account: int, offsets: Array, moments: Array, known: Array) -> int:
    """The most events that any account with a late event has in one selection: the scratch space to keep."""
    longest = 0
    for selection in range(offsets.shape[0]):
        for account in range(first_account, last_account):
            start, end = offsets[selection, account], offsets[selection, account + 1]
            if end - start > longest and _is_late(moments, known, start, end):
                longest = end - start
    return longest


@_compiled
def _gather_visible(
    moments: Array, known: Array, values: Array, start: int, end: int, until: int, to_moments: Array, to_values: Array
) -> int:
    """Copy the events known by `until`, in order, to the front of the scratch space; how many there are."""
    visible = 0
    for event in range(start, end):
        if known[event] <= until:
            to_moments[visible] = moments[event]
            to_values[visible] = values[event]
            visible += 1
    return visible


@_compiled
def _after(t: Array, position: int, edge: int) -> int:
    """The first position from `position` on whose moment is after the edge."""
    while position < t.shape[0] and t[position] <= edge:
        position += 1
    return position


@_compiled
def _answer(
    stat: int, t: Array, v: Array, lo: int, hi: int, walked: int, as_of: int, parameter: float, state: Array,
    seen: Array, token: int, empty: float,
) -> tuple[float, int]:  # fmt: skip
    """One request over the events [lo, hi), and how far back its run of windows has walked by now."""
    count = hi - lo
    if stat == _COUNT:
        return float(count), walked
    if count == 0:
        return empty, walked
    if stat == _FIRST:
        return v[lo], walked
    if stat == _LAST:
        return v[hi - 1], walked
    if stat == _DAYS_SINCE_FIRST:
        return (as_of - t[lo]) / DAY, walked
    if stat == _DAYS_SINCE_LAST:
        return (as_of - t[hi - 1]) / DAY, walked
    if stat == _SUM or stat == _MEAN:
        _walk_sum(v, lo, walked, state)
        return (state[0] / count if stat == _MEAN else state[0]), lo
    if stat == _STD:
        _walk_deviations(v, lo, walked, v[hi - 1], state)
        return _sample_std(count, state[0], state[1]), lo
    if stat == _MIN:
        return _walk_min(v, lo, hi, walked, state), lo
    if stat == _MAX:
        return _walk_max(v, lo, hi, walked, state), lo
    if stat == _DISTINCT:
        return _walk_distinct(v, lo, walked, seen, token, state), lo
    if stat == _GAP_MEAN or stat == _GAP_STD:
        _walk_gaps(t, lo, hi, walked, parameter, state)
        return (state[1] / state[0] if stat == _GAP_MEAN else _gap_std(state)), lo
    if stat == _SLOPE:
        _walk_line(t, v, lo, walked, t[hi - 1], v[hi - 1], state)
        return _slope(count, state), lo
    _walk_decayed(t, v, lo, walked, as_of, parameter, state)
    return state[0], lo


@_compiled
def _walk_sum(v: Array, lo: int, walked: int, state: Array) -> None:
    total = state[0]
    for event in range(walked - 1, lo - 1, -1):
        total += v[event]
    state[0] = total


@_compiled
def _walk_deviations(v: Array, lo: int, walked: int, pivot: float, state: Array) -> None:
    """Sums of deviations from the newest value and of their squares: equal values give exactly 0."""
    deviation, square = state[0], state[1]
    for event in range(walked - 1, lo - 1, -1):
        d = v[event] - pivot
        deviation += d
        square += d * d
    state[0], state[1] = deviation, square


@_compiled
def _sample_std(count: int, deviation: float, square: float) -> float:
    if count < 2:
        return np.nan
    return np.sqrt(max(square - deviation * deviation / count, 0.0) / (count - 1))


@_compiled
def _walk_min(v: Array, lo: int, hi: int, walked: int, state: Array) -> float:
    lowest = v[hi - 1] if walked == hi else state[0]
    for event in range(walked - 1, lo - 1, -1):
        lowest = min(lowest, v[event])
    state[0] = lowest
    return lowest


@_compiled
def _walk_max(v: Array, lo: int, hi: int, walked: int, state: Array) -> float:
    highest = v[hi - 1] if walked == hi else state[0]
    for event in range(walked - 1, lo - 1, -1):
        highest = max(highest, v[event])
    state[0] = highest
    return highest


@_compiled
def _walk_distinct(v: Array, lo: int, walked: int, seen: Array, token: int, state: Array) -> float:
    """Counts values (codes) not yet seen in this run; `seen` holds the token of the run that saw each last."""
    different = state[0]
    for event in range(walked - 1, lo - 1, -1):
        if v[event] == _NO_CODE:
            different += 1.0
        elif seen[int(v[event])] != token:
            seen[int(v[event])] = token
            different += 1.0
    state[0] = different
    return different


@_compiled
def _walk_gaps(t: Array, lo: int, hi: int, walked: int, same_occasion_days: float, state: Array) -> None:
    """state: number of gaps, their sum, Welford's mean and sum of squared deviations (days), the occasion's position.

    An occasion is an event and all those at most `same_occasion_days` before it; the next one begins with the event
    before them. So somebody who orders twice a day still has a rhythm, and one order's many lines are one occasion.
    """
    if walked == hi:
        state[4] = hi - 1
    for event in range(min(walked, hi - 1) - 1, lo - 1, -1):
        gap = (t[int(state[4])] - t[event]) / DAY
        if gap > same_occasion_days:
            state[0] += 1.0
            state[1] += gap
            off = gap - state[2]
            state[2] += off / state[0]
            state[3] += off * (gap - state[2])
            state[4] = event


@_compiled
def _gap_std(state: Array) -> float:
    if state[0] < 2.0:
        return np.nan
    return np.sqrt(state[3] / (state[0] - 1.0))


@_compiled
def _walk_line(t: Array, v: Array, lo: int, walked: int, newest_moment: int, newest_value: float, state: Array) -> None:
    """Sums for a straight line of value against days, both counted from the newest event: Σx Σy Σxx Σxy."""
    for event in range(walked - 1, lo - 1, -1):
        x = (t[event] - newest_moment) / DAY
        y = v[event] - newest_value
        state[0] += x
        state[1] += y
        state[2] += x * x
        state[3] += x * y


@_compiled
def _slope(count: int, state: Array) -> float:
    spread = state[2] - state[0] * state[0] / count
    if spread <= 0.0:
        return np.nan
    return (state[3] - state[0] * state[1] / count) / spread


@_compiled
def _walk_decayed(t: Array, v: Array, lo: int, walked: int, as_of: int, half_life_days: float, state: Array) -> None:
    total = state[0]
    for event in range(walked - 1, lo - 1, -1):
        total += v[event] * 2.0 ** (-((as_of - t[event]) / DAY) / half_life_days)
    state[0] = total


@_compiled
def _derive(formula: int, first: float, second: float, as_of: int) -> float:
    if formula == _RATIO:
        return first / second if second != 0.0 else np.nan
    if formula == _DIFFERENCE:
        return first - second
    if formula == _SINE:
        return np.sin(as_of / DAY * _RADIANS_A_DAY)
    if formula == _COSINE:
        return np.cos(as_of / DAY * _RADIANS_A_DAY)
    total = first + second
    return (first - second) / total if total > 0.0 else np.nan
