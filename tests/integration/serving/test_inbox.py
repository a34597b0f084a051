"""The event inbox: nothing posted is lost, nothing counts twice, wherever the night stops."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from features.history.erasure import forget
from features.history.identities import merge
from features.history.ingest.progress import MARKS_TABLE as BOOKMARKS
from features.history.quarantine import quarantined
from features.history.status import status
from features.history.store import History
from features.history.streams import STREAMS
from serving.accounts.event_inbox import PostedEvent, clear, fold, post
from serving.database.engine import opened, reading, writing
from serving.database.tables import event_inbox

NOON = datetime(2020, 3, 1, 12, tzinfo=UTC)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def event(number=1, account="A", known_at=NOON, stream="purchases", **columns):
    occurred_at = known_at - timedelta(hours=1)
    if stream == "purchases":
        columns = {"kind": "order", "amount": 0.1 + number} | columns
    row = {
        "account_id": account, "occurred_at": occurred_at.isoformat(timespec="microseconds"),
        "known_at": known_at.isoformat(timespec="microseconds"), "event_id": f"e{number}", **columns,
    }  # fmt: skip
    return PostedEvent(account, stream, f"e{number}", occurred_at, known_at, json.dumps(row))


def put(engine, *events):
    with writing(engine) as connection:
        return post(connection, events, NOON, None)


def inbox(engine):
    with reading(engine) as connection:
        return connection.execute(sa.select(event_inbox).order_by(event_inbox.c.position)).all()


def folded(engine, folder, as_of=NOON, timezone="UTC"):
    return fold(
        engine,
        History(folder / "history", buckets=4),
        folder / "posted",
        as_of=as_of,
        timezone=timezone,
        earliest=EARLIEST,
    )


def stored(folder, stream="purchases"):
    history = History(folder / "history", buckets=4)
    names = [column.name for column in STREAMS[stream].columns]
    return [row for bucket in range(4) for row in history.read(stream, bucket, names).to_pylist()]


def test__post__tells_new_events_from_those_that_are_there(database):
    assert put(database, event(1), event(2), event(1, amount=77.0)) == [True, True, False]
    assert put(database, event(2, amount=99.0), event(3), event(1, account="B")) == [False, True, True]
    assert [(row.account_id, row.event_id) for row in inbox(database)] == [
        ("A", "e1"),
        ("A", "e2"),
        ("A", "e3"),
        ("B", "e1"),
    ]
    assert [json.loads(row.row)["amount"] for row in inbox(database)] == [1.1, 2.1, 3.1, 1.1]


def test__post__of_many_at_once_from_two_sides__each_event_once_and_no_deadlock(database):
    """Both sides post the same events in opposite order; together they are told exactly once that each is new."""
    events = [event(number) for number in range(3000)]
    # One waits for the other; how long that takes is the machine's business.
    patient = opened(database.url.render_as_string(hide_password=False), wait_seconds=60)
    with ThreadPoolExecutor(2) as sides:
        posted = [sides.submit(put, patient, *side) for side in (events, events[::-1])]
        told = [side.result() for side in posted]
    patient.dispose()
    assert sum(map(sum, told)) == len(inbox(database)) == 3000


def test__fold__brings_what_was_known_by_then_and_leaves_the_rest(database, tmp_path):
    put(database, event(1), event(2, known_at=NOON + timedelta(microseconds=1)))
    put(database, event(3, stream="engagement", kind="login"))
    found = folded(database, tmp_path)
    assert {name: report.kept for name, report in found.reports.items()} == {"purchases": 1, "engagement": 1}
    clear(database, found.positions)
    assert [row.event_id for row in inbox(database)] == ["e2"]
    (row,) = stored(tmp_path)
    assert {name: row[name] for name in ("account_id", "event_id", "known_at", "amount", "kind")} == {
        "account_id": "A", "event_id": "e1", "known_at": NOON, "amount": 1.1, "kind": "order",
    }  # fmt: skip


def test__fold__killed_before_clear_and_begun_again__doubles_nothing(database, tmp_path):
    put(database, event(1), event(2))
    first, second = folded(database, tmp_path), folded(database, tmp_path)
    assert first.positions == second.positions
    assert len(stored(tmp_path)) == 2
    clear(database, second.positions)
    clear(database, second.positions)
    assert inbox(database) == []


def test__clear__again_after_others_have_posted__removes_nothing_of_theirs(database, tmp_path):
    """The night was killed after clearing and before it noted so; a position must not mean another event by then."""
    put(database, event(1), event(2))
    positions = folded(database, tmp_path).positions
    clear(database, positions)
    put(database, event(3), event(4))
    clear(database, positions)
    assert [row.event_id for row in inbox(database)] == ["e3", "e4"]


def test__fold__night_after_night__keeps_one_bookmark_a_stream(database, tmp_path):
    """The files of a fold are not noted for ever."""
    for night in range(3):
        put(database, event(night), event(night, stream="engagement", kind="login"))
        clear(database, folded(database, tmp_path).positions)
    marks = History(tmp_path / "history", buckets=4).rows_of(BOOKMARKS)
    assert sorted(marks["stream"].to_pylist()) == ["engagement", "purchases"]
    assert len(stored(tmp_path)) == 3


def test__fold__an_event_posted_again_after_it_was_folded__is_settled_without_effect(database, tmp_path):
    put(database, event(1))
    clear(database, folded(database, tmp_path).positions)
    assert put(database, event(1)) == [True]
    found = folded(database, tmp_path)
    assert found.reports["purchases"].duplicates == 1
    assert len(found.positions) == len(stored(tmp_path)) == 1


def test__fold__refused__is_counted_and_stays_in_quarantine_under_another_timezone_too(database, tmp_path):
    """A source brings its rows again once it is mapped anew; what was posted is nowhere else any more."""
    put(database, event(1), event(2, amount=None))
    found = folded(database, tmp_path)
    assert found.refused == {"purchases: amount is missing": 1}
    clear(database, found.positions)
    put(database, event(3))
    folded(database, tmp_path, timezone="Europe/Berlin")
    history = History(tmp_path / "history", buckets=4)
    assert [(one.source, one.quarantined) for one in status(history).sources] == [("posted", {"amount is missing": 1})]
    (refused,) = quarantined(history).to_dict("records")
    assert (refused["source"], refused["reason"]) == ("posted", "amount is missing")
    assert json.loads(refused["row"])["event_id"] == "e2"


def test__fold__of_a_merged_account__lands_with_the_account_that_survives(database, tmp_path):
    put(database, event(1, account="old"), event(2, account="new"))
    clear(database, folded(database, tmp_path).positions)
    merge(History(tmp_path / "history", buckets=4), "old", "new", NOON)
    put(database, event(3, account="old"))
    found = folded(database, tmp_path)
    assert len(found.positions) == 1
    assert {(row["account_id"], row["event_id"]) for row in stored(tmp_path)} == {
        ("new", "e1"),
        ("new", "e2"),
        ("new", "e3"),
    }


def test__fold__of_an_erased_account__is_turned_away_and_settled(database, tmp_path):
    put(database, event(1, account="gone"), event(2))
    clear(database, folded(database, tmp_path).positions)
    forget(History(tmp_path / "history", buckets=4), "gone")
    put(database, event(3, account="gone"))
    found = folded(database, tmp_path)
    assert found.reports["purchases"].forgotten == 1
    clear(database, found.positions)
    assert inbox(database) == []
    assert [row["account_id"] for row in stored(tmp_path)] == ["A"]


def test__fold__of_an_empty_inbox__writes_nothing(database, tmp_path):
    assert folded(database, tmp_path).positions == []
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize("count", [25_000])
def test__fold__of_more_than_one_batch__takes_all(database, tmp_path, count):
    put(database, *(event(number) for number in range(count)))
    found = folded(database, tmp_path)
    assert found.reports["purchases"].kept == len(set(found.positions)) == count
    clear(database, found.positions)
    assert inbox(database) == []
