"""Months, quarters and years of the calendar in a timezone, and which of them an event falls into.

A period is [start, end): what happens at midnight belongs to the day that begins. Only periods that have ended by as_of are
reported: half a month beside whole ones would look like a fall.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from features.arrays import Array
from features.timestamps import microseconds

MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}
KEPT = {"month": 24, "quarter": 8, "year": 3}
"""How many periods of each kind are reported."""
YEAR = 12
BEFORE, AFTER = -1, 1 << 20
"""Numbers of a period before and behind the calendar."""


@dataclass(frozen=True)
class Period:
    """A period of the calendar: its columns are [first, last) of a matrix that has one for each slot."""

    kind: str
    start: date
    end: date
    first: int
    last: int


@dataclass(frozen=True)
class Calendar:
    """The months from January four years before as_of's on, up to the last that has ended by as_of.

    Slot 0 is the time before the calendar, then comes a slot for each month, then one for the time behind it.
    """

    firsts: tuple[date, ...]
    """The first day of each month, and the first day after the last."""
    starts: Array
    """The same as moments, UTC µs."""

    @classmethod
    def until(cls, as_of: datetime, timezone: str) -> "Calendar":
        zone = ZoneInfo(timezone)
        today = as_of.astimezone(zone)
        months = range((today.year - KEPT["year"] - 1) * YEAR, today.year * YEAR + today.month)
        firsts = tuple(date(month // YEAR, month % YEAR + 1, 1) for month in months)
        starts = [microseconds(datetime.combine(first, time(), zone)) for first in firsts]
        return cls(firsts, np.array(starts, dtype=np.int64))

    @property
    def slots(self) -> int:
        return len(self.firsts) + 1

    @property
    def end(self) -> int:
        """The end of the last month, UTC µs."""
        return int(self.starts[-1])

    def slot_of(self, moments: Array) -> Array:
        """The slot of each moment."""
        return np.searchsorted(self.starts, moments, side="right")

    def periods(self) -> tuple[Period, ...]:
        """The reported periods: months first, the oldest of each kind first."""
        return tuple(period for kind in MONTHS_OF for period in list(self._all(kind))[-KEPT[kind] :])

    def _all(self, kind: str) -> Iterator[Period]:
        width = MONTHS_OF[kind]
        for month in range(0, len(self.firsts) - width, width):
            yield Period(kind, self.firsts[month], self.firsts[month + width], month + 1, month + 1 + width)

    def numbers(self, kind: str) -> Array:
        """For each slot the number of the period of that kind that it belongs to."""
        months = np.arange(self.slots - 2) // MONTHS_OF[kind]
        return np.concatenate([[BEFORE], months, [AFTER]])
