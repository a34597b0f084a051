"""Events laid out for the kernel: each selection's moments and values, one after the other in flat arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from features.definitions import Bound, Condition, OneOf, Weights
from features.events import NO_CODE, Events, StreamEvents, Words
from features.plan import Plan, Selection

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Packed:
    """`offsets[s, a] : offsets[s, a + 1]` are the events of selection s and account a in the flat arrays."""

    moments: Array
    known: Array
    values: Array
    offsets: Array
    codes: int
    """One more than the largest code among the values to be told apart."""


def pack(events: Events, plan: Plan) -> Packed:
    """Apply every selection of the plan to the events; a stream that is not there counts as empty."""
    nothing = np.zeros(len(events.accounts) + 1, dtype=np.int64)
    parts = [_select(events.streams.get(selection.stream), selection, nothing) for selection in plan.selections]
    starts = np.cumsum([0, *(part[0].size for part in parts)])
    return Packed(
        moments=_join([part[0] for part in parts], np.int64),
        known=_join([part[1] for part in parts], np.int64),
        values=_join([part[2] for part in parts], np.float64),
        offsets=np.array([part[3] + start for part, start in zip(parts, starts, strict=False)], dtype=np.int64).reshape(
            -1, nothing.size
        ),
        codes=max((part[4] for part in parts), default=0),
    )


def _join(parts: list[Array], dtype: type) -> Array:
    return np.concatenate(parts).astype(dtype, copy=False) if parts else np.empty(0, dtype=dtype)


def _select(
    events: StreamEvents | None, selection: Selection, nothing: Array
) -> tuple[Array, Array, Array, Array, int]:
    """Moments, known_at, values and offsets of the selected events, and how many codes their values need."""
    if events is None:
        return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64), nothing, 0
    values, keep = _values(events, selection)
    for condition in selection.conditions:
        keep &= _passes(events.columns[condition.column], condition)
    codes = int(values.max(initial=NO_CODE)) + 1 if selection.as_code else 0
    if keep.all():
        return events.occurred_at, events.known_at, values, events.offsets, codes
    kept_before = np.concatenate([[0], np.cumsum(keep)])
    return events.occurred_at[keep], events.known_at[keep], values[keep], kept_before[events.offsets], codes


def _values(events: StreamEvents, selection: Selection) -> tuple[Array, Array]:
    """The number that each event stands for, and which events have one."""
    everyone = np.ones(events.occurred_at.size, dtype=np.bool_)
    if selection.value is None:
        return np.zeros(events.occurred_at.size, dtype=np.float64), everyone
    values = _numbers(events, selection.value)
    if not selection.as_code:
        return values, ~np.isnan(values)
    return values, everyone if selection.absent_is_own else values != NO_CODE


def _numbers(events: StreamEvents, value: str | Weights) -> Array:
    if isinstance(value, Weights):
        weight, column = dict(value.weights), _words(events, value.column)
        return _by_word(column, [weight.get(word, np.nan) for word in column.words], np.nan)
    column_or_codes = events.columns[value]
    return column_or_codes.codes.astype(np.float64) if isinstance(column_or_codes, Words) else column_or_codes


def _words(events: StreamEvents, name: str) -> Words:
    column = events.columns[name]
    if not isinstance(column, Words):
        raise TypeError(f"column {name!r} holds numbers; words can be asked of a text column only")
    return column


def _passes(column: Words | Array, condition: Condition) -> Array:
    if isinstance(condition.test, OneOf):
        if not isinstance(column, Words):
            raise TypeError(f"column {condition.column!r} holds numbers; test it with at_most or at_least")
        return _by_word(column, [word in condition.test.allowed for word in column.words], False)
    if isinstance(column, Words):
        raise TypeError(f"column {condition.column!r} holds text; test it with the words it may hold")
    return _within(column, condition.test)


def _within(numbers: Array, test: Bound) -> Array:
    # A comparison with NaN is false, which is what a missing value must be.
    return numbers <= test.bound if test.side == "at_most" else numbers >= test.bound


def _by_word(column: Words, answers: list[Any], missing: Any) -> Array:
    """The answer of each event's word; NO_CODE (−1) points at the last place, which holds `missing`."""
    return np.array([*answers, missing])[column.codes]
