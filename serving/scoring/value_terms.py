"""The terms of value at stake: the year over which value is computed, and the severities. Needs no library."""

from collections.abc import Mapping
from typing import Literal

YEAR = 365
"""Days over which value is computed."""
SeverityWord = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[SeverityWord, ...] = ("low", "medium", "high", "critical")


def nearest_to_a_year(horizons: Mapping[str, int]) -> str | None:
    """The name of the horizon, in days, that is nearest to a year; of equally near ones the first, None of none."""
    return min(horizons, key=lambda name: abs(horizons[name] - YEAR), default=None)
