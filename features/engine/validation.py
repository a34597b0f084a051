"""Checks declarations against the streams when a feature set is made, before any data shows a mistake."""

import difflib
import math
from collections.abc import Iterator, Sequence
from numbers import Real

from features.definitions import (
    Aggregate,
    Ahead,
    Bound,
    Condition,
    Constant,
    Definition,
    Derived,
    Feature,
    Formula,
    OneOf,
    Product,
    Season,
    Stat,
    Value,
    Weights,
)
from features.errors import ExitCode, ForesailError
from features.history.streams import STREAMS, Stream

_COUNTS_WORDS = {Stat.DISTINCT}
_TAKES_MOMENTS = {Stat.FIRST, Stat.LAST, Stat.MIN, Stat.MAX}
_NEEDS_NO_VALUE = {
    Stat.COUNT, Stat.DAYS_SINCE_FIRST, Stat.DAYS_SINCE_LAST, Stat.GAP_MEAN, Stat.GAP_STD, Stat.GAP_MEDIAN, Stat.GAP_MAX,
}  # fmt: skip
_NEEDS_PARAMETER = {Stat.DECAYED_SUM}


class DeclarationError(ForesailError, ValueError):
    """A declaration names a column, word or window that does not exist or makes no sense; the message names feature and cause."""

    exit_code = ExitCode.PROJECT


def check(features: Sequence[Feature]) -> None:
    """DeclarationError that lists every problem of the features."""
    problems = [f"{feature.name}: {problem}" for feature in features for problem in _problems(feature.definition)]
    if problems:
        raise DeclarationError("; ".join(dict.fromkeys(problems)))


def _problems(definition: Definition) -> Iterator[str]:
    if isinstance(definition, Derived):
        if not isinstance(definition.formula, Formula):
            yield f"{definition.formula!r} is no formula; use ratio(), difference(), trend() and their like"
        yield from _problems(definition.first)
        yield from _problems(definition.second)
    elif isinstance(definition, Constant):
        yield from _number_problems(definition.value, "a constant")
    elif not isinstance(definition, Season):
        yield from _aggregate_problems(definition)


def _aggregate_problems(aggregate: Aggregate) -> Iterator[str]:
    if not isinstance(aggregate.stream, str) or aggregate.stream not in STREAMS:
        yield f"there is no stream '{aggregate.stream}'; the streams are {', '.join(STREAMS)}"
        return
    stream = STREAMS[aggregate.stream]
    yield from _value_problems(aggregate, stream)
    yield from _newest_problems(aggregate, stream)
    for condition in aggregate.conditions:
        yield from _condition_problems(condition, stream)
    if not aggregate.days > 0:
        yield f"a window of {aggregate.days} days holds nothing; give a number above 0"
    if not 0 <= aggregate.lag_days < math.inf:
        yield f"a lag of {aggregate.lag_days} days would look into the future or nowhere; give 0 or more"
    yield from _parameter_problems(aggregate)


def _parameter_problems(aggregate: Aggregate) -> Iterator[str]:
    if aggregate.stat is Stat.QUANTILE:
        if not 0 <= aggregate.parameter <= 1:
            yield f"a quantile of {aggregate.parameter} does not exist; give a share between 0 and 1"
    elif not aggregate.parameter >= 0 or (aggregate.stat in _NEEDS_PARAMETER and aggregate.parameter == 0):
        yield f"{aggregate.stat.name.lower()} with {aggregate.parameter} days makes no sense; give a number above 0"


def _value_problems(aggregate: Aggregate, stream: Stream) -> Iterator[str]:
    if aggregate.stat in _NEEDS_NO_VALUE:
        return
    if aggregate.value is None:
        yield f"{aggregate.stat.name.lower()} needs a column to be computed over"
        return
    wants = (
        ("text",)
        if aggregate.stat in _COUNTS_WORDS
        else ("number", "time")
        if aggregate.stat in _TAKES_MOMENTS
        else ("number",)
    )
    if aggregate.stat in _COUNTS_WORDS and isinstance(aggregate.value, Weights | Product):
        yield f"{aggregate.stat.name.lower()} counts words; give the name of a text column"
        return
    yield from _read_problems(aggregate.value, wants, stream)
    if aggregate.stat is Stat.LARGEST_SHARE:
        yield from _column_problems(aggregate.by or "", ("text",), stream)


def _read_problems(value: Value, wants: Sequence[str], stream: Stream) -> Iterator[str]:
    if isinstance(value, Weights):
        yield from _column_problems(value.column, ("text",), stream)
        yield from _word_problems(value.column, [word for word, _ in value.weights], stream)
        for word, weight in value.weights:
            yield from _number_problems(weight, f"the weight of '{word}'")
    elif isinstance(value, Product):
        yield from _column_problems(value.first, ("number",), stream)
        yield from _column_problems(value.second, ("number",), stream)
    else:
        yield from _column_problems(value, wants, stream)


def _newest_problems(aggregate: Aggregate, stream: Stream) -> Iterator[str]:
    if aggregate.newest is None:
        return
    yield from _column_problems(aggregate.newest.key, ("text",), stream)
    for condition in aggregate.newest.conditions:
        yield from _condition_problems(condition, stream)
    if any(isinstance(condition.test, Ahead) for condition in aggregate.conditions):
        yield "still_ahead() comes after newest(): what is newest does not depend on what lies ahead"


def _condition_problems(condition: Condition, stream: Stream) -> Iterator[str]:
    if isinstance(condition.test, OneOf):
        yield from _column_problems(condition.column, ("text",), stream)
        yield from _word_problems(condition.column, condition.test.allowed, stream)
    else:
        wants = "time" if isinstance(condition.test, Ahead) else "number"
        yield from _column_problems(condition.column, (wants,), stream)
        if isinstance(condition.test, Bound):
            yield from _number_problems(condition.test.bound, f"the bound of '{condition.column}'")


def _column_problems(name: str, wants: Sequence[str], stream: Stream) -> Iterator[str]:
    columns = {column.name: column for column in stream.own_columns}
    if not isinstance(name, str):
        yield f"{name!r} is no column of '{stream.name}'; give the name of one, as a text"
    elif name not in columns:
        near = difflib.get_close_matches(name, columns, n=1)
        yield f"stream '{stream.name}' has no column '{name}' of its own; " + (
            f"did you mean {near[0]}?" if near else f"it has {', '.join(columns)}"
        )
    elif columns[name].type not in wants:
        yield f"column '{name}' of '{stream.name}' holds {columns[name].type}s, a {wants[0]} is needed here"


def _word_problems(name: str, words: Sequence[str], stream: Stream) -> Iterator[str]:
    """A word that the stream's own check refuses never occurs, nor does a value that is no text."""
    if not words:
        yield f"'{name}' of '{stream.name}' is given no word that it may hold; give at least one"
    if strange := [word for word in words if not isinstance(word, str)]:
        yield f"'{name}' of '{stream.name}' holds texts, and is never {strange[0]!r}; put words in quotes"
        return
    allowed = {column.name: column.allowed for column in stream.own_columns}.get(name)
    for word in words:
        if allowed and word not in allowed:
            yield f"'{name}' of '{stream.name}' is never '{word}'; it is one of {', '.join(allowed)}"


def _number_problems(value: object, what: str) -> Iterator[str]:
    if not isinstance(value, Real) or math.isnan(value):
        yield f"{what} is {value!r}; give a number"
