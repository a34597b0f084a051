"""The vocabulary that features are declared in.

    orders = events("purchases", kind="order")
    Feature("purchases_amount_sum_90d", orders.sum("amount", days=90), "net value ordered in 90 days", "currency", "0")

A declaration names the value, not the computation: `features.engine.kernel` computes all of them, in training,
at night, online and on a cluster alike.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

ALL_TIME = math.inf
"""The window that reaches back to the first event."""


class Stat(IntEnum):
    """The statistic over the events of one window. NaN where there is nothing to compute from."""

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
    GAP_MEDIAN = 15
    """median of the gaps between occasions (see GAP_MEAN), the mean of the middle two where their number is even"""
    GAP_MAX = 16
    """the longest of those gaps"""
    QUANTILE = 17
    """the value below which the share `parameter` of the values lies, between two of them by a straight line (Hyndman & Fan 1996, type 7)"""
    LARGEST_SHARE = 18
    """share of the sum that falls to the word of `by` with the largest sum; NaN where the sum is not above 0.
    Events without a word of `by` do not take part"""


class Formula(IntEnum):
    """How a derived feature follows from two others (first, second). NaN where either is NaN, but for OR_ELSE."""

    RATIO = 0
    """first / second; NaN where second is 0"""
    DIFFERENCE = 1
    """first − second"""
    TREND = 2
    """(first − second) / (first + second): −1 stopped, 0 unchanged, +1 newly begun; NaN where the sum is not positive"""
    DAYS_UNTIL = 3
    """days from as_of to the moment that first names; negative once it has passed. There is no second"""
    PRODUCT = 4
    SUM = 5
    LESS = 6
    """1 where first < second, else 0"""
    MINIMUM = 7
    """of two that are 0 or 1: both"""
    MAXIMUM = 8
    """the larger one; of two that are 0 or 1: either"""
    OR_ELSE = 9
    """first, or second where first is NaN"""


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
class Ahead:
    """Passes a moment that lies after as_of: the end of a contract still in force."""


@dataclass(frozen=True)
class Condition:
    """A test of one column. A missing value fails every test."""

    column: str
    test: OneOf | Bound | Ahead


@dataclass(frozen=True)
class Weights:
    """A number for each word of a text column: opened counts +1, resolved −1. Other words count as absent."""

    column: str
    weights: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Product:
    """Two number columns multiplied, event by event; absent where either is."""

    first: str
    second: str


Value = str | Weights | Product
"""The input of a stat: a column (a time column as UTC microseconds), weighted words, or a product."""


@dataclass(frozen=True)
class Newest:
    """Only the newest event of each word of the column `key` counts, and only if it passes these conditions as well.

    Newest by occurred_at, of equals the last in canonical order, among the events that have happened and are known at
    as_of and pass the conditions before. So the newest opened, reopened or resolved event of a case says whether it is
    open. Events without a key do not take part.
    """

    key: str
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Aggregate:
    """One stat over the events of one stream that pass the conditions and lie in one window.

    The window is (as_of − lag_days − days, as_of − lag_days], on occurred_at, among the events with
    known_at ≤ as_of. Events whose value is missing do not take part, except in DISTINCT with
    `absent_is_own`, where each counts as different from all others. With `newest` the window is looked at last:
    an older event of a key does not come back because its newest lies outside.
    """

    stream: str
    conditions: tuple[Condition, ...]
    stat: Stat
    value: Value | None = None
    days: float = ALL_TIME
    lag_days: float = 0.0
    parameter: float = 0.0
    absent_is_own: bool = False
    by: str | None = None
    """The text column whose words LARGEST_SHARE compares."""
    newest: Newest | None = None


@dataclass(frozen=True)
class Derived:
    """A formula over two other definitions, computed for the same row."""

    formula: Formula
    first: "Definition"
    second: "Definition"


@dataclass(frozen=True)
class Constant:
    """The same number in every row: a threshold, an expectation."""

    value: float


Definition = Aggregate | Derived | Season | Constant


@dataclass(frozen=True)
class Feature:
    """A named input of a model: one float64 per (account_id, as_of)."""

    name: str
    definition: Definition
    meaning: str
    unit: str
    absent: str
    """The meaning of NaN (or 0, for counts and sums) for the account."""


@dataclass(frozen=True)
class Selected:
    """The events of one stream that pass all conditions; its methods declare aggregates over them."""

    stream: str
    conditions: tuple[Condition, ...] = ()
    only_newest: Newest | None = None

    def where(self, **tests: "Test") -> "Selected":
        """Fewer events: each keyword is a column, its value the word or words it must hold, or a bound.

        After `newest` the tests are put to the newest event of each key, and do not make an older one the newest.
        """
        if self.only_newest:
            return replace(self, only_newest=_narrowed(self.only_newest, tests))
        return replace(self, conditions=(*self.conditions, *_conditions(tests)))

    def newest(self, key: str) -> "Selected":
        """Of these events only the newest of each word of `key`: the state in which each case or contract is."""
        return replace(self, only_newest=Newest(key))

    def count(self, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.COUNT, None, days, lag_days)

    def sum(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.SUM, value, days, lag_days)

    def mean(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MEAN, value, days, lag_days)

    def std(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.STD, value, days, lag_days)

    def min(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MIN, value, days, lag_days)

    def max(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.MAX, value, days, lag_days)

    def first(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.FIRST, value, days, lag_days)

    def last(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.LAST, value, days, lag_days)

    def quantile(self, value: Value, q: float, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.QUANTILE, value, days, lag_days, parameter=q)

    def distinct(
        self, value: str, *, days: float = ALL_TIME, lag_days: float = 0.0, absent_is_own: bool = False
    ) -> Aggregate:
        return self._aggregate(Stat.DISTINCT, value, days, lag_days, absent_is_own=absent_is_own)

    def largest_share(self, value: Value, by: str, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.LARGEST_SHARE, value, days, lag_days, by=by)

    def share_of_total(self, value: Value, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Derived:
        """How much of the stream's whole sum in that window these events make up; NaN where that is 0."""
        everything = Selected(self.stream).sum(value, days=days, lag_days=lag_days)
        return ratio(self.sum(value, days=days, lag_days=lag_days), everything)

    def days_since_first(self, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.DAYS_SINCE_FIRST, None, days, lag_days)

    def days_since_last(self, *, days: float = ALL_TIME, lag_days: float = 0.0) -> Aggregate:
        return self._aggregate(Stat.DAYS_SINCE_LAST, None, days, lag_days)

    def gap_mean(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_MEAN, None, days, parameter=same_occasion_days)

    def gap_std(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_STD, None, days, parameter=same_occasion_days)

    def gap_median(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_MEDIAN, None, days, parameter=same_occasion_days)

    def gap_max(self, *, days: float = ALL_TIME, same_occasion_days: float = 0.5) -> Aggregate:
        return self._aggregate(Stat.GAP_MAX, None, days, parameter=same_occasion_days)

    def slope(self, value: Value, *, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.SLOPE, value, days)

    def decayed_sum(self, value: Value, *, half_life_days: float, days: float = ALL_TIME) -> Aggregate:
        return self._aggregate(Stat.DECAYED_SUM, value, days, parameter=half_life_days)

    def _aggregate(
        self,
        stat: Stat,
        value: Value | None,
        days: float,
        lag_days: float = 0.0,
        *,
        parameter: float = 0.0,
        absent_is_own: bool = False,
        by: str | None = None,
    ) -> Aggregate:
        return Aggregate(
            self.stream, self.conditions, stat, value, float(days), float(lag_days), float(parameter), absent_is_own,
            by, self.only_newest,
        )  # fmt: skip


Test = str | Sequence[str] | Bound | Ahead


def events(stream: str, **tests: Test) -> Selected:
    """The events of a stream whose columns pass the tests: `events("service", kind="opened")`."""
    return Selected(stream).where(**tests)


def at_most(bound: float) -> Bound:
    """Numbers up to the bound, the bound included."""
    return Bound("at_most", float(bound))


def at_least(bound: float) -> Bound:
    """Numbers from the bound on, the bound included."""
    return Bound("at_least", float(bound))


def still_ahead() -> Ahead:
    """Moments after as_of: `where(ends_at=still_ahead())`."""
    return Ahead()


def weights(column: str, **words: float) -> Weights:
    """A number for each word of a text column, to be summed."""
    return Weights(column, tuple(sorted(words.items())))


def times(first: str, second: str) -> Product:
    """Two number columns multiplied, event by event: `lines.sum(times("quantity", "unit_price"))`."""
    return Product(first, second)


def ratio(first: Definition, second: Definition) -> Derived:
    """First / second; NaN where second is 0."""
    return Derived(Formula.RATIO, first, second)


def difference(first: Definition, second: Definition) -> Derived:
    """First − second."""
    return Derived(Formula.DIFFERENCE, first, second)


def trend(first: Definition, second: Definition) -> Derived:
    """(first − second) / (first + second), between −1 and +1 for values that are not negative."""
    return Derived(Formula.TREND, first, second)


def days_until(moment: Definition) -> Derived:
    """Days from as_of to a moment taken from a time column: `days_until(in_force.min("ends_at"))`."""
    return Derived(Formula.DAYS_UNTIL, moment, moment)


def product(first: Definition, second: Definition) -> Derived:
    """First × second."""
    return Derived(Formula.PRODUCT, first, second)


def total(first: Definition, second: Definition) -> Derived:
    """First + second."""
    return Derived(Formula.SUM, first, second)


def less(first: Definition, second: Definition) -> Derived:
    """1 where first < second, else 0; NaN where either is NaN."""
    return Derived(Formula.LESS, first, second)


def both(first: Definition, second: Definition) -> Derived:
    """1 where both are 1, else 0: the smaller of the two."""
    return Derived(Formula.MINIMUM, first, second)


def either(first: Definition, second: Definition) -> Derived:
    """1 where one of them is 1, else 0: the larger of the two."""
    return Derived(Formula.MAXIMUM, first, second)


def larger(first: Definition, second: Definition) -> Derived:
    """The larger of the two: `larger(since_first, Constant(90))` is 90 at least."""
    return Derived(Formula.MAXIMUM, first, second)


def or_else(first: Definition, second: Definition) -> Derived:
    """First, or second where first is NaN: `or_else(open_days, Constant(0))`."""
    return Derived(Formula.OR_ELSE, first, second)


def _narrowed(newest: Newest, tests: Mapping[str, Test]) -> Newest:
    return replace(newest, conditions=(*newest.conditions, *_conditions(tests)))


def _conditions(tests: Mapping[str, Test]) -> tuple[Condition, ...]:
    return tuple(Condition(column, _test(test)) for column, test in sorted(tests.items()))


def _test(test: Test) -> OneOf | Bound | Ahead:
    if isinstance(test, Bound | Ahead):
        return test
    return OneOf((test,) if isinstance(test, str) else tuple(sorted(test)))
