"""Checks a declaration against the streams when a feature set is made, not when the data happens to show the mistake."""

import difflib
import math
from collections.abc import Iterator, Sequence

from features.definitions import Aggregate, Condition, Definition, Derived, Feature, OneOf, Season, Stat, Weights
from features.streams import STREAMS, Stream

_COUNTS_WORDS = {Stat.DISTINCT}
_NEEDS_PARAMETER = {Stat.DECAYED_SUM}


class DeclarationError(ValueError):
    """A feature is declared over something that does not exist or makes no sense; the message names feature and cause."""


def check(features: Sequence[Feature]) -> None:
    """DeclarationError that lists what is wrong with any of the features."""
    problems = [f"{feature.name}: {problem}" for feature in features for problem in _problems(feature.definition)]
    if problems:
        raise DeclarationError("; ".join(dict.fromkeys(problems)))


def _problems(definition: Definition) -> Iterator[str]:
    if isinstance(definition, Derived):
        yield from _problems(definition.first)
        yield from _problems(definition.second)
    elif not isinstance(definition, Season):
        yield from _aggregate_problems(definition)


def _aggregate_problems(one: Aggregate) -> Iterator[str]:
    if one.stream not in STREAMS:
        yield f"there is no stream '{one.stream}'; the streams are {', '.join(STREAMS)}"
        return
    stream = STREAMS[one.stream]
    yield from _value_problems(one, stream)
    for condition in one.conditions:
        yield from _condition_problems(condition, stream)
    if not one.days > 0:
        yield f"a window of {one.days} days holds nothing; give a number above 0"
    if not 0 <= one.lag_days < math.inf:
        yield f"a lag of {one.lag_days} days would look into the future or nowhere; give 0 or more"
    if one.parameter < 0 or (one.stat in _NEEDS_PARAMETER and one.parameter == 0):
        yield f"{one.stat.name.lower()} with {one.parameter} days makes no sense; give a number above 0"


def _value_problems(one: Aggregate, stream: Stream) -> Iterator[str]:
    if one.value is None:
        return
    wants = "text" if isinstance(one.value, Weights) or one.stat in _COUNTS_WORDS else "number"
    name = one.value.column if isinstance(one.value, Weights) else one.value
    yield from _column_problems(name, wants, stream)
    if isinstance(one.value, Weights):
        yield from _word_problems(name, [word for word, _ in one.value.weights], stream)


def _condition_problems(condition: Condition, stream: Stream) -> Iterator[str]:
    if isinstance(condition.test, OneOf):
        yield from _column_problems(condition.column, "text", stream)
        yield from _word_problems(condition.column, condition.test.allowed, stream)
    else:
        yield from _column_problems(condition.column, "number", stream)


def _column_problems(name: str, wants: str, stream: Stream) -> Iterator[str]:
    own = {column.name: column for column in stream.own_columns}
    if name not in own:
        near = difflib.get_close_matches(name, own, n=1)
        yield f"stream '{stream.name}' has no column '{name}' of its own; " + (
            f"did you mean {near[0]}?" if near else f"it has {', '.join(own)}"
        )
    elif own[name].type != wants:
        yield f"column '{name}' of '{stream.name}' holds {own[name].type}s, a {wants} is needed here"


def _word_problems(name: str, words: Sequence[str], stream: Stream) -> Iterator[str]:
    """A word that the stream's own check would refuse can never be found."""
    allowed = {column.name: column.allowed for column in stream.own_columns}.get(name)
    for word in words:
        if allowed and word not in allowed:
            yield f"'{name}' of '{stream.name}' is never '{word}'; it is one of {', '.join(allowed)}"
