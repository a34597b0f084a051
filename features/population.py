"""Which accounts may be scored for a target, decided from history alone."""

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from features.definitions import Feature
from features.purchases import RECENCY, order_lines

Array = np.ndarray[Any, Any]
_SINCE_LAST = "purchases_days_since_last"


class Columns(Protocol):
    """A feature table, or its columns as arrays by name."""

    def __getitem__(self, name: str, /) -> Any: ...


def had_purchase(days: int) -> Feature:
    """How many order lines fall into (as_of − days, as_of]: above 0 if the account bought in that time."""
    return Feature(
        f"population_order_lines_count_{days}d",
        order_lines.count(days=days),
        f"order lines in the last {days} days",
        "lines",
        "0: no purchase",
    )


@dataclass(frozen=True)
class Population:
    """The accounts that bought within `active_within_days` before as_of; with None, those that ever bought."""

    active_within_days: int | None

    @property
    def features(self) -> tuple[Feature, ...]:
        """What a table must hold besides a model's own features, for `eligible` and `why_not` to answer."""
        recency = tuple(feature for feature in RECENCY if feature.name == _SINCE_LAST)
        return recency if self.active_within_days is None else (*recency, had_purchase(self.active_within_days))

    def eligible(self, table: Columns) -> Array:
        """For each row of a feature table, whether the account belongs: shape (rows,), bool."""
        ever: Array = ~np.isnan(_column(table, _SINCE_LAST))
        if self.active_within_days is None:
            return ever
        return ever & (_column(table, had_purchase(self.active_within_days).name) > 0)

    def why_not(self, table: Columns) -> list[str | None]:
        """For each row the reason, in plain words, why it is not eligible; None where it is."""
        since = _column(table, _SINCE_LAST).tolist()
        return [
            None if belongs else self._reason(days) for belongs, days in zip(self.eligible(table), since, strict=True)
        ]

    def _reason(self, days_since_last: float) -> str:
        if math.isnan(days_since_last):
            return "no purchase on record"
        return f"no purchase in the last {self.active_within_days} days; the latest was {days_since_last:.0f} days ago"


def _column(table: Columns, name: str) -> Array:
    return np.asarray(table[name], dtype=np.float64)
