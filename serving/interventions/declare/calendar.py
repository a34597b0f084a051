"""Working time: due moments, counted in working hours or working days.

Working hours lie between opening and closing of working days. Both follow the calendar's timezone, so that a day on which
the clocks change has its real number of hours.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import holidays

from serving.interventions.declare.settings import Calendar, Length

ALWAYS = "always"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY = timedelta(days=1)
_MIDNIGHT = "24:00"
"""The end of a day: the beginning of the next day."""


class WorkingTime:
    """The working time of a calendar; `hours` like "Mon-Fri 09:00-18:00" take the place of the calendar's own.

    24:00 is the end of a day. ValueError for hours that end before they begin, or are none, and for names that are no days.
    """

    def __init__(self, calendar: Calendar, hours: str | None = None) -> None:
        self.calendar = calendar
        self.hours = hours or calendar.business_hours
        self.zone = ZoneInfo(calendar.timezone or "UTC")
        if self.hours != ALWAYS:
            days, _, day = self.hours.partition(" ")
            self.weekdays = _weekdays(days)
            self.opens, self.closes = day.split("-")
            _clock_moment(date.min, self.opens), _clock_moment(date.min, self.closes)
            if self.opens >= self.closes:
                raise ValueError(f"'{self.hours}' closes before it opens")

    def due(self, start: datetime, length: Length) -> datetime:
        """The moment, in UTC, at which `length` of working time has passed since `start`.

        Days keep the time of day: two of them from Friday 10:00 are Tuesday 10:00. A start outside working hours counts
        from the next opening.
        """
        if self.hours == ALWAYS:
            return (start + length.elapsed).astimezone(UTC)
        return self._days_after(start, length) if length.is_of_days else self._hours_after(start, length.elapsed)

    def is_working_day(self, day: date) -> bool:
        """Whether people work on a day."""
        return day.weekday() in self.weekdays and day not in self.calendar.closed and day not in self._holidays

    @cached_property
    def _holidays(self) -> "holidays.HolidayBase | frozenset[date]":
        if self.calendar.country is None:
            return frozenset()
        country, _, part = self.calendar.country.partition("-")
        return holidays.country_holidays(country, subdiv=part or None)

    def _hours_after(self, start: datetime, left: timedelta) -> datetime:
        for opens, closes in self._windows(start):
            begins = max(opens, start)
            if left <= closes - begins:
                return begins + left
            left -= max(closes - begins, timedelta(0))
        raise AssertionError(self.hours)

    def _days_after(self, start: datetime, length: Length) -> datetime:
        windows = self._windows(start)
        opens, _ = next(window for window in windows if window[1] > start)
        begins = max(opens, start).astimezone(self.zone)
        for _ in range(length.count * (len(self.weekdays) if length.unit == "w" else 1)):
            opens, _ = next(windows)
        return datetime.combine(opens.astimezone(self.zone).date(), begins.time(), self.zone).astimezone(UTC)

    def _windows(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Opening and closing of every working day from that of `start` on, in UTC."""
        day = start.astimezone(self.zone).date()
        while True:
            if self.is_working_day(day):
                opens, closes = (_clock_moment(day, at).replace(tzinfo=self.zone) for at in (self.opens, self.closes))
                yield opens.astimezone(UTC), closes.astimezone(UTC)
            day += _DAY


def _clock_moment(day: date, clock: str) -> datetime:
    """The moment of a clock time on a day. ValueError for a text that is no clock time."""
    if clock == _MIDNIGHT:
        return datetime.combine(day + _DAY, time())
    try:
        return datetime.combine(day, time.fromisoformat(clock))
    except ValueError:
        raise ValueError(f"no clock shows {clock}; a day is from 00:00 to {_MIDNIGHT}") from None


def _weekdays(text: str) -> frozenset[int]:
    """The numbers of days like Mon-Fri,Sun."""
    found = set[int]()
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in _DAYS or (last or first) not in _DAYS:
            raise ValueError(f"'{text}' names no days; write them like {'-'.join(_DAYS[:5:4])}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        found |= {number % 7 for number in range(begin, end + 1 + 7 * (end < begin))}
    return frozenset(found)
