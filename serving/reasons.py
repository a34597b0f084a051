"""Why a score is what it is: contributions and values of one account in, a few distinct signed reasons out.

Many features tell the same story (recency, the gap, nothing in 30 days). They are added up by theme, so that
each reason is a story of its own; the feature that tells it best speaks for the theme, with the account's
own numbers. Words state facts. Where the model reads a fact against its plain sense (spend up, risk up
with it), the sentence stays neutral and the direction stands beside it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from features.definitions import Feature
from serving.phrases import ENGLISH, Language

MOST_REASONS = 4
SMALLEST_SIZE = 0.05
"""In log-odds, about one percent of probability at most. Less than that is no reason."""

LAST, GAP, OVERDUE = "purchases_days_since_last", "purchases_gap_days_mean", "purchases_overdue_ratio"

TOLD_WITH = (LAST, GAP)
"""Features that phrases tell of, whether or not the model reads them."""

Values = Mapping[str, float]


@dataclass(frozen=True)
class Reason:
    """A signed driver of a score. `size` is in log-odds before calibration, for the whole theme; `value` None = absent."""

    feature: str
    value: float | None
    direction: Literal["raises", "lowers"]
    size: float
    words: str


class Wording(NamedTuple):
    """How a feature's value is told: its place in the catalogue of phrases, and what is written into it."""

    key: str
    fields: dict[str, Any]
    against_plain_sense: bool = False


def reasons_of(
    features: Sequence[Feature],
    contributions: Sequence[float],
    values: Values,
    *,
    currency: str = "",
    language: Language = ENGLISH,
    most: int = MOST_REASONS,
) -> list[Reason]:
    """At most `most` reasons, the largest first; none where nothing moved the score by `SMALLEST_SIZE`.

    `contributions` are signed log-odds, one for each of `features`; `values` has at least the values of those,
    NaN where absent, and may have more (the usual gap between orders, say) for the phrases to use.
    """
    stories: dict[str, list[tuple[float, Feature]]] = {}
    for feature, contribution in zip(features, contributions, strict=True):
        if not _is_gap_in_records(feature, values):
            stories.setdefault(theme(feature.name, values), []).append((float(contribution), feature))
    largest = sorted(stories.items(), key=lambda story: (-abs(_size(story[1])), story[0]))[:most]
    return [_reason(story, values, currency, language) for _, story in largest if abs(_size(story)) >= SMALLEST_SIZE]


def _is_gap_in_records(feature: Feature, values: Values) -> bool:
    """An attribute that nobody wrote down may move a score, but nobody can act on it."""
    return feature.name.startswith("account_") and math.isnan(values[feature.name])


def _size(story: Sequence[tuple[float, Feature]]) -> float:
    return math.fsum(contribution for contribution, _ in story)


def _reason(story: Sequence[tuple[float, Feature]], values: Values, currency: str, language: Language) -> Reason:
    size = _size(story)
    feature = _speaker(story, values, raises=size > 0)
    told = wording(feature, values, raises=size > 0, language=language)
    value = values[feature.name]
    return Reason(
        feature=feature.name,
        value=None if math.isnan(value) else value,
        direction="raises" if size > 0 else "lowers",
        size=size,
        words=language.say(told.key, currency, told.fields),
    )


def _speaker(story: Sequence[tuple[float, Feature]], values: Values, raises: bool) -> Feature:
    """Recency where it is in the story; else the feature that did most, unless one half as strong reads plainly."""
    by_strength = sorted(story, key=lambda told: (-told[0] if raises else told[0], told[1].name))
    for _, feature in by_strength:
        if feature.name == LAST:
            return feature
    strongest = by_strength[0]
    for contribution, feature in by_strength:
        plain = not wording(feature, values, raises).against_plain_sense
        if plain and contribution / strongest[0] >= 0.5:
            return feature
    return strongest[1]


# --- themes ---

_THEMES: tuple[tuple[str, str], ...] = (
    ("rhythm", r"purchases_(days_since_last|gap_days|overdue)"),
    ("tenure", r"purchases_days_since_first"),
    ("trend", r"purchases_.*(trend|slope)"),
    ("season", r"calendar_|purchases_.*_lag"),
    ("frequency", r"purchases_orders_"),
    ("returns", r"purchases_.*return"),
    ("discounts", r"purchases_discount"),
    ("breadth", r"purchases_(products|categories|channels|lines_per_order)"),
    ("spend", r"purchases_.*(amount|quantity)"),
    ("outreach", r"engagement_(days_since_)?(mail|campaign|survey)"),
    ("satisfaction", r"service_(satisfaction|poor_ratings)"),
    ("complaints", r"service_.*(complaint|fault|urgent|escalated)"),
)
_THEME_OF = [(name, re.compile(pattern)) for name, pattern in _THEMES]
_PURCHASES_IN_WINDOW = re.compile(r"purchases_(?!.*return).*?_(?P<days>\d+)d$")


def theme(name: str, values: Values) -> str:
    """The story that a feature belongs to; a family of its own (the name's first word) where none is declared.

    A window that is empty because the latest order lies before it says nothing but that: it belongs to rhythm.
    """
    if _is_empty_since_last_order(name, values):
        return "rhythm"
    for told, pattern in _THEME_OF:
        if pattern.match(name):
            return told
    return name.split("_", 1)[0]


def _is_empty_since_last_order(name: str, values: Values) -> bool:
    window = _PURCHASES_IN_WINDOW.match(name)
    since_last = values.get(LAST, math.nan)
    if window is None or not since_last >= float(window["days"]):
        return False
    value = values[name]
    return value == 0 or math.isnan(value) or ("trend" in name and value == -1)


# --- cases ---


def wording(feature: Feature, values: Values, raises: bool, language: Language = ENGLISH) -> Wording:
    """The phrase that fits a feature's value and direction; its declaration's own words where it has none."""
    value = values[feature.name]
    pattern, fields = _place(feature.name)
    fields |= {"value": value, "size": abs(value), "meaning": feature.meaning}
    case = _case(feature, value, values, raises, fields)
    for key in (f"{pattern}.{case}", f"{pattern}.some" if case == "none" else ""):
        if key in language.phrases:
            return Wording(key, fields, case == "against")
    fields["unit"] = feature.unit if language.writes(feature.unit) and not _is_counted(feature) else "number"
    return Wording("declared.absent" if math.isnan(value) else "declared.some", fields)


def _is_counted(feature: Feature) -> bool:
    """Whether the meaning already names what is counted ("orders in the last 90 days": 5, not 5 orders)."""
    return feature.meaning.startswith(feature.unit)


_PLACES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("engagement_{kind}_count_{days}d", re.compile(r"engagement_(?P<kind>[a-z]+)_count_(?P<days>\d+)d$")),
    ("engagement_days_since_{kind}", re.compile(r"engagement_days_since_(?P<kind>(?!last$)[a-z]+)$")),
)
_WINDOW = re.compile(r"_(?P<days>\d+)d(?=$|_)")


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """A feature's name with its window and kind left open, and what they are."""
    for pattern, place in _PLACES:
        if found := place.match(name):
            return pattern, dict(found.groupdict())
    window = _WINDOW.search(name)
    return (_WINDOW.sub("_{days}d", name, count=1), dict(window.groupdict())) if window else (name, {})


def _case(feature: Feature, value: float, values: Values, raises: bool, fields: dict[str, Any]) -> str:
    if math.isnan(value):
        return "absent"
    if feature.name == LAST:
        return _recency_case(value, values, raises, fields)
    if feature.unit == "-1 to 1":
        return _trend_case(value, raises, fields)
    # More cases resolved than opened: some were opened before the history begins.
    nothing = value == 0 or (value < 0 and feature.unit == "cases")
    return "none" if nothing else "some"


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
    if (value > 0) == raises:
        return "against"
    return "up" if value > 0 else "down"
