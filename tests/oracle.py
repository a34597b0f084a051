"""A second, slow and obvious computation of every declaration, written from the docstrings and not from the kernel.

It reads plain rows of one account and loops over them in Python; where a library has the formula (numpy's std,
numpy's polyfit) it asks the library.
"""

import math
from datetime import datetime, timedelta

import numpy as np

from features.definitions import Aggregate, Bound, Derived, Formula, Season, Stat, Weights

DAY_SECONDS = 86_400


def days_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds() / DAY_SECONDS


def oracle(definition, rows_by_stream, as_of):
    """The value of a definition for one account; NaN where it is absent."""
    if isinstance(definition, Aggregate):
        return aggregate(definition, rows_by_stream.get(definition.stream, []), as_of)
    if isinstance(definition, Season):
        angle = 2 * math.pi * days_between(datetime(1970, 1, 1, tzinfo=as_of.tzinfo), as_of) / 365.2425
        return math.sin(angle) if definition is Season.SINE else math.cos(angle)
    assert isinstance(definition, Derived)
    first = oracle(definition.first, rows_by_stream, as_of)
    second = oracle(definition.second, rows_by_stream, as_of)
    return derive(definition.formula, first, second)


def derive(formula, first, second):
    if math.isnan(first) or math.isnan(second):
        return math.nan
    if formula is Formula.RATIO:
        return first / second if second != 0 else math.nan
    if formula is Formula.DIFFERENCE:
        return first - second
    return (first - second) / (first + second) if first + second > 0 else math.nan


def passes(condition, row):
    value = row.get(condition.column)
    if value is None:
        return False
    if isinstance(condition.test, Bound):
        return value <= condition.test.bound if condition.test.side == "at_most" else value >= condition.test.bound
    return value in condition.test.allowed


def number_of(value, row):
    if isinstance(value, Weights):
        return dict(value.weights).get(row.get(value.column))
    return row.get(value)


def in_window(one, row, as_of):
    newest = as_of - timedelta(days=one.lag_days)
    if row["known_at"] > as_of or row["occurred_at"] > newest:
        return False
    return math.isinf(one.days) or row["occurred_at"] > newest - timedelta(days=one.days)


def aggregate(one, rows, as_of):
    chosen = [row for row in rows if in_window(one, row, as_of) and all(passes(test, row) for test in one.conditions)]
    if one.value is not None and not one.absent_is_own:
        chosen = [row for row in chosen if number_of(one.value, row) is not None]
    chosen.sort(key=lambda row: row["occurred_at"])
    values = [number_of(one.value, row) for row in chosen] if one.value is not None else []
    return STATS[one.stat](one, chosen, values, as_of)


def distinct(one, rows, values, as_of):
    return float(len({value for value in values if value is not None}) + sum(value is None for value in values))


def gaps(one, rows):
    """Days between occasions, the newest first: what lies within `parameter` days before an occasion belongs to it."""
    found, occasion = [], None
    for moment in sorted((row["occurred_at"] for row in rows), reverse=True):
        if occasion is None:
            occasion = moment
        elif days_between(moment, occasion) > one.parameter:
            found.append(days_between(moment, occasion))
            occasion = moment
    return found


def slope(one, rows, values, as_of):
    if len({row["occurred_at"] for row in rows}) < 2:
        return math.nan
    days = [days_between(as_of, row["occurred_at"]) for row in rows]
    return float(np.polyfit(days, values, 1)[0])


def decayed(one, rows, values, as_of):
    ages = [days_between(row["occurred_at"], as_of) for row in rows]
    return sum(value * 0.5 ** (age / one.parameter) for value, age in zip(values, ages, strict=True))


def ties_at(rows, values, moment):
    return [value for row, value in zip(rows, values, strict=True) if row["occurred_at"] == moment]


STATS = {
    Stat.COUNT: lambda one, rows, values, as_of: float(len(rows)),
    Stat.SUM: lambda one, rows, values, as_of: math.fsum(values),
    Stat.MEAN: lambda one, rows, values, as_of: float(np.mean(values)) if values else math.nan,
    Stat.STD: lambda one, rows, values, as_of: float(np.std(values, ddof=1)) if len(values) > 1 else math.nan,
    Stat.MIN: lambda one, rows, values, as_of: min(values, default=math.nan),
    Stat.MAX: lambda one, rows, values, as_of: max(values, default=math.nan),
    Stat.FIRST: lambda one, rows, values, as_of: values[0] if values else math.nan,
    Stat.LAST: lambda one, rows, values, as_of: values[-1] if values else math.nan,
    Stat.DISTINCT: distinct,
    Stat.DAYS_SINCE_FIRST: lambda one, rows, values, as_of: (
        days_between(rows[0]["occurred_at"], as_of) if rows else math.nan
    ),
    Stat.DAYS_SINCE_LAST: lambda one, rows, values, as_of: (
        days_between(rows[-1]["occurred_at"], as_of) if rows else math.nan
    ),
    Stat.GAP_MEAN: lambda one, rows, values, as_of: float(np.mean(gaps(one, rows))) if gaps(one, rows) else math.nan,
    Stat.GAP_STD: lambda one, rows, values, as_of: (
        float(np.std(gaps(one, rows), ddof=1)) if len(gaps(one, rows)) > 1 else math.nan
    ),
    Stat.SLOPE: slope,
    Stat.DECAYED_SUM: decayed,
}
