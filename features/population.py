"""Which accounts may be scored for a target, decided from history alone."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.definitions import Feature
from features.purchases import RECENCY, order_lines

Array = np.ndarray[Any, Any]


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
        recency = tuple(feature for feature in RECENCY if feature.name == "purchases_days_since_last")
        return recency if self.active_within_days is None else (*recency, had_purchase(self.active_within_days))

    def eligible(self, table: pd.DataFrame) -> Array:
        """For each row of a feature table, whether the account belongs: shape (rows,), bool."""
        ever = table["purchases_days_since_last"].notna().to_numpy()
        if self.active_within_days is None:
            return ever
        return ever & (table[had_purchase(self.active_within_days).name].to_numpy() > 0)

    def why_not(self, table: pd.DataFrame) -> list[str | None]:
        """For each row the reason, in plain words, why it is not eligible; None where it is."""
        days = table["purchases_days_since_last"].to_numpy()
        return [
            None if belongs else self._reason(since) for belongs, since in zip(self.eligible(table), days, strict=True)
        ]

    def _reason(self, days_since_last: float) -> str:
        if np.isnan(days_since_last):
            return "no purchase on record"
        return f"no purchase in the last {self.active_within_days} days; the latest was {days_since_last:.0f} days ago"
