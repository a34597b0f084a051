"""Declarations turned into the arrays that the kernel reads: what to select, which windows, what to answer.

Two features that rest on the same aggregate share one request; two aggregates over the same events share
one selection. A plan depends on the declarations alone, so it is made once and used for every bucket.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np

from features.declared import DeclarationError, check
from features.definitions import Aggregate, Condition, Definition, Derived, Feature, Season, Stat, Weights
from features.moments import DAY

_BEFORE_ANY_EVENT = 1 << 62
_FAMILY = {Stat.MEAN: Stat.SUM, Stat.GAP_STD: Stat.GAP_MEAN}
_ZERO_WHEN_EMPTY = {Stat.COUNT, Stat.SUM, Stat.DISTINCT, Stat.DECAYED_SUM}
_NUMBERED = {Stat.DISTINCT}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Selection:
    """The events of one stream that pass the conditions and have a value, with that value beside them."""

    stream: str
    conditions: tuple[Condition, ...]
    value: str | Weights | None
    as_code: bool
    absent_is_own: bool

    @property
    def columns(self) -> set[str]:
        """The columns of the stream that have to be read."""
        valued = self.value.column if isinstance(self.value, Weights) else self.value
        return {condition.column for condition in self.conditions} | ({valued} if valued else set())


@dataclass(frozen=True)
class Plan:
    """See `features.kernel.fill` for the arrays' shapes and meaning."""

    selections: tuple[Selection, ...]
    edges: Array
    selection_edges: Array
    selection_requests: Array
    stats: Array
    windows: Array
    restarts: Array
    parameters: Array
    empty: Array
    formulas: Array
    slots: int
    columns: Array

    @property
    def streams(self) -> dict[str, set[str]]:
        """The columns to read, by stream."""
        needed: dict[str, set[str]] = {}
        for selection in self.selections:
            needed.setdefault(selection.stream, set()).update(selection.columns)
        return needed


class FeatureSet(Sequence[Feature]):
    """Features in a fixed order with distinct names, and the plan to compute them, made when first asked for.

    DeclarationError if one is declared over a stream, column, word or window that does not exist.
    """

    def __init__(self, features: Iterable[Feature]) -> None:
        self._features = tuple(features)
        names = self.names
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DeclarationError(f"features declared twice: {', '.join(twice)}; give each a name of its own")
        check(self._features)

    @classmethod
    def of(cls, features: Iterable[Feature]) -> "FeatureSet":
        """These features as a set; a set stays itself, so that its plan is made only once."""
        return features if isinstance(features, cls) else cls(features)

    @property
    def names(self) -> list[str]:
        return [feature.name for feature in self._features]

    @cached_property
    def plan(self) -> Plan:
        return make_plan([feature.definition for feature in self._features])

    @overload
    def __getitem__(self, index: int) -> Feature: ...
    @overload
    def __getitem__(self, index: slice) -> "FeatureSet": ...
    def __getitem__(self, index: int | slice) -> "Feature | FeatureSet":
        return FeatureSet(self._features[index]) if isinstance(index, slice) else self._features[index]

    def __len__(self) -> int:
        return len(self._features)


def make_plan(definitions: Sequence[Definition]) -> Plan:
    """The plan that computes these definitions, one output column each, in their order."""
    requests = sorted({aggregate for one in definitions for aggregate in _aggregates(one)}, key=_request_order)
    derived = list(dict.fromkeys(step for one in definitions for step in _steps(one)))
    slot: dict[Definition, int] = {one: number for number, one in enumerate([*requests, *derived])}
    selections = list(dict.fromkeys(map(_selection, requests)))
    edges, windows, selection_edges = _edges_and_windows(requests, selections)
    return Plan(
        selections=tuple(selections),
        edges=edges,
        selection_edges=selection_edges,
        selection_requests=_ranges([selections.index(_selection(one)) for one in requests], len(selections)),
        stats=np.array([one.stat for one in requests], dtype=np.int64),
        windows=windows,
        restarts=_restarts(requests),
        parameters=np.array([one.parameter for one in requests], dtype=np.float64),
        empty=np.array([0.0 if one.stat in _ZERO_WHEN_EMPTY else math.nan for one in requests], dtype=np.float64),
        formulas=np.array([_formula(step, slot) for step in derived], dtype=np.int64).reshape(-1, 3),
        slots=len(slot),
        columns=np.array([slot[one] for one in definitions], dtype=np.int64),
    )


def _aggregates(definition: Definition) -> Iterator[Aggregate]:
    if isinstance(definition, Aggregate):
        yield definition
    elif isinstance(definition, Derived):
        yield from _aggregates(definition.first)
        yield from _aggregates(definition.second)


def _steps(definition: Definition) -> Iterator[Derived | Season]:
    """What is computed after the aggregates, inputs before what uses them."""
    if isinstance(definition, Derived):
        yield from _steps(definition.first)
        yield from _steps(definition.second)
        yield definition
    elif isinstance(definition, Season):
        yield definition


def _formula(step: Derived | Season, slot: dict[Definition, int]) -> tuple[int, int, int]:
    if isinstance(step, Season):
        return int(step), 0, 0
    return int(step.formula), slot[step.first], slot[step.second]


def _selection(one: Aggregate) -> Selection:
    return Selection(one.stream, one.conditions, one.value, one.stat in _NUMBERED, one.absent_is_own)


def _run(one: Aggregate) -> tuple[Any, ...]:
    """Requests with the same run walk back over the same events; only their windows differ in length."""
    return repr(_selection(one)), int(_FAMILY.get(one.stat, one.stat)), one.parameter, one.lag_days


def _request_order(one: Aggregate) -> tuple[Any, ...]:
    return *_run(one), one.days, int(one.stat)


def _restarts(requests: Sequence[Aggregate]) -> Array:
    runs = [_run(one) for one in requests]
    return np.array([number == 0 or runs[number - 1] != run for number, run in enumerate(runs)], dtype=np.bool_)


def _edge(days: float) -> int:
    return _BEFORE_ANY_EVENT if math.isinf(days) else round(days * DAY)


def _edges_and_windows(requests: Sequence[Aggregate], selections: Sequence[Selection]) -> tuple[Array, Array, Array]:
    """Every selection's distinct window edges (µs before as_of), and the positions of each request's two among them."""
    edges: list[int] = []
    position: dict[tuple[Selection, int], int] = {}
    for selection in selections:
        own = [one for one in requests if _selection(one) == selection]
        for edge in sorted({_edge(bound) for one in own for bound in (one.lag_days, one.lag_days + one.days)}):
            position[selection, edge] = len(edges)
            edges.append(edge)
    windows = [
        (position[_selection(one), _edge(one.lag_days + one.days)], position[_selection(one), _edge(one.lag_days)])
        for one in requests
    ]
    owners = [selections.index(selection) for selection, _ in position]
    return (
        np.array(edges, dtype=np.int64),
        np.array(windows, dtype=np.int64).reshape(-1, 2),
        _ranges(owners, len(selections)),
    )


def _ranges(owners: Sequence[int], count: int) -> Array:
    """For each owner 0 … count − 1 the half-open range of positions that it owns; owners come sorted."""
    bounds = np.searchsorted(np.array(owners, dtype=np.int64), np.arange(count + 1))
    return np.column_stack([bounds[:-1], bounds[1:]]).astype(np.int64)
