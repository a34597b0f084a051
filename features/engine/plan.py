"""Declarations → the program that the kernel runs: which events to select, which windows, which answers.

Two features that rest on the same aggregate share it; two aggregates over the same events share one selection, and
those that walk over the same values share one run, whose windows continue each other. A plan depends on the
declarations alone, so it is made once and used for every bucket.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple, overload

import numpy as np

from features.arrays import Array
from features.definitions import (
    Aggregate,
    Ahead,
    Bound,
    Condition,
    Constant,
    Definition,
    Derived,
    Feature,
    Newest,
    OneOf,
    Product,
    Season,
    Stat,
    Value,
    Weights,
)
from features.engine.validation import DeclarationError, check
from features.timestamps import DAY

TESTS_PER_PAGE = 64
"""One bit of a word each."""

_BEFORE_ANY_EVENT = 1 << 62
_ZERO_WHEN_EMPTY = {Stat.COUNT, Stat.SUM, Stat.DISTINCT, Stat.DECAYED_SUM}


class Family(IntEnum):
    """Stats that one walk over the events answers together."""

    COUNT = 0
    SINCE = 1
    SUMMARY = 2
    """sum, mean, first, last, standard deviation and extremes: together they cost no more than a sum alone"""
    DISTINCT = 3
    GAPS = 4
    SLOPE = 5
    DECAYED = 6
    QUANTILE = 7
    LARGEST_SHARE = 8


# Of each stat its family, and which of the family's answers it is.
_ANSWERS = {
    Stat.COUNT: (Family.COUNT, 0),
    Stat.DAYS_SINCE_FIRST: (Family.SINCE, 0),
    Stat.DAYS_SINCE_LAST: (Family.SINCE, 1),
    Stat.SUM: (Family.SUMMARY, 0),
    Stat.MEAN: (Family.SUMMARY, 1),
    Stat.FIRST: (Family.SUMMARY, 2),
    Stat.LAST: (Family.SUMMARY, 3),
    Stat.STD: (Family.SUMMARY, 4),
    Stat.MIN: (Family.SUMMARY, 5),
    Stat.MAX: (Family.SUMMARY, 6),
    Stat.DISTINCT: (Family.DISTINCT, 0),
    Stat.GAP_MEAN: (Family.GAPS, 0),
    Stat.GAP_STD: (Family.GAPS, 1),
    Stat.GAP_MAX: (Family.GAPS, 2),
    Stat.GAP_MEDIAN: (Family.GAPS, 3),
    Stat.SLOPE: (Family.SLOPE, 0),
    Stat.DECAYED_SUM: (Family.DECAYED, 0),
    Stat.QUANTILE: (Family.QUANTILE, 0),
    Stat.LARGEST_SHARE: (Family.LARGEST_SHARE, 0),
}
ANSWERS = 7
"""The most answers that a family has."""
CONSTANT = 102
"""The code of a constant among the formulas."""


@dataclass(frozen=True)
class Page:
    """At most 64 tests of one stream's columns: one bit of a word beside each event for each test that it passes."""

    stream: str
    tests: tuple[Condition, ...]

    @cached_property
    def bits_by_word(self) -> dict[str, dict[str, int]]:
        """By text column and word the bits of the tests that the word passes."""
        by_column: dict[str, dict[str, int]] = {}
        for number, (column, test) in enumerate((condition.column, condition.test) for condition in self.tests):
            for word in test.allowed if isinstance(test, OneOf) else ():
                bits = by_column.setdefault(column, {})
                bits[word] = bits.get(word, 0) | 1 << number
        return by_column

    @cached_property
    def limits(self) -> list[tuple[str, float, float, int]]:
        """Column, least, greatest and bit of each test of a number."""
        bounds = [(number, condition.column, condition.test) for number, condition in enumerate(self.tests)]
        return [(column, *_limits(test), 1 << number) for number, column, test in bounds if isinstance(test, Bound)]


@dataclass(frozen=True)
class Reading:
    """The parts of the streams to lay out: tests as pages, values as numbers, words to be told apart as labels."""

    streams: tuple[str, ...]
    pages: tuple[Page, ...]
    numbers: tuple[tuple[str, Value], ...]
    labels: tuple[tuple[str, str], ...]


class Program(NamedTuple):
    """The declarations as arrays; `features.engine.kernel` describes how it uses them.

    selections: one row each, columns as in `SELECTION`; needs: the bits that an event must have to be selected, and
    those that the newest of a key must have as well; stream_selections, stream_pages: the range of each stream's;
    edges: µs before as_of; runs: columns as in `RUN`; windows: the older edge, then the slot of each of the
    family's answers or −1; values, labels, aheads: rows of `Reading` that selections gather; empty: each slot's
    value where there is no event; formulas: formula, first slot, second slot; columns: the slot of each output.
    """

    stream_selections: Array
    stream_pages: Array
    selections: Array
    needs: Array
    edges: Array
    runs: Array
    parameters: Array
    windows: Array
    values: Array
    labels: Array
    aheads: Array
    empty: Array
    formulas: Array
    constants: Array
    columns: Array


SELECTION = ("page", "key", "edge_from", "edge_to", "run_from", "run_to", "value_from", "value_to", "label_from",
             "label_to", "ahead_from", "ahead_to")  # fmt: skip
"""Columns of `Program.selections`; `key` is the place of its label among the selection's own, −1 without `newest`."""

RUN = ("family", "value", "label", "newer_edge", "window_from", "window_to", "absent_is_own")
"""Columns of `Program.runs`; value and label are places among the selection's own, −1 where none is needed."""


@dataclass(frozen=True)
class Plan:
    """The columns to lay out, and the program to run over them."""

    reading: Reading
    program: Program

    @cached_property
    def streams(self) -> dict[str, set[str]]:
        """The columns to read, by stream."""
        needed: dict[str, set[str]] = {stream: set() for stream in self.reading.streams}
        for page in self.reading.pages:
            needed[page.stream].update(test.column for test in page.tests)
        for stream, value in self.reading.numbers:
            needed[stream].update(_columns_of(value))
        for stream, column in self.reading.labels:
            needed[stream].add(column)
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
    aggregates = list(dict.fromkeys(part for definition in definitions for part in _aggregates(definition)))
    derived = list(dict.fromkeys(step for definition in definitions for step in _steps(definition)))
    slot: dict[Definition, int] = {part: number for number, part in enumerate([*aggregates, *derived])}
    writer = _Writer(aggregates, slot)
    return Plan(
        writer.reading,
        writer.program(
            empty=np.array([_empty(part) for part in slot], dtype=np.float64),
            formulas=np.array([_formula(step, slot) for step in derived], dtype=np.int64).reshape(-1, 3),
            constants=np.array([_constant(step) for step in derived], dtype=np.float64),
            columns=np.array([slot[definition] for definition in definitions], dtype=np.int64),
        ),
    )


def _aggregates(definition: Definition) -> Iterator[Aggregate]:
    if isinstance(definition, Aggregate):
        yield definition
    elif isinstance(definition, Derived):
        yield from _aggregates(definition.first)
        yield from _aggregates(definition.second)


def _steps(definition: Definition) -> Iterator[Derived | Season | Constant]:
    """The steps after the aggregates, inputs before the steps that use them."""
    if isinstance(definition, Derived):
        yield from _steps(definition.first)
        yield from _steps(definition.second)
        yield definition
    elif isinstance(definition, Season | Constant):
        yield definition


def _formula(step: Derived | Season | Constant, slot: dict[Definition, int]) -> tuple[int, int, int]:
    if isinstance(step, Derived):
        return int(step.formula), slot[step.first], slot[step.second]
    return CONSTANT if isinstance(step, Constant) else int(step), 0, 0


def _constant(step: Derived | Season | Constant) -> float:
    return step.value if isinstance(step, Constant) else math.nan


def _empty(definition: Definition) -> float:
    return 0.0 if isinstance(definition, Aggregate) and definition.stat in _ZERO_WHEN_EMPTY else math.nan


def _columns_of(value: Value) -> set[str]:
    if isinstance(value, Product):
        return {value.first, value.second}
    return {value.column if isinstance(value, Weights) else value}


@dataclass(frozen=True)
class _Selection:
    """The events of one stream that pass the tests; those of the newest of each key, where only the newest counts."""

    stream: str
    conditions: tuple[Condition, ...]
    newest: Newest | None

    @property
    def tests(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if not isinstance(condition.test, Ahead))

    @property
    def tests_of_newest(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self._later if not isinstance(condition.test, Ahead))

    @property
    def aheads(self) -> tuple[str, ...]:
        """The time columns that must name a moment after as_of."""
        return tuple(
            condition.column for condition in (*self.conditions, *self._later) if isinstance(condition.test, Ahead)
        )

    @property
    def _later(self) -> tuple[Condition, ...]:
        return self.newest.conditions if self.newest else ()


@dataclass(frozen=True)
class _Run:
    """Aggregates that walk back over the same values from the same edge; only their windows differ in length."""

    family: Family
    value: Value | None
    label: str | None
    lag_days: float
    parameter: float
    absent_is_own: bool


class _Writer:
    """Writes the program's tables, selection by selection in the order of the streams."""

    def __init__(self, aggregates: Sequence[Aggregate], slot: dict[Definition, int]) -> None:
        self.slot = slot
        self.by_selection: dict[_Selection, list[Aggregate]] = {}
        for aggregate in sorted(aggregates, key=lambda aggregate: aggregate.stream):
            self.by_selection.setdefault(
                _Selection(aggregate.stream, aggregate.conditions, aggregate.newest), []
            ).append(aggregate)
        self.page_of, self.pages = _paginated(list(self.by_selection))
        self.streams = list(dict.fromkeys(selection.stream for selection in self.by_selection))
        self.numbers: dict[tuple[str, Value], int] = {}
        self.text: dict[tuple[str, str], int] = {}
        self.selections: list[list[int]] = []
        self.needs: list[tuple[int, int]] = []
        self.edges: list[int] = []
        self.runs: list[list[int]] = []
        self.parameters: list[float] = []
        self.windows: list[list[int]] = []
        self.values: list[int] = []
        self.labels: list[int] = []
        self.aheads: list[int] = []
        for selection, selected in self.by_selection.items():
            self._write_selection(selection, selected)

    @property
    def reading(self) -> Reading:
        return Reading(tuple(self.streams), tuple(self.pages), tuple(self.numbers), tuple(self.text))

    def program(self, **derived: Array) -> Program:
        owners = [self.streams.index(selection.stream) for selection in self.by_selection]
        page_owners = [self.streams.index(page.stream) for page in self.pages]
        return Program(
            stream_selections=_ranges(owners, len(self.streams)),
            stream_pages=_ranges(page_owners, len(self.streams)),
            selections=_table(self.selections, len(SELECTION)),
            needs=np.array(self.needs, dtype=np.uint64).reshape(-1, 2),
            edges=np.array(self.edges, dtype=np.int64),
            runs=_table(self.runs, len(RUN)),
            parameters=np.array(self.parameters, dtype=np.float64),
            windows=_table(self.windows, 1 + ANSWERS),
            values=np.array(self.values, dtype=np.int64),
            labels=np.array(self.labels, dtype=np.int64),
            aheads=np.array(self.aheads, dtype=np.int64),
            **derived,
        )

    def _write_selection(self, selection: _Selection, aggregates: Sequence[Aggregate]) -> None:
        runs = _runs(aggregates)
        values = list(
            dict.fromkeys(run.value for run in runs if run.value is not None and run.family is not Family.DISTINCT)
        )
        key = [selection.newest.key] if selection.newest else []
        labels = list(dict.fromkeys([*key, *(run.label for run in runs if run.label)]))
        edge = {bound: len(self.edges) + number for number, bound in enumerate(_bounds(aggregates))}
        self.edges += edge
        begun = len(self.runs), len(self.values), len(self.labels), len(self.aheads)
        for run, run_aggregates in runs.items():
            self._write_run(run, run_aggregates, values, labels, edge)
        self.values += [self._number(selection.stream, value) for value in values]
        self.labels += [self._label(selection.stream, label) for label in labels]
        self.aheads += [self._number(selection.stream, column) for column in selection.aheads]
        ended = len(self.runs), len(self.values), len(self.labels), len(self.aheads)
        ranges = [bound for pair in zip(begun, ended, strict=True) for bound in pair]
        page = self.page_of[selection]
        self.selections.append([page, 0 if key else -1, min(edge.values()), max(edge.values()) + 1, *ranges])
        tests = self.pages[page].tests
        self.needs.append((_bits(selection.tests, tests), _bits(selection.tests_of_newest, tests)))

    def _write_run(
        self,
        run: _Run,
        aggregates: Sequence[Aggregate],
        values: Sequence[Value],
        labels: Sequence[str],
        edge: dict[int, int],
    ) -> None:
        begun = len(self.windows)
        for days in sorted({aggregate.days for aggregate in aggregates}):
            answers = [-1] * ANSWERS
            for aggregate in aggregates:
                if aggregate.days == days:
                    answers[_ANSWERS[aggregate.stat][1]] = self.slot[aggregate]
            self.windows.append([edge[_edge(run.lag_days + days)], *answers])
        value = values.index(run.value) if run.value in values else -1
        label = labels.index(run.label) if run.label else -1
        newer = edge[_edge(run.lag_days)]
        self.runs.append([run.family, value, label, newer, begun, len(self.windows), run.absent_is_own])
        self.parameters.append(run.parameter)

    def _number(self, stream: str, value: Value) -> int:
        return self.numbers.setdefault((stream, value), len(self.numbers))

    def _label(self, stream: str, column: str) -> int:
        return self.text.setdefault((stream, column), len(self.text))


def _runs(aggregates: Sequence[Aggregate]) -> dict[_Run, list[Aggregate]]:
    """The aggregates of one selection by run."""
    runs: dict[_Run, list[Aggregate]] = {}
    for aggregate in aggregates:
        runs.setdefault(_run(aggregate), []).append(aggregate)
    return runs


def _run(aggregate: Aggregate) -> _Run:
    label = str(aggregate.value) if aggregate.stat is Stat.DISTINCT else aggregate.by
    return _Run(
        _ANSWERS[aggregate.stat][0],
        aggregate.value,
        label,
        aggregate.lag_days,
        aggregate.parameter,
        aggregate.absent_is_own,
    )


def _bounds(aggregates: Sequence[Aggregate]) -> list[int]:
    """The edges of all windows, in µs before as_of, ascending."""
    return sorted(
        {
            _edge(bound)
            for aggregate in aggregates
            for bound in (aggregate.lag_days, aggregate.lag_days + aggregate.days)
        }
    )


def _edge(days: float) -> int:
    """µs before as_of. So many days that no event can be that old are all time."""
    return round(days * DAY) if days * DAY < _BEFORE_ANY_EVENT else _BEFORE_ANY_EVENT


def _paginated(selections: Sequence[_Selection]) -> tuple[dict[_Selection, int], list[Page]]:
    """Each selection's page: the last one of its stream as long as its tests still find room there."""
    page_of: dict[_Selection, int] = {}
    pages: list[Page] = []
    for selection in selections:
        tests = dict.fromkeys([*selection.tests, *selection.tests_of_newest])
        if len(tests) > TESTS_PER_PAGE:
            raise DeclarationError(f"{len(tests)} tests of one feature are too many; {TESTS_PER_PAGE} can be made")
        last = pages[-1] if pages and pages[-1].stream == selection.stream else None
        together = tuple(dict.fromkeys([*(last.tests if last else ()), *tests]))
        if last and len(together) <= TESTS_PER_PAGE:
            pages[-1] = Page(selection.stream, together)
        else:
            pages.append(Page(selection.stream, tuple(tests)))
        page_of[selection] = len(pages) - 1
    return page_of, pages


def _limits(test: Bound) -> tuple[float, float]:
    return (-math.inf, test.bound) if test.side == "at_most" else (test.bound, math.inf)


def _bits(tests: Sequence[Condition], page: Sequence[Condition]) -> int:
    return sum(1 << page.index(test) for test in dict.fromkeys(tests))


def _table(rows: Sequence[Sequence[int]], width: int) -> Array:
    return np.array(rows, dtype=np.int64).reshape(-1, width)


def _ranges(owners: Sequence[int], count: int) -> Array:
    """For each owner 0 … count − 1 the half-open range of positions that it owns; owners come sorted."""
    bounds = np.searchsorted(np.array(owners, dtype=np.int64), np.arange(count + 1))
    return np.column_stack([bounds[:-1], bounds[1:]]).astype(np.int64)
