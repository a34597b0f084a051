"""Lifecycle segments: the first rung of a ladder that an account stands on.

silent → new → at risk → low frequency (its frequency falls: the cultivation pool) → high value → potential (a high one)
→ low frequency (it buys seldom) → potential (it buys regularly, and could bring more).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.population import Columns
from features.standing import DAYS_KNOWN, ORDERS_BEFORE
from serving.standing.hysteresis import Cut, Flags, was, within
from serving.standing.inputs import Floats, Words, column
from serving.standing.matrix import Quadrants
from serving.standing.settings import Segments
from serving.standing.words import number

SILENT, NEW, AT_RISK, LOW_FREQUENCY, HIGH_VALUE, POTENTIAL = (
    "silent", "new", "at_risk", "low_frequency", "high_value", "potential",
)  # fmt: skip
SINCE_LAST, CONTRACTS = "purchases_days_since_last", "contracts_in_force_count"
HALF_YEAR, YEAR = "purchases_orders_distinct_180d", "purchases_orders_distinct_365d"
FEW, REGULAR = "few", "regular"
SEGMENT_OF = {FEW: LOW_FREQUENCY, REGULAR: POTENTIAL}
"""Of the rungs that have no segment of their own name."""


@dataclass(frozen=True)
class SegmentPlaces:
    """The segment of each account."""

    table: Columns
    risk: Floats
    quadrants: Quadrants
    before: Words
    segments: Segments
    margin: float

    @property
    def labels(self) -> Words:
        """Each account is in exactly one."""
        rungs = list(self._ladder)
        return np.select(
            [self._ladder[rung] for rung in rungs], [SEGMENT_OF.get(rung, rung) for rung in rungs], POTENTIAL
        ).astype(object)

    def why(self, row: int) -> str:
        """What put the account on its rung, in words with numbers."""
        rung = next((rung for rung, stands in self._ladder.items() if stands[row]), REGULAR)
        return self._words[rung](row)

    @cached_property
    def _ladder(self) -> Mapping[str, Flags]:
        return {
            SILENT: self._silent,
            NEW: column(self.table, DAYS_KNOWN.name) <= self.segments.new_days,
            AT_RISK: self._risk_cut.exceeded(self.risk, self._risk_before),
            LOW_FREQUENCY: self._falling,
            HIGH_VALUE: self.quadrants.high_value,
            POTENTIAL: self.quadrants.high_potential,
            FEW: self._few,
        }

    @property
    def _silent(self) -> Flags:
        """Days pass one way, so that neither this nor being new needs a margin."""
        since, known = column(self.table, SINCE_LAST), column(self.table, DAYS_KNOWN.name)
        silence = np.where(np.isnan(since), known, since)
        return np.asarray((silence > self.segments.silent_days) & (column(self.table, CONTRACTS) == 0))

    @property
    def _risk_cut(self) -> Cut:
        return Cut.around(self.segments.risk, within(self.segments.risk, self.margin))

    @cached_property
    def _risk_before(self) -> Floats:
        return was(self.before, (AT_RISK,), (LOW_FREQUENCY, HIGH_VALUE, POTENTIAL))

    @property
    def _falling(self) -> Flags:
        """Fewer orders per order of before than the cut, where there were enough before to tell."""
        earlier, lately = column(self.table, ORDERS_BEFORE.name), column(self.table, HALF_YEAR)
        enough = earlier >= self.segments.falls_from
        kept = np.where(enough, lately / np.maximum(earlier, 1), np.nan)
        cut = Cut.around(self.segments.falls_below, self.margin * self.segments.falls_below)
        not_falling = was(self.before, (HIGH_VALUE, POTENTIAL), (LOW_FREQUENCY,))
        return np.asarray(enough & ~cut.exceeded(kept, not_falling))

    @property
    def _few(self) -> Flags:
        """Fewer orders in a year than the cut, without a contract that would replace them."""
        cut = Cut.around(self.segments.orders_per_year, self.margin * self.segments.orders_per_year)
        regular = was(self.before, (POTENTIAL,), (LOW_FREQUENCY,))
        seldom = ~cut.exceeded(column(self.table, YEAR), regular)
        return np.asarray(seldom & (column(self.table, CONTRACTS) == 0))

    @property
    def _words(self) -> Mapping[str, Callable[[int], str]]:
        return {
            SILENT: self._silent_in_words,
            NEW: lambda row: f"first known {number(column(self.table, DAYS_KNOWN.name)[row])} days ago",
            AT_RISK: self._risk_in_words,
            LOW_FREQUENCY: self._falling_in_words,
            HIGH_VALUE: self.quadrants.value_in_words,
            POTENTIAL: self.quadrants.potential_in_words,
            FEW: lambda row: f"{self._orders(row)}, fewer than {number(self.segments.orders_per_year)}",
            REGULAR: lambda row: f"{self._orders(row)}, and not yet of high value",
        }

    def _silent_in_words(self, row: int) -> str:
        since = column(self.table, SINCE_LAST)[row]
        if np.isnan(since):
            return f"never bought, and first known {number(column(self.table, DAYS_KNOWN.name)[row])} days ago"
        return f"no purchase for {number(since)} days, and no contract in force"

    def _risk_in_words(self, row: int) -> str:
        before = float(self._risk_before[row])
        return self._risk_cut.in_words("risk percentile", self.risk[row], high=True, before=before)

    def _falling_in_words(self, row: int) -> str:
        lately, earlier = column(self.table, HALF_YEAR)[row], column(self.table, ORDERS_BEFORE.name)[row]
        return f"orders of 180 days fell from {number(earlier)} to {number(lately)}"

    def _orders(self, row: int) -> str:
        return f"{number(column(self.table, YEAR)[row])} orders in 365 days"
