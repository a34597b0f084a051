"""Working time: against a slow count of minutes, and known moments about holidays and clocks that change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.interventions.declare.calendar import WorkingTime
from serving.interventions.declare.settings import Calendar, Length

BERLIN = ZoneInfo("Europe/Berlin")
MINUTES = st.integers(0, 525_599).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))
OFFICE = Calendar(timezone="Europe/Berlin", country="DE-BY", closed=(date(2026, 12, 24),))


def due(start, length, calendar=OFFICE, hours=None):
    """In the calendar's own time, as people would read it from a clock on the wall."""
    length = Length(int(length[:-1]), length[-1])
    zone = ZoneInfo(calendar.timezone)
    moment = datetime.fromisoformat(start).replace(tzinfo=zone)
    return WorkingTime(calendar, hours).due(moment, length).astimezone(zone).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        ("2026-03-04 10:00", "15m", "2026-03-04 10:15"),
        ("2026-03-04 17:50", "15m", "2026-03-05 09:05"),
        ("2026-03-06 17:50", "15m", "2026-03-09 09:05"),
        ("2026-03-07 03:00", "15m", "2026-03-09 09:15"),
        ("2026-03-04 14:00", "4h", "2026-03-04 18:00"),
        ("2026-03-04 14:01", "4h", "2026-03-05 09:01"),
        ("2026-03-06 10:00", "1d", "2026-03-09 10:00"),
        ("2026-03-06 10:00", "1w", "2026-03-13 10:00"),
        ("2026-03-07 10:00", "1d", "2026-03-10 09:00"),
        ("2026-04-02 12:00", "1d", "2026-04-07 12:00"),
        ("2026-12-23 17:00", "2h", "2026-12-28 10:00"),
        ("2026-03-27 17:00", "2h", "2026-03-30 10:00"),
    ],
    ids=[
        "within the day", "over night", "over the weekend", "from a night", "until closing", "past closing", "a day",
        "a week", "a day from a Saturday", "over Easter", "over Christmas and a day off of our own", "over the change to summer time",
    ],
)  # fmt: skip
def test__due__counts_what_people_work(start, length, expected):
    assert due(start, length) == expected


def test__due__always__counts_every_hour():
    assert due("2026-03-07 03:00", "24h", hours="always") == "2026-03-08 03:00"


@pytest.mark.parametrize(("night", "hours"), [("2026-03-28", 23), ("2026-10-24", 25)])
def test__due__around_the_clock__has_as_many_hours_as_the_day_has(night, hours):
    """On the day when clocks change, midnight to midnight is 23 or 25 hours."""
    start = datetime.fromisoformat(f"{night} 00:00").replace(tzinfo=BERLIN) + timedelta(days=1)
    ends = WorkingTime(Calendar(timezone="Europe/Berlin"), "Mon-Sun 00:00-24:00").due(start, Length(hours, "h"))
    assert ends.astimezone(BERLIN) == start + timedelta(days=1)


def test__hours_of_the_calendar__give_way_to_those_of_an_sla():
    assert due("2026-03-07 12:00", "1h", hours="Sat-Sun 10:00-13:00") == "2026-03-07 13:00"


@pytest.mark.parametrize(
    "hours",
    ["Mon-Fri 18:00-09:00", "Mon-Fri 09:00-09:00", "Xyz 09:00-18:00", "Mon-Abc 09:00-18:00", "Mon-Fri 09:00-25:00"],
)
def test__hours_that_mean_nothing__are_refused(hours):
    with pytest.raises(ValueError, match=r"closes before|names no days|no clock shows"):
        WorkingTime(OFFICE, hours)


def test__days__may_run_over_the_end_of_the_week():
    assert due("2026-03-06 12:00", "1d", hours="Fri-Mon 09:00-18:00") == "2026-03-07 12:00"


def by_the_minute(start, minutes, calendar):
    """The slow way: look at every minute whether somebody works in it."""
    off = holidays.country_holidays("DE", subdiv="BY")
    moment = start
    while minutes:
        wall = moment.astimezone(BERLIN)
        works = (
            wall.weekday() < 5 and wall.date() not in off and wall.date() not in calendar.closed and 9 <= wall.hour < 18
        )
        minutes -= works
        moment += timedelta(minutes=1)
    return moment


@given(
    MINUTES,
    st.integers(1, 1_500),
)
def test__due__is_what_counting_every_minute_gives(start, minutes):
    assert WorkingTime(OFFICE).due(start, Length(minutes, "m")) == by_the_minute(start, minutes, OFFICE)


@given(MINUTES, st.integers(1, 40), st.integers(1, 40))
def test__due__of_more_is_never_earlier_and_of_a_later_start_neither(start, count, more):
    office = WorkingTime(OFFICE)
    for unit in "hd":
        first = office.due(start, Length(count, unit))
        assert first > start
        assert office.due(start, Length(count + more, unit)) > first
        assert office.due(start + timedelta(hours=more), Length(count, unit)) >= first
