"""Dates of training and judging: always a whole horizon apart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.splits import NotEnoughHistory, as_of_dates, split

T = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@st.composite
def schedules(draw):
    """Horizon, step, number of dates, begin and least depth of history: just enough for a split, and more."""
    horizon, every, minimum = draw(st.integers(1, 200)), draw(st.integers(1, 60)), draw(st.integers(0, 200))
    steps = -(-horizon // every)
    dates = 1 + steps + draw(st.integers(0, 20))
    depth = minimum + horizon + steps * every + draw(st.integers(0, 400))
    return horizon * DAY, every * DAY, dates, T - depth * DAY, minimum * DAY


@given(schedules())
def test__split__any_schedule__no_label_reaches_beyond_where_it_is_used(schedule):
    """A train date's horizon closes by its fold's date, a fold's by the test date, and the test's by T."""
    horizon, every, dates, first_known, minimum = schedule
    days = split(as_of_dates(T, horizon, every, dates, first_known, minimum), horizon)
    for fold in days.folds:
        assert fold.train
        assert all(date + horizon <= fold.at for date in fold.train)
        assert fold.at + horizon <= days.test
    assert days.train
    assert all(date + horizon <= days.test for date in days.train)
    assert days.test + horizon <= T
    assert all(first_known + minimum <= date for date in days.closed)
    assert len(days.closed) <= dates


@given(schedules())
def test__split__test_date__takes_part_in_no_choice(schedule):
    """The test date appears in no fold, neither to learn from nor to be judged on, nor among the training dates."""
    horizon, every, dates, first_known, minimum = schedule
    days = split(as_of_dates(T, horizon, every, dates, first_known, minimum), horizon)
    assert days.test not in {*days.train, *(date for fold in days.folds for date in (*fold.train, fold.at))}


def test__as_of_dates__horizon_of_ninety_days__newest_closes_exactly_at_t():
    """T − 90 days is the newest date whose label is complete; its horizon (as_of, as_of + 90] ends at T itself."""
    dates = as_of_dates(T, 90 * DAY, 30 * DAY, 3, T - 1000 * DAY, 90 * DAY)
    assert dates == (T - 150 * DAY, T - 120 * DAY, T - 90 * DAY)


def test__as_of_dates__short_history__stops_where_history_begins():
    """250 days of history less 90 to look back on and 90 to look forward leave three steps of 30 days."""
    dates = as_of_dates(T, 90 * DAY, 30 * DAY, 12, T - 250 * DAY, 90 * DAY)
    assert dates == (T - 150 * DAY, T - 120 * DAY, T - 90 * DAY)


def test__split__default_schedule__dates_by_hand():
    """Twelve monthly dates and 90 days: three lie too close to the test, nine teach, six of them can be folds."""
    days = split(as_of_dates(T, 90 * DAY, 30 * DAY, 12, T - 2000 * DAY, 90 * DAY), 90 * DAY)
    assert days.test == T - 90 * DAY
    assert days.train[-1] == T - 180 * DAY
    assert (len(days.closed), len(days.train), len(days.folds)) == (12, 9, 6)
    assert days.folds[0].train == (days.closed[0],)
    assert days.notes == ()


def test__split__one_training_date__no_fold_and_says_so():
    """Without a fold nothing can be chosen by evidence; that is told, not hidden."""
    days = split([T - 180 * DAY, T - 90 * DAY], 90 * DAY)
    assert days.folds == ()
    assert "nothing could be chosen by out-of-time evidence" in days.notes[0]


def test__split__no_date_a_horizon_before_the_test__says_what_to_do():
    """Two dates 30 days apart and a horizon of 90: the earlier label was open when the test date stood."""
    with pytest.raises(NotEnoughHistory, match=r"2023-09-03.*2023-08-04.*horizon of 90 days.*Train as of a later date"):
        split([T - 150 * DAY, T - 120 * DAY], 90 * DAY)


def test__as_of_dates__history_younger_than_horizon__names_the_first_possible_day():
    """History from 2023-12-01, 90 days to look back on and two horizons: 270 days later training is possible."""
    with pytest.raises(NotEnoughHistory, match=r"history begins on 2023-12-01.*Train as of 2024-08-27 or later"):
        as_of_dates(T, 90 * DAY, 30 * DAY, 12, datetime(2023, 12, 1, tzinfo=UTC), 90 * DAY)


def test__as_of_dates__first_possible_day__really_is_enough():
    """The remedy in the message works: at that day there is a split."""
    first = datetime(2023, 12, 1, tzinfo=UTC)
    days = split(as_of_dates(first + 270 * DAY, 90 * DAY, 30 * DAY, 12, first, 90 * DAY), 90 * DAY)
    assert days.train == (first + 90 * DAY,)


def test__dates__moments_of_another_zone__elapsed_days_in_utc():
    """From summer 2023 back over the clock change of March: steps of 30 days on the clock would lie an hour apart."""
    london, summer = ZoneInfo("Europe/London"), datetime(2023, 7, 1, tzinfo=UTC)
    begins = (summer - 1000 * DAY).astimezone(london)
    dates = as_of_dates(summer.astimezone(london), 90 * DAY, 30 * DAY, 8, begins, 90 * DAY)
    assert [each.isoformat() for each in dates] == [
        (summer - back * DAY).isoformat() for back in (300, 270, 240, 210, 180, 150, 120, 90)
    ]
    assert split([each.astimezone(london) for each in dates], 90 * DAY) == split(dates, 90 * DAY)


def test__dates__naive__refused_in_words():
    """A moment without a zone would be read in that of the machine."""
    naive = T.replace(tzinfo=None)
    for ask in (
        lambda: as_of_dates(naive, DAY, DAY, 3, T - 9 * DAY, DAY),
        lambda: as_of_dates(T, DAY, DAY, 3, naive, DAY),
        lambda: split([naive, T], DAY),
    ):
        with pytest.raises(ValueError, match="2024-01-01 00:00:00 has no timezone"):
            ask()
