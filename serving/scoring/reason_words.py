"""The words of one reason: which phrase fits a feature's value, and which numbers are written into it.

The sentence itself stands in `serving.scoring.phrases`. Words state facts: where the model reads a fact against its plain
sense (spend up, risk up), the sentence stays neutral.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from features.definitions import Feature
from serving.scoring.language import Language
from serving.scoring.phrases import ENGLISH

LAST, GAP, OVERDUE = "purchases_days_since_last", "purchases_gap_days_mean", "purchases_overdue_ratio"

TREND = "-1 to 1"
"""The unit of a trend."""
MANIFOLD = 10
"""A change beyond this factor has no number in words: 199,800 % says less than 'more than ten times'."""
_NEUTRAL = ("against", "manifold", "fraction")
"""Cases of trends with neutral words."""

PHRASE_FEATURES = (LAST, GAP)
"""Features whose values phrases use, whether or not the model reads them."""


Values = Mapping[str, float]


class ValueWords(NamedTuple):
    """The words of a feature's value: the key in the catalogue of phrases, and the fields of the phrase."""

    key: str
    fields: dict[str, Any]
    against_plain_sense: bool = False
    says_nothing: bool = False
    """Whether the words contain no information: "…: none on record", or an undefined trend."""


def value_words(feature: Feature, values: Values, raises: bool, language: Language = ENGLISH) -> ValueWords:
    """The phrase for a feature's value and direction; the words of its declaration where the catalogue has none."""
    value = values[feature.name]
    pattern, fields = _place(feature.name)
    fields |= {"value": value, "size": abs(value), "meaning": feature.meaning}
    case = _case(feature, value, values, raises, fields)
    for key in (f"{pattern}.{case}", f"{pattern}.some" if case in ("none", "beyond", "past") else ""):
        if key in language.phrases:
            return ValueWords(key, fields, feature.unit == TREND and (value > 0) == raises and case in _NEUTRAL)
    fields["unit"] = _unit(feature, value, language)
    absent = math.isnan(value)
    silent = absent or case in ("unclear", "off")
    return ValueWords("declared.absent" if absent else "declared.some", fields, says_nothing=silent)


def _unit(feature: Feature, value: float, language: Language) -> str:
    """The unit of a value beside the words of its declaration, which do not tell the sign."""
    if feature.unit == "share" and value < 0:
        return "negative share"
    return feature.unit if language.writes(feature.unit) and not _is_counted(feature) else "number"


def _is_counted(feature: Feature) -> bool:
    """Whether the meaning already names what is counted ("orders in the last 90 days": 5, not 5 orders)."""
    return feature.unit != "share" and feature.meaning.startswith(feature.unit)


_WINDOW = re.compile(r"_(?P<days>\d+)d(?=$|_)")


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """A feature's name with `{days}` for its window, and the days."""
    window = _WINDOW.search(name)
    return (_WINDOW.sub("_{days}d", name, count=1), dict(window.groupdict())) if window else (name, {})


def _case(feature: Feature, value: float, values: Values, raises: bool, fields: dict[str, Any]) -> str:
    if math.isnan(value):
        return "absent"
    if feature.name == LAST:
        return _recency_case(value, values, raises, fields)
    if feature.unit == TREND:
        return _trend_case(value, raises, fields)
    if value == 0:
        # A signal that is off may have nothing on record: it has no words.
        return "off" if feature.name.startswith("signal_") else "none"
    return _measured_case(feature, value)


def _measured_case(feature: Feature, value: float) -> str:
    """The case of a present value: "past" for the opposite of its meaning, a past day or a loss."""
    if feature.unit == "share" and abs(value) > 1:
        return "beyond"
    return "past" if value < 0 and feature.unit in ("days", "share") else "some"


def _recency_case(value: float, values: Values, raises: bool, fields: dict[str, Any]) -> str:
    typical = _usual_gap(value, values)
    if math.isnan(typical):
        return "long" if raises and value >= 1 else "some"
    fields["typical"] = typical
    late = round(value) > round(typical)
    if late:
        return "late" if raises else "some"
    return "seldom" if raises else "on_time"


def _usual_gap(days_since_last: float, values: Values) -> float:
    """The account's usual days between orders, or NaN; from the overdue ratio where the gap itself is not at hand."""
    overdue = values.get(OVERDUE, math.nan)
    return values.get(GAP, days_since_last / overdue if overdue > 0 else math.nan)


def _trend_case(value: float, raises: bool, fields: dict[str, Any]) -> str:
    """Of (new − old) / (new + old). Beyond ±1 one of the two is negative, and a percentage would mislead."""
    if not -1 <= value <= 1:
        return "unclear"
    if abs(value) == 1:
        return "begun" if value > 0 else "stopped"
    times = (1 + value) / (1 - value)
    fields |= {"times": times, "change": times - 1}
    if abs(times - 1) < 0.005:
        return "same"
    if round(times, 6) > MANIFOLD:
        return "manifold"
    if (value > 0) == raises:
        return "fraction" if round(1 / times, 6) > MANIFOLD else "against"
    return "up" if value > 0 else "down"
