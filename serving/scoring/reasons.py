"""The reasons of a score: contributions and values of one account in, a few distinct signed reasons out.

Many features tell the same story (recency, the gap between orders, no order in 30 days). Their contributions are added up by
theme, so that each reason is a different story; the feature that tells it best represents the theme, with the account's own
numbers. `serving.scoring.reason_words` finds the words.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Literal

from features.definitions import Feature
from serving.scoring.language import Language
from serving.scoring.phrases import ENGLISH
from serving.scoring.reason_words import LAST, Values, value_words

MOST_REASONS = 4
SMALLEST_SIZE = 0.05
"""In log-odds, about one percent of probability at most. A smaller contribution is no reason."""

Contribution = tuple[float, Feature]
"""The contribution of a feature, and the feature."""


@dataclass(frozen=True)
class Reason:
    """A signed driver of a score. `size` is in log-odds before calibration, for the whole theme; `value` None = absent."""

    feature: str
    value: float | None
    direction: Literal["raises", "lowers"]
    size: float
    words: str


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
    """A missing attribute may move a score, but nobody can act on it."""
    return feature.name.startswith("account_") and math.isnan(values[feature.name])


def _size(story: Sequence[Contribution]) -> float:
    return math.fsum(contribution for contribution, _ in story)


def _reason(story: Sequence[Contribution], values: Values, currency: str, language: Language) -> Reason | None:
    """The story in words; None where no feature of it has words."""
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
    """The feature that represents the story: recency if present, else the largest contribution in the story's direction.

    A feature that is hard to read gives way to one with a quarter of its contribution; a feature that reads against plain
    sense to one with half of it. None where no feature has words.
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
    """The preferred contributions, if the first of them is at least that share of the first of the others."""
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
    """The theme of a feature; the first word of its name where no theme is declared.

    A window that is empty because the latest order lies before it belongs to rhythm: it says nothing else.
    """
    if _is_empty_since_last_order(name, values):
        return "rhythm"
    return _declared_theme(name)


@cache
def _declared_theme(name: str) -> str:
    """The theme by name alone: cached, since a night needs the theme of each name once for every explained score."""
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
