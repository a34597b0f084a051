"""What is predicted: who is eligible at as_of, and what counts as having happened by the end of the horizon.

A label is the only thing in this project that may look past its as_of, and only up to the moment `known_by` that
the training (or the evaluation) speaks for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import pandas as pd

from features.history import History
from features.population import Population, had_purchase
from features.table import build_feature_table
from training.moments import in_utc


class HorizonOpen(ValueError):
    """A label was asked for before its horizon had closed."""


@dataclass(frozen=True)
class ChurnTarget:
    """An account churns when it orders nothing in (as_of, as_of + horizon]; returns are not orders.

    Eligible at as_of: at least one order in (as_of − active_within_days, as_of], or, with None, at any time before.
    `band_medium` and `band_high` are the percentiles from which an account's risk band is medium and high.
    """

    name: str
    horizon_days: int
    active_within_days: int | None
    band_medium: float = 0.70
    band_high: float = 0.90
    kind: Literal["churn"] = "churn"

    def __post_init__(self) -> None:
        if self.horizon_days < 1:
            raise ValueError(f"target '{self.name}': horizon_days is {self.horizon_days}; give at least one day")
        if self.active_within_days is not None and self.active_within_days < 1:
            raise ValueError(
                f"target '{self.name}': active_within_days is {self.active_within_days}; give at least one day"
            )
        if not 0 < self.band_medium < self.band_high < 1:
            bands = f"{self.band_medium} and {self.band_high}"
            raise ValueError(
                f"target '{self.name}': band_medium and band_high are {bands}; they must rise between 0 and 1"
            )

    @property
    def horizon(self) -> timedelta:
        """How far a label looks forward from as_of."""
        return timedelta(days=self.horizon_days)

    @property
    def population(self) -> Population:
        """Who may be scored: churned accounts may not."""
        return Population(active_within_days=self.active_within_days)

    @property
    def definition(self) -> str:
        """The target in words for people who read a score."""
        window = f"in (as_of − {self.active_within_days} days, as_of]" if self.active_within_days else "by as_of"
        churned = f"churned: no order in (as_of, as_of + {self.horizon_days} days]"
        return f"{churned}; eligible: at least one order {window}"

    def closed(self, as_of: datetime, known_by: datetime) -> bool:
        """Whether everything in (as_of, as_of + horizon] lies in the past of `known_by`."""
        return in_utc(as_of) + self.horizon <= in_utc(known_by)

    def labels(
        self,
        history: History,
        as_of: Sequence[datetime],
        known_by: datetime,
        progress: Callable[[int, int], None] | None = None,
    ) -> "pd.Series[float]":
        """1.0 churned, 0.0 stayed, for every account known at the end of each horizon, eligible or not.

        Indexed by (account_id, as_of in UTC) with the as_of that the label belongs to, not the end of its horizon.
        Uses nothing known after `known_by`; HorizonOpen if a horizon reaches beyond it.
        """
        as_of, known_by = [in_utc(each) for each in as_of], in_utc(known_by)
        self._refuse_open_horizons(as_of, known_by)
        bought = had_purchase(self.horizon_days)
        ends = [moment + self.horizon for moment in as_of]
        table = build_feature_table(history, ends, (bought,), leak_until=known_by, progress=progress)
        churned = pd.Series((table[bought.name].to_numpy() == 0).astype(np.float64), index=table.index, name=self.name)
        accounts = table.index.get_level_values("account_id")
        starts = pd.DatetimeIndex(table.index.get_level_values("as_of")) - self.horizon
        churned.index = pd.MultiIndex.from_arrays([accounts, starts], names=["account_id", "as_of"])
        return churned

    def _refuse_open_horizons(self, as_of: Sequence[datetime], known_by: datetime) -> None:
        for moment in as_of:
            if not self.closed(moment, known_by):
                raise HorizonOpen(
                    f"target '{self.name}' at {moment.isoformat()}: its horizon of {self.horizon_days} days closes at "
                    f"{(moment + self.horizon).isoformat()}, after {known_by.isoformat()}, up to which history is used. "
                    f"Take an as_of no later than {(known_by - self.horizon).isoformat()}."
                )

    def to_json(self) -> dict[str, Any]:
        """What the registered model's card keeps of the target, its definition in words included."""
        return {**asdict(self), "definition": self.definition}

    @classmethod
    def from_json(cls, card: Mapping[str, Any]) -> "ChurnTarget":
        """The target of a card; its words are written anew."""
        return cls(**{key: value for key, value in card.items() if key != "definition"})
