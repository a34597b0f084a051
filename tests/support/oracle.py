"""A second, slow and obvious computation of every declaration, written from the docstrings and not from the kernel.

It reads plain rows of one account and loops over them in Python; where a library has the formula (numpy's std,
quantile and polyfit, the standard library's median) it asks the library.
"""

import math
import statistics
from datetime import UTC, datetime, timedelta

import numpy as np

from features.definitions import Aggregate, Ahead, Bound, Constant, Derived, Formula, Product, Season, Stat, Weights
from features.history.streams import STREAMS

DAY_SECONDS = 86_400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def days_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / DAY_SECONDS


def microseconds(moment: datetime) -> float:
    return float((moment - EPOCH) // MICROSECOND)


def oracle(definition, rows_by_stream, as_of):
    """The value of a definition for one account; NaN where it is absent."""
    if isinstance(definition, Aggregate):
        return aggregate(definition, rows_by_stream.get(definition.stream, []), as_of)
    if isinstance(definition, Constant):
        return float(definition.value)
    if isinstance(definition, Season):
        angle = 2 * math.pi * days_between(EPOCH, as_of) / 365.2425
        return math.sin(angle) if definition is Season.SINE else math.cos(angle)
    assert isinstance(definition, Derived)
    first = oracle(definition.first, rows_by_stream, as_of)
    second = oracle(definition.second, rows_by_stream, as_of)
    return derive(definition.formula, first, second, as_of)


def derive(formula, first, second, as_of):
    if formula is Formula.OR_ELSE:
        return second if math.isnan(first) else first
    if formula is Formula.DAYS_UNTIL:
        return (first - microseconds(as_of)) / (DAY_SECONDS * 1e6)
    return math.nan if math.isnan(first) or math.isnan(second) else FORMULAS[formula](first, second)


FORMULAS = {
    Formula.RATIO: lambda first, second: first / second if second != 0 else math.nan,
    Formula.DIFFERENCE: lambda first, second: first - second,
    Formula.TREND: lambda first, second: (first - second) / (first + second) if first + second > 0 else math.nan,
    Formula.PRODUCT: lambda first, second: first * second,
    Formula.SUM: lambda first, second: first + second,
    Formula.LESS: lambda first, second: 1.0 if first < second else 0.0,
    Formula.MINIMUM: min,
    Formula.MAXIMUM: max,
}


def passes(condition, row, as_of):
    value = row.get(condition.column)
    if value is None:
        return False
    if isinstance(condition.test, Ahead):
        return value > as_of
    if isinstance(condition.test, Bound):
        return value <= condition.test.bound if condition.test.side == "at_most" else value >= condition.test.bound
    return value in condition.test.allowed


def value_of(value, row):
    """What an event counts for: a number, a moment in microseconds, or a word; None where it is missing."""
    if isinstance(value, Weights):
        return dict(value.weights).get(row.get(value.column))
    if isinstance(value, Product):
        first, second = row.get(value.first), row.get(value.second)
        return None if first is None or second is None else first * second
    content = row.get(value)
    return microseconds(content) if isinstance(content, datetime) else content


def in_order(stream, rows):
    """By occurred_at; what happened at once by known_at and then by the columns as declared, missing before present."""
    columns = [column.name for column in STREAMS[stream].own_columns]

    def place(row):
        key = [row.get(name) for name in ("occurred_at", "known_at", *columns, "event_id")]
        return [(value is not None, value) for value in key]

    return sorted(rows, key=place)


def newest_of_each_key(newest, rows, as_of):
    """Of rows in order the last one of each key, if it passes the conditions that the newest must pass."""
    last = {row[newest.key]: row for row in rows if row.get(newest.key) is not None}
    chosen = [row for row in last.values() if all(passes(test, row, as_of) for test in newest.conditions)]
    return [row for row in rows if any(row is newest_row for newest_row in chosen)]


def in_window(declaration, row, as_of):
    end = as_of - timedelta(days=declaration.lag_days)
    return row["occurred_at"] <= end and (
        math.isinf(declaration.days) or row["occurred_at"] > end - timedelta(days=declaration.days)
    )


def takes_part(declaration, row):
    """An event whose value is missing does not, nor one without a word to be compared by."""
    if declaration.by is not None and row.get(declaration.by) is None:
        return False
    return declaration.value is None or declaration.absent_is_own or value_of(declaration.value, row) is not None


def aggregate(declaration, rows, as_of):
    known = [row for row in rows if row["known_at"] <= as_of and row["occurred_at"] <= as_of]
    chosen = in_order(
        declaration.stream, [row for row in known if all(passes(test, row, as_of) for test in declaration.conditions)]
    )
    if declaration.newest is not None:
        chosen = newest_of_each_key(declaration.newest, chosen, as_of)
    chosen = [row for row in chosen if in_window(declaration, row, as_of) and takes_part(declaration, row)]
    values = [value_of(declaration.value, row) for row in chosen] if declaration.value is not None else []
    return STATS[declaration.stat](declaration, chosen, values, as_of)


def distinct(declaration, rows, values, as_of):
    return float(len({value for value in values if value is not None}) + sum(value is None for value in values))


def gaps(declaration, rows):
    """Days between occasions, the newest first: what lies within `parameter` days before an occasion belongs to it."""
    days, occasion = [], None
    for moment in sorted((row["occurred_at"] for row in rows), reverse=True):
        if occasion is None:
            occasion = moment
        elif days_between(moment, occasion) > declaration.parameter:
            days.append(days_between(moment, occasion))
            occasion = moment
    return days


def over_gaps(compute, needs=1):
    def stat(declaration, rows, values, as_of):
        days = gaps(declaration, rows)
        return float(compute(days)) if len(days) >= needs else math.nan

    return stat


def slope(declaration, rows, values, as_of):
    if len({row["occurred_at"] for row in rows}) < 2:
        return math.nan
    days = [days_between(as_of, row["occurred_at"]) for row in rows]
    return float(np.polyfit(days, values, 1)[0])


def decayed(declaration, rows, values, as_of):
    ages = [days_between(row["occurred_at"], as_of) for row in rows]
    return sum(value * 0.5 ** (age / declaration.parameter) for value, age in zip(values, ages, strict=True))


def largest_share(declaration, rows, values, as_of):
    sums = {}
    for row, value in zip(rows, values, strict=True):
        sums[row[declaration.by]] = sums.get(row[declaration.by], 0.0) + value
    whole = math.fsum(values)
    return max(sums.values()) / whole if whole > 0 else math.nan


def over_values(compute, needs=1):
    def stat(declaration, rows, values, as_of):
        return float(compute(values)) if len(values) >= needs else math.nan

    return stat


def age_of(number):
    def stat(declaration, rows, values, as_of):
        return days_between(rows[number]["occurred_at"], as_of) if rows else math.nan

    return stat


STATS = {
    Stat.COUNT: lambda declaration, rows, values, as_of: float(len(rows)),
    Stat.SUM: over_values(math.fsum, needs=0),
    Stat.MEAN: over_values(np.mean),
    Stat.STD: over_values(lambda values: np.std(values, ddof=1), needs=2),
    Stat.MIN: over_values(min),
    Stat.MAX: over_values(max),
    Stat.FIRST: over_values(lambda values: values[0]),
    Stat.LAST: over_values(lambda values: values[-1]),
    Stat.DISTINCT: distinct,
    Stat.DAYS_SINCE_FIRST: age_of(0),
    Stat.DAYS_SINCE_LAST: age_of(-1),
    Stat.GAP_MEAN: over_gaps(np.mean),
    Stat.GAP_STD: over_gaps(lambda found: np.std(found, ddof=1), needs=2),
    Stat.GAP_MEDIAN: over_gaps(statistics.median),
    Stat.GAP_MAX: over_gaps(max),
    Stat.SLOPE: slope,
    Stat.DECAYED_SUM: decayed,
    Stat.QUANTILE: lambda declaration, rows, values, as_of: (
        float(np.quantile(values, declaration.parameter)) if values else math.nan
    ),
    Stat.LARGEST_SHARE: largest_share,
}
