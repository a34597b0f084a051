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
from functools import cache
from itertools import islice
from typing import Any, Literal, NamedTuple

from features.definitions import Feature
from serving.scoring.phrases import ENGLISH, Language

MOST_REASONS = 4
SMALLEST_SIZE = 0.05
"""In log-odds, about one percent of probability at most. Less than that is no reason."""

LAST, GAP, OVERDUE = "purchases_days_since_last", "purchases_gap_days_mean", "purchases_overdue_ratio"

TREND = "-1 to 1"
"""The unit of a trend."""
MANIFOLD = 10
"""A change beyond that many times is told without its number: 199,800 % says less than 'more than ten times'."""
_NEUTRAL = ("against", "manifold", "fraction")
"""Cases of trends whose words do not say what they would mean by plain sense."""

PHRASE_FEATURES = (LAST, GAP)
"""Features that phrases tell of, whether or not the model reads them."""

Values = Mapping[str, float]
Contribution = tuple[float, Feature]
"""How much a feature did, and which."""


@dataclass(frozen=True)
class Reason:
    """A signed driver of a score. `size` is in log-odds before calibration, for the whole theme; `value` None = absent."""

    feature: str
    value: float | None
    direction: Literal["raises", "lowers"]
    size: float
    words: str


class ValueWords(NamedTuple):
    """How a feature's value is told: its place in the catalogue of phrases, and what is written into it."""

    key: str
    fields: dict[str, Any]
    against_plain_sense: bool = False
    says_nothing: bool = False
    """Whether nobody would learn anything from it: "…: none on record", or a trend that is none."""


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
    stories: dict[str, list[Contribution]] = {}
    for feature, contribution in zip(features, contributions, strict=True):
        if not _is_gap_in_records(feature, values):
            stories.setdefault(theme(feature.name, values), []).append((float(contribution), feature))
    largest = sorted(stories.items(), key=lambda story: (-abs(_size(story[1])), story[0]))
    worth_telling = (story for _, story in largest if abs(_size(story)) >= SMALLEST_SIZE)
    reasons = (_reason(story, values, currency, language) for story in worth_telling)
    return list(islice((reason for reason in reasons if reason), most))


def _is_gap_in_records(feature: Feature, values: Values) -> bool:
    """An attribute that nobody wrote down may move a score, but nobody can act on it."""
    return feature.name.startswith("account_") and math.isnan(values[feature.name])


def _size(story: Sequence[Contribution]) -> float:
    return math.fsum(contribution for contribution, _ in story)


def _reason(story: Sequence[Contribution], values: Values, currency: str, language: Language) -> Reason | None:
    """The story in words; None where none of its features has anything to say."""
    size = _size(story)
    feature = _speaker(story, values, raises=size > 0)
    if feature is None:
        return None
    words = value_words(feature, values, raises=size > 0, language=language)
    value = values[feature.name]
    return Reason(
        feature=feature.name,
        value=None if math.isnan(value) else value,
        direction="raises" if size > 0 else "lowers",
        size=size,
        words=language.say(words.key, currency, words.fields),
    )


_HARD_TO_READ = re.compile(
    r"_(std|slope)(_|$)|_(amount|hours)_max(_|$)|_decayed_|_lines_per_order_|_variation|_active_life_|_largest_share"
)
"""A reader has to think about what these features mean."""


def _speaker(story: Sequence[Contribution], values: Values, raises: bool) -> Feature | None:
    """Who tells the story: recency where it is in it, else the feature that did most in the story's direction.

    One that is hard to read gives way to any that did a quarter as much; one that reads against plain sense to any
    that did half as much. None where all that could speak say nothing.
    """
    for _, feature in story:
        if feature.name == LAST:
            return feature
    strength = [(contribution if raises else -contribution, feature) for contribution, feature in story]
    able = [(size, each) for size, each in strength if size > 0 and not value_words(each, values, raises).says_nothing]
    by_strength = sorted(able, key=lambda contribution: (-contribution[0], contribution[1].name))
    easy = [contribution for contribution in by_strength if not _HARD_TO_READ.search(contribution[1].name)]
    candidates = _strong_enough(easy, by_strength, 1 / 4)
    plain = [
        contribution
        for contribution in candidates
        if not value_words(contribution[1], values, raises).against_plain_sense
    ]
    chosen = _strong_enough(plain, candidates, 1 / 2)
    return chosen[0][1] if chosen else None


def _strong_enough(preferred: list[Contribution], others: list[Contribution], share: float) -> list[Contribution]:
    """Those preferred, if the first of them did at least that share of what the first of the others did."""
    return preferred if preferred and preferred[0][0] >= others[0][0] * share else others


# --- themes ---

_THEMES: tuple[tuple[str, str], ...] = (
    ("rhythm", r"purchases_(days_since_last|days_until_expected|gap_|silen|overdue|active_life)|signal_long_without"),
    ("tenure", r"purchases_days_since_first|account_days_since|contracts_days_since_first"),
    ("trend", r"purchases_.*(trend|slope)|purchases_order_amount_ratio|signal_purchase"),
    ("season", r"calendar_|purchases_.*_lag"),
    ("frequency", r"purchases_orders_"),
    ("returns", r"purchases_.*(return|cancellation)"),
    ("margin", r"purchases_margin"),
    ("discounts", r"purchases_(discount|price|list_price)"),
    ("breadth", r"purchases_(product|categor|channels|order_largest|lines_per_order)"),
    ("spend", r"purchases_.*(amount|quantity)"),
    ("outreach", r"engagement_(days_since_)?(mail|campaign|survey|response|unsubscribed)"),
    ("use", r"engagement_(days_since_)?(usage|login|function|stickiness)|signal_use"),
    ("browsing", r"engagement_(days_since_)?(visit|portal|cart)|signal_browses"),
    ("meetings", r"meetings_|engagement_(days_since_)?meeting|signal_(strategy|executive|middle|review)"),
    ("loyalty", r"engagement_(days_since_)?(loyalty|points|tier)"),
    ("reference", r"engagement_references|signal_reference|account_willing"),
    ("opinion", r"surveys_|signal_detractor"),
    ("equipment", r"telemetry_|signal_faults"),
    ("satisfaction", r"service_(satisfaction|poor_ratings|effort)"),
    ("complaints", r"service_.*(complaint|fault|urgent|escalated)|signal_complaint"),
    ("contracts", r"contracts_|signal_(contract|notice)"),
    ("contacts", r"contacts_|engagement_people|signal_champion"),
)
_THEME_OF = [(name, re.compile(pattern)) for name, pattern in _THEMES]
_PURCHASES_IN_WINDOW = re.compile(r"purchases_(?!.*(return|cancel|dropped)).*?_(?P<days>\d+)d$")


def theme(name: str, values: Values) -> str:
    """The story that a feature belongs to; a family of its own (the name's first word) where none is declared.

    A window that is empty because the latest order lies before it says nothing but that: it belongs to rhythm.
    """
    if _is_empty_since_last_order(name, values):
        return "rhythm"
    return _declared_theme(name)


@cache
def _declared_theme(name: str) -> str:
    """By name alone: names are few, and a night asks for each of them once for every score that it explains."""
    for name_of_theme, pattern in _THEME_OF:
        if pattern.match(name):
            return name_of_theme
    return name.split("_", 1)[0]


def _is_empty_since_last_order(name: str, values: Values) -> bool:
    window = _PURCHASES_IN_WINDOW.match(name)
    since_last = values.get(LAST, math.nan)
    if window is None or not since_last >= float(window["days"]):
        return False
    value = values[name]
    return value == 0 or math.isnan(value) or ("trend" in name and value == -1)


# --- cases ---


def value_words(feature: Feature, values: Values, raises: bool, language: Language = ENGLISH) -> ValueWords:
    """The phrase that fits a feature's value and direction; its declaration's own words where it has none."""
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
    """What writes a value beside its declaration's own words, which do not tell its sign."""
    if feature.unit == "share" and value < 0:
        return "negative share"
    return feature.unit if language.writes(feature.unit) and not _is_counted(feature) else "number"


def _is_counted(feature: Feature) -> bool:
    """Whether the meaning already names what is counted ("orders in the last 90 days": 5, not 5 orders)."""
    return feature.unit != "share" and feature.meaning.startswith(feature.unit)


_WINDOW = re.compile(r"_(?P<days>\d+)d(?=$|_)")


def _place(name: str) -> tuple[str, dict[str, Any]]:
    """A feature's name with its window left open, and what it is."""
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
        # A signal that is off may have nothing on record: there is nothing to say of it.
        return "off" if feature.name.startswith("signal_") else "none"
    return _measured_case(feature, value)


def _measured_case(feature: Feature, value: float) -> str:
    """Of a value that is there: "past" where it is the other side of what its meaning speaks of, a day gone by or a loss."""
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
