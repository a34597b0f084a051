"""Lifecycle segments: the first rung of a ladder that an account stands on.

silent → new → at risk → low frequency (its frequency falls: the cultivation pool) → high value → potential (a high one)
→ low frequency (it buys seldom) → potential (it buys regularly, and could bring more).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Flags, Floats
from features.families.eligibility import Columns
from features.families.segmentation import DAYS_KNOWN, ORDERS_BEFORE
from serving.scoring.columns import Codes, column
from serving.segmentation.hysteresis import Cut, was, within
from serving.segmentation.matrix import Quadrants
from serving.segmentation.settings import SEGMENTS, Segments
from serving.segmentation.wording import number

SILENT, NEW, AT_RISK, LOW_FREQUENCY, HIGH_VALUE, POTENTIAL = SEGMENTS
SINCE_LAST, CONTRACTS = "purchases_days_since_last", "contracts_in_force_count"
HALF_YEAR, YEAR = "purchases_orders_distinct_180d", "purchases_orders_distinct_365d"
FEW, REGULAR = "few", "regular"
SEGMENT_OF = {FEW: LOW_FREQUENCY}
"""Of a rung that has no segment of its own name."""


@dataclass(frozen=True)
class SegmentPlaces:
    """The segment of each account."""

    table: Columns
    risk: Floats
    quadrants: Quadrants
    before: Codes
    segments: Segments
    margin: float

    @property
    def codes(self) -> Codes:
        """Each account is in exactly one."""
        segments = [SEGMENTS.index(SEGMENT_OF.get(rung, rung)) for rung in self._ladder]
        return np.select(list(self._ladder.values()), segments, SEGMENTS.index(POTENTIAL)).astype(np.int8)

    def why(self, row: int) -> str:
        """What put the account on its rung, in words with numbers."""
        rung = next((rung for rung, stands in self._ladder.items() if stands[row]), REGULAR)
        return self._words[rung](row)

    @cached_property
    def _ladder(self) -> Mapping[str, Flags]:
        return {
            SILENT: self._silent,
            NEW: self._known <= self.segments.new_days,
            AT_RISK: self._risk_cut.exceeded(self.risk, self._risk_before),
            LOW_FREQUENCY: self._falling,
            HIGH_VALUE: self.quadrants.high_value,
            POTENTIAL: self.quadrants.high_potential,
            FEW: self._few,
        }

    @cached_property
    def _known(self) -> Floats:
        """Days."""
        return column(self.table, DAYS_KNOWN.name)

    @cached_property
    def _since(self) -> Floats:
        """Days without a purchase."""
        return column(self.table, SINCE_LAST)

    @cached_property
    def _lately(self) -> Floats:
        """Orders of 180 days."""
        return column(self.table, HALF_YEAR)

    @cached_property
    def _earlier(self) -> Floats:
        """Orders of the 180 days before."""
        return column(self.table, ORDERS_BEFORE.name)

    @cached_property
    def _year(self) -> Floats:
        """Orders of 365 days."""
        return column(self.table, YEAR)

    @cached_property
    def _served(self) -> Flags:
        """Whether a contract is in force."""
        return np.asarray(column(self.table, CONTRACTS) > 0)

    @property
    def _silent(self) -> Flags:
        """Days pass one way, so that neither this nor being new needs a margin."""
        since, known = self._since, self._known
        silence = np.where(np.isnan(since), known, since)
        return np.asarray((silence > self.segments.silent_days) & ~self._served)

    @property
    def _risk_cut(self) -> Cut:
        return Cut.around(self.segments.risk, within(self.segments.risk, self.margin))

    @cached_property
    def _risk_before(self) -> Floats:
        return was(self.before, SEGMENTS, (AT_RISK,), (LOW_FREQUENCY, HIGH_VALUE, POTENTIAL))

    @property
    def _falling(self) -> Flags:
        """Fewer orders per order of before than the cut, where there were enough before to tell."""
        earlier, lately = self._earlier, self._lately
        enough = earlier >= self.segments.falls_from
        kept = np.where(enough, lately / np.maximum(earlier, 1), np.nan)
        cut = Cut.around(self.segments.falls_below, self.margin * self.segments.falls_below)
        not_falling = was(self.before, SEGMENTS, (HIGH_VALUE, POTENTIAL), (LOW_FREQUENCY,))
        return np.asarray(enough & ~cut.exceeded(kept, not_falling))

    @property
    def _few(self) -> Flags:
        """Fewer orders in a year than the cut, without a contract that would replace them."""
        cut = Cut.around(self.segments.orders_per_year, self.margin * self.segments.orders_per_year)
        regular = was(self.before, SEGMENTS, (POTENTIAL,), (LOW_FREQUENCY,))
        seldom = ~cut.exceeded(self._year, regular)
        return np.asarray(seldom & ~self._served)

    @property
    def _words(self) -> Mapping[str, Callable[[int], str]]:
        return {
            SILENT: self._silent_in_words,
            NEW: lambda row: f"first known {number(self._known[row])} days ago",
            AT_RISK: self._risk_in_words,
            LOW_FREQUENCY: self._falling_in_words,
            HIGH_VALUE: self.quadrants.value_in_words,
            POTENTIAL: self.quadrants.potential_in_words,
            FEW: lambda row: f"{self._orders(row)}, fewer than {number(self.segments.orders_per_year)}",
            REGULAR: lambda row: f"{self._orders(row)}, and not yet of high value",
        }

    def _silent_in_words(self, row: int) -> str:
        since = self._since[row]
        if np.isnan(since):
            return f"never bought, and first known {number(self._known[row])} days ago"
        return f"no purchase for {number(since)} days, and no contract in force"

    def _risk_in_words(self, row: int) -> str:
        before = float(self._risk_before[row])
        return self._risk_cut.in_words("risk percentile", self.risk[row], high=True, before=before)

    def _falling_in_words(self, row: int) -> str:
        lately, earlier = self._lately[row], self._earlier[row]
        return f"orders of 180 days fell from {number(earlier)} to {number(lately)}"

    def _orders(self, row: int) -> str:
        return f"{number(self._year[row])} orders in 365 days"
