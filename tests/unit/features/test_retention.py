"""Vacuum: what models were trained on and what is recent stays readable; the rest goes, and it is said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from storing import store

from features.history.retention import vacuum
from features.history.store import KEEP_LOG, LOG_RETENTION, History, HistoryError

MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
LATER = datetime(2100, 1, 1, tzinfo=UTC)
"""When everything that a test has written is old."""


def order(number):
    return {
        "occurred_at": MOMENT,
        "known_at": MOMENT,
        "kind": "order",
        "amount": float(number),
        "event_id": str(number),
    }


def written(root, times):
    """A history of one bucket with one more order at each write; gives the versions after each."""
    versions = []
    for count in range(1, times + 1):
        history = store(root, {"a": {"purchases": [order(number) for number in range(count)]}}, buckets=1)
        versions.append(history.versions())
    return history, versions


def size(history):
    return sum(path.stat().st_size for path in Path(history.root).rglob("*.parquet") if "_delta_log" not in str(path))


def test__vacuum__old_versions__go_but_those_of_models_and_the_newest_stay(tmp_path):
    history, versions = written(tmp_path, 5)
    (gone,) = vacuum(history, [versions[1]], LATER, days=30)

    assert history.at(versions[1]).read("purchases", 0, ["amount"]).num_rows == 2
    assert history.read("purchases", 0, ["amount"]).num_rows == 5
    assert (gone.table, gone.files, gone.given_up) == ("purchases", 3, (1, 3, 4))
    assert set(gone.kept) == {0, 2, 5}
    with pytest.raises(HistoryError, match="its files were vacuumed away"):
        history.at(versions[2]).read("purchases", 0, ["amount"])


def test__vacuum__versions_of_the_last_days__stay(tmp_path):
    """Whoever looks up something as it was last week still can."""
    history, versions = written(tmp_path, 3)
    (gone,) = vacuum(history, [], datetime.now(UTC) + timedelta(days=1), days=30)
    assert (gone.files, gone.given_up) == (0, ())
    assert [history.at(each).read("purchases", 0, ["amount"]).num_rows for each in versions] == [1, 2, 3]


def test__vacuum__version_that_was_current_when_the_days_began__stays(tmp_path):
    """On the first of the kept days the history was what an older commit had left."""
    history, versions = written(tmp_path, 2)
    stamps = {entry["version"]: entry["timestamp"] for entry in history.table("purchases").history()}
    between = datetime.fromtimestamp(stamps[2] / 1000, UTC)
    (gone,) = vacuum(history, [], between + timedelta(days=30), days=30)
    assert history.at(versions[0]).read("purchases", 0, ["amount"]).num_rows == 1
    assert gone.given_up == ()


def test__vacuum__files_of_killed_ingests__go(tmp_path):
    """With the lock held nobody is writing: what no version needs is nobody's."""
    history, _ = written(tmp_path, 1)
    before = size(history)
    bucket = tmp_path / "purchases" / "bucket=0"
    for name in ("part-orphan.parquet", "part-half.parquet#1"):
        (bucket / name).write_bytes(b"x" * 1000)
    (gone,) = vacuum(history, [], LATER, days=30)
    assert (gone.files, gone.bytes) == (2, 2000)
    assert size(history) == before


def test__vacuum__again__gives_up_nothing_more_and_still_knows_what_is_kept(tmp_path):
    history, versions = written(tmp_path, 4)
    vacuum(history, [versions[0]], LATER, days=0)
    (again,) = vacuum(history, [versions[0]], LATER, days=0)
    assert (again.files, again.given_up) == (0, ())
    assert history.at(versions[0]).read("purchases", 0, ["amount"]).num_rows == 1


def test__vacuum__while_another_writes__says_so(tmp_path):
    history, _ = written(tmp_path, 1)
    with history.lock(), pytest.raises(HistoryError, match="is being written by another"):
        vacuum(history, [], LATER, days=30)


def test__vacuum__table_of_an_earlier_release__keeps_its_log_from_now_on(tmp_path):
    """Delta drops its log after a month by default, and with it the versions that models were trained on."""
    history, versions = written(tmp_path, 2)
    history.table("purchases").alter.set_table_properties({LOG_RETENTION: "interval 30 days"})
    vacuum(history, versions, LATER, days=30)
    assert history.table("purchases").metadata().configuration[LOG_RETENTION] == KEEP_LOG
    assert history.at(versions[0]).read("purchases", 0, ["amount"]).num_rows == 1


def test__vacuum__empty_history__does_nothing(tmp_path):
    assert vacuum(History(tmp_path / "history"), [], LATER, days=30) == []
