"""The reason of an intervention, in words: rules, score, value at stake and expected effect."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from serving.scoring.language import money, percent

REASONS = 2
"""The number of score reasons in the text; the account's profile has all of them."""
SOURCES = {"assumed": " (assumed)", "mixed": " (assumed and learnt)", "learnt": ""}


def intervention_reason(row: Mapping[str, Any], because: Sequence[str], is_risk: bool, currency: str) -> str:
    """The rules that hold, the score with its reasons, the value at stake, and the share that acting should keep or win.

    `row` is a candidate, see candidates.py.
    """
    parts = [
        _rule_words(row["rules"], row["severity"]),
        _score_words(row, because),
        _effect_words(row, is_risk, currency),
    ]
    return "; ".join(part for part in parts if part)


def _rule_words(rules: Sequence[str], severity: str) -> str:
    if not len(rules):
        return ""
    named = " and ".join(rules)
    return f"{named} ({severity})" if len(rules) == 1 else f"{named} (up to {severity})"


def _score_words(row: Mapping[str, Any], because: Sequence[str]) -> str:
    if math.isnan(row["probability"]):
        return ""
    score = f"{row['target']} {percent(row['probability'])}"
    return f"{score}: {', '.join(because[:REASONS])}" if because else score


def _effect_words(row: Mapping[str, Any], is_risk: bool, currency: str) -> str:
    if not row["value_at_stake"]:
        return ""
    share = f"{row['effect'] * 100:.3g}%{SOURCES[row['effect_source']]}"
    at_stake = f"{money(row['value_at_stake'], currency)} {'at stake' if is_risk else 'to be won'}"
    return f"{at_stake}, acting {'keeps' if is_risk else 'wins'} {share}"
