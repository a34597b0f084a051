"""The coverage report: what arrived when, what is missing, who is known by attributes alone."""

from datetime import UTC, date, datetime

import numpy as np
from ingesting import SIMPLE, bring, source
from storing import store

from features.history import arrivals
from features.history.status import Gaps, gaps_between, status
from features.history.store import History

JUNE, JULY = datetime(2011, 6, 1, tzinfo=UTC), datetime(2011, 7, 1, tzinfo=UTC)


def order(day, hour=0):
    moment = datetime(2020, 3, day, hour, tzinfo=UTC)
    return {"occurred_at": moment, "known_at": moment, "kind": "order", "amount": 1.0}


def attribute(day):
    moment = datetime(2020, 3, day, tzinfo=UTC)
    return {"occurred_at": moment, "known_at": moment}


def test__gaps__days_without_data__counted_and_the_longest_dated():
    """Data on days 0, 1, 4, 10: six, seven ... of ten days between are missing, the longest run from day 5 to day 9."""
    gaps = gaps_between(np.array([0, 1, 4, 10]))
    assert gaps == Gaps(7, 5, date(1970, 1, 6), date(1970, 1, 10))
    assert gaps_between(np.array([3, 4, 5])) == Gaps(0, 0, None, None)
    assert gaps_between(np.array([3])) == Gaps(0, 0, None, None)


def test__status__gaps__are_those_of_all_buckets_together(tmp_path):
    """Two accounts in different buckets that fill each other's silence leave no gap."""
    days = {"a": (1, 5), "b": (2, 3, 9)}
    history = store(tmp_path, {name: {"purchases": [order(day) for day in own]} for name, own in days.items()})
    (source_status,) = status(history).sources
    assert source_status.gaps == Gaps(4, 3, date(2020, 3, 6), date(2020, 3, 8))


def test__status__days__are_those_of_the_timezone(tmp_path):
    """An event at 23:30 in London's winter is one of the next day in Berlin."""
    history = store(tmp_path, {"a": {"purchases": [order(1, 12), order(2, 23), order(4, 12)]}})
    assert status(history, "UTC").sources[0].gaps == Gaps(1, 1, date(2020, 3, 3), date(2020, 3, 3))
    assert status(history, "Europe/Berlin").sources[0].gaps == Gaps(1, 1, date(2020, 3, 2), date(2020, 3, 2))


def test__status__accounts_known_by_attributes_alone__are_counted_and_have_no_gaps(tmp_path):
    """Nothing ever happened to them: they were announced, and no source speaks of them."""
    both = {"purchases": [order(1)], "accounts": [attribute(1)]}
    history = store(tmp_path, {"a": both, "b": {"accounts": [attribute(1), attribute(9)]}})
    stored = status(history)
    assert (stored.accounts, stored.without_events) == (2, 1)
    assert {source_status.stream: source_status.gaps is None for source_status in stored.sources} == {
        "accounts": True,
        "purchases": False,
    }


def test__status__refused_rows__as_a_share_of_all_that_came(tmp_path):
    """Three stored and one refused: a quarter."""
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\na,2011-03-01,1,A\nb,2011-02-01,1,A\nb,abc,1,A\n"))
    (source_status,) = status(History(tmp_path / "history", buckets=4)).sources
    assert source_status.share_quarantined == 0.25


def test__status__last_ingest__its_moment_and_when_anything_new_came_last(tmp_path):
    """A night that brought nothing new is an ingest, and changes nothing."""
    lines = source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n")
    history = History(tmp_path / "history", buckets=4)
    before = datetime.now(UTC).replace(microsecond=0)
    for moment in (JUNE, JULY):
        bring(tmp_path, lines, as_of=moment)
    (source_status,) = status(history).sources
    assert (source_status.last_ingest.as_of, source_status.last_ingest.read, source_status.last_ingest.kept) == (
        JULY,
        1,
        0,
    )
    assert before <= source_status.last_ingest.committed_at <= datetime.now(UTC)


def test__arrivals__many__are_shortened_to_the_last_and_say_the_same(tmp_path, monkeypatch):
    """A line an hour for years must not become as many files."""
    history = History(tmp_path, buckets=4)
    for number in range(5):
        arrivals.note(history, "lines", "purchases", JULY, number, 0)
    last = arrivals.last_arrivals(history)["purchases", "lines"]
    monkeypatch.setattr(arrivals, "LINES_TO_KEEP", 4)
    arrivals.note(history, "visits", "engagement", JUNE, 7, 0)
    assert arrivals.last_arrivals(history)["purchases", "lines"] == last
    assert history.rows_of(arrivals.TABLE).num_rows == 2


def test__arrivals__every_new_row_refused__do_not_make_the_data_fresh_until_it_is_mended(tmp_path):
    """The broken rows are not passed over by the next ingest either: it would look as if there was nothing new."""
    arrived = lambda: arrivals.last_arrivals(History(tmp_path / "history", buckets=4))["purchases", "lines"].as_of  # noqa: E731
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-01-01,1,A\n"), as_of=JUNE, everything=False)
    broken = source(tmp_path, SIMPLE + "a,2011-06-02,much,B\n")
    for _ in range(2):
        assert bring(tmp_path, broken, as_of=JULY, everything=False).quarantined == 1
        assert arrived() == JUNE
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-06-02,2,B\n"), as_of=JULY, everything=False)
    assert arrived() == JULY


def test__arrivals__every_new_row_lies_in_the_future__up_to_now_everything_was_read(tmp_path):
    bring(tmp_path, source(tmp_path, SIMPLE + "a,2011-07-02,1,A\n"), as_of=JULY)
    assert arrivals.last_arrivals(History(tmp_path / "history", buckets=4))["purchases", "lines"].as_of == JULY
