"""The vocabulary that features are declared in.

    orders = events("purchases", kind="order")
    Feature("purchases_amount_sum_90d", orders.sum("amount", days=90), "net value ordered in 90 days", "currency", "0")

A declaration says what is computed, never how: `features.kernel` computes all of them, in training,
at night, online and on a cluster alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

ALL_TIME = math.inf
"""The window that reaches back to the first event."""


class Stat(IntEnum):
    """What is computed over the events of one window. NaN where there is nothing to compute from."""

    COUNT = 0
    """how many events; 0 without any"""
    SUM = 1
    """0 without any"""
    MEAN = 2
    STD = 3
    """sample standard deviation; NaN below two events"""
    MIN = 4
    MAX = 5
    FIRST = 6
    """the oldest event's value"""
    LAST = 7
    """the newest event's value"""
    DISTINCT = 8
    """how many different values; 0 without any"""
    DAYS_SINCE_FIRST = 9
    DAYS_SINCE_LAST = 10
    GAP_MEAN = 11
    """mean days between occasions: from the newest event back, events at most `parameter` days before it are one with it"""
    GAP_STD = 12
    """sample standard deviation of those gaps"""
    SLOPE = 13
    """least-squares slope of the value, per day; NaN unless at two moments at least"""
    DECAYED_SUM = 14
    """sum of value × 2^(−age / `parameter` days)"""


class Formula(IntEnum):
    """How a derived feature follows from two others (first, second). NaN where either is NaN."""

    RATIO = 0
    """first / second; NaN where second is 0"""
    DIFFERENCE = 1
    """first − second"""
    TREND = 2
    """(first − second) / (first + second): −1 stopped, 0 unchanged, +1 newly begun; NaN where the sum is not positive"""


class Season(IntEnum):
    """Where as_of stands in the year, as a point on a circle; needs no events."""

    SINE = 100
    COSINE = 101


@dataclass(frozen=True)
class OneOf:
    """Passes a text value that is one of these."""

    allowed: tuple[str, ...]


@dataclass(frozen=True)
class Bound:
    """Passes a number on the right side of the bound, the bound itself included."""

    side: Literal["at_most", "at_least"]
    bound: float


@dataclass(frozen=True)
class Condition:
    """A test of one column. A missing value fails every test."""

    column: str
    test: OneOf | Bound


@dataclass(frozen=True)
class Weights:
    """A number for each word of a text column: opened counts +1, resolved −1. Other words count as absent."""

    column: str
    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Aggregate:
    """One stat over the events of one stream that pass the conditions and lie in one window.

    The window is (as_of − lag_days − days, as_of − lag_days], on occurred_at, among the events with
    known_at ≤ as_of. Events whose value is missing do not take part, except in DISTINCT with
    `absent_is_own`, where each counts as different from all others.
    """

    stream: str
    conditions: tuple[Condition, ...]
    stat: Stat
    value: str | Weights | None = None
    days: float = ALL_TIME
    lag_days: float = 0.0
    parameter: float = 0.0
    absent_is_own: bool = False


@dataclass(frozen=True)
class Derived:
    """A formula over two other definitions, computed for the same row."""

    formula: Formula
    first: "Definition"
    second: "Definition"


Definition = Aggregate | Derived | Season


@dataclass(frozen=True)
class Feature:
    """A named input of a model: one float64 per (account_id, as_of)."""

    name: str
    definition: Definition
    meaning: str
    unit: str
    absent: str
    """What NaN (or 0, for counts and sums) tells about the account."""


@dataclass(frozen=True)
class Selected:
    """The events of one stream that pass all conditions; its methods declare aggregates over them."""

    stream: str
    conditions: tuple[Condition, ...] = ()

    def where(self, **tests: "Test") -> "Selected":
        """Fewer events: each keyword is a column, its value the word or words it must hold, or a bound."""
        return Selected(self.stream, (*self.conditions, *_conditions(tests)))

    def count(self, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.COUNT, None, days, lag_days)

    def sum(self, value: str | Weights, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.SUM, value, days, lag_days)

    def mean(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MEAN, value, days, lag_days)

    def std(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.STD, value, days, lag_days)

    def min(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MIN, value, days, lag_days)

    def max(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MAX, value, days, lag_days)

    def first(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.FIRST, value, days, lag_days)

    def last(self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.LAST, value, days, lag_days)

    def distinct(
        self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0, absent_is_own: bool = False
    ) -> Aggregate:
        return self._aggregate(Stat.DISTINCT, value, days, lag_days, absent_is_own=absent_is_own)

    def days_since_first(self, *, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.DAYS_SINCE_FIRST, None, days)

    def days_since_last(self, *, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.DAYS_SINCE_LAST, None, days)

    def gap_mean(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_MEAN, None, days, parameter=same_occasion_days)

    def gap_std(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_STD, None, days, parameter=same_occasion_days)

    def slope(self, value: str, *, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.SLOPE, value, days)

    def decayed_sum(self, value: str, *, half_life_days: float, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.DECAYED_SUM, value, days, parameter=half_life_days)

    def _aggregate(
        self,
        stat: Stat,
        value: str | Weights | None,
        days: float,
        lag_days: float = 0.0,
        parameter: float = 0.0,
        absent_is_own: bool = False,
    ) -> Aggregate:
        return Aggregate(
            self.stream, self.conditions, stat, value, float(days), float(lag_days), float(parameter), absent_is_own
        )


Test = str | Sequence[str] | Bound


def events(stream: str, **tests: Test) -> Selected:
    """The events of a stream whose columns pass the tests: `events("service", kind="opened")`."""
    return Selected(stream).where(**tests)


def at_most(bound: float) -> Bound:
    """Numbers up to the bound, the bound included."""
    return Bound("at_most", float(bound))


def at_least(bound: float) -> Bound:
    """Numbers from the bound on, the bound included."""
    return Bound("at_least", float(bound))


def weights(column: str, **words: float) -> Weights:
    """A number for each word of a text column, to be summed."""
    return Weights(column, tuple(sorted(words.items())))


def ratio(first: Definition, second: Definition) -> Derived:
    """First / second; NaN where second is 0."""
    return Derived(Formula.RATIO, first, second)


def difference(first: Definition, second: Definition) -> Derived:
    """First − second."""
    return Derived(Formula.DIFFERENCE, first, second)


def trend(first: Definition, second: Definition) -> Derived:
    """(first − second) / (first + second), between −1 and +1 for values that are not negative."""
    return Derived(Formula.TREND, first, second)


def _conditions(tests: Mapping[str, Test]) -> tuple[Condition, ...]:
    return tuple(Condition(column, _test(test)) for column, test in sorted(tests.items()))


def _test(test: Test) -> OneOf | Bound:
    if isinstance(test, Bound):
        return test
    return OneOf((test,) if isinstance(test, str) else tuple(sorted(test)))
