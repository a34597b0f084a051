"""The history on disk: order, types, versions, buckets, locks."""

import pickle
from datetime import UTC, datetime

import duckdb
import pyarrow as pa
import pytest
from storing import store

from features.history.store import History, HistoryError, canonical_order, one_batch, stored_schema
from features.history.streams import PURCHASES, STREAMS


def order(day, amount=1.0, known=None, **more):
    moment = datetime(2011, 1, day, tzinfo=UTC)
    return {"occurred_at": moment, "known_at": known or moment, "kind": "order", "amount": amount} | more


def bucket_rows(history, bucket, rows):
    schema = stored_schema(PURCHASES)
    full = [dict.fromkeys(schema.names) | row | {"bucket": bucket} for row in rows]
    return pa.RecordBatch.from_pylist(full, schema=schema)


def test__read__nothing_stored__is_an_empty_table_of_the_right_types(tmp_path):
    """A history that was never written is read like an empty one."""
    table = History(tmp_path / "none").read("purchases", 0, ["account_id", "known_at", "amount"])

    assert table.num_rows == 0
    assert table.schema.types == [pa.dictionary(pa.int32(), pa.string()), pa.timestamp("us", tz="UTC"), pa.float64()]
    assert [column.num_chunks for column in table.columns] == [1, 1, 1]
    assert not (tmp_path / "none").exists()


def test__read__a_bucket__comes_in_canonical_order_whatever_the_order_of_writing(tmp_path):
    """Ordered by account, known_at, occurred_at, own columns as declared (nulls first), event_id."""
    late = datetime(2011, 1, 9, tzinfo=UTC)
    rows = [order(3), order(2, known=late), order(1, amount=5.0), order(1, amount=4.0), order(1, order_id="A")]
    history = store(tmp_path, {"a": {"purchases": rows}, "B": {"purchases": [order(4)]}}, buckets=1)

    table = history.read("purchases", 0, ["account_id", "event_id"])

    assert table["account_id"].to_pylist() == ["B", "a", "a", "a", "a", "a"]
    assert table["event_id"].to_pylist() == ["B-0", "a-3", "a-2", "a-4", "a-0", "a-1"]


def test__read__rows_in_disorder_on_disk__are_sorted(tmp_path):
    """Order does not rest on the writer's good will: a file in disorder is read in canonical order all the same."""
    history = History(tmp_path, buckets=1)
    ids = {"source": "s", "kind": "order", "amount": 1.0}
    rows = [order(2, account_id="b", event_id="1", **ids), order(1, account_id="b", event_id="2", **ids)]
    rows += [order(1, account_id="a", event_id="3", **ids)]
    history.replace("purchases", [0], [bucket_rows(history, 0, [row | ids for row in rows])])

    assert history.read("purchases", 0, ["event_id"])["event_id"].to_pylist() == ["3", "2", "1"]


def test__read__a_bucket_in_several_files__is_merged_in_order(tmp_path):
    """Another writer may have appended files; the bucket is still one sequence."""
    history = store(tmp_path, {"a": {"purchases": [order(5)]}}, buckets=1)
    row = order(2) | {"account_id": "a", "event_id": "earlier", "source": "test"}
    history._write(
        "purchases", stored_schema(PURCHASES), [bucket_rows(history, 0, [row])], mode="append", partition_by=["bucket"]
    )

    table = history.read("purchases", 0, ["event_id"])

    assert table["event_id"].to_pylist() == ["earlier", "a-0"]
    assert table["event_id"].num_chunks == 1


def test__read__unknown_column__names_the_nearest(tmp_path):
    with pytest.raises(HistoryError, match=r"stream 'purchases' has no column 'amout'; nearest: amount"):
        History(tmp_path).read("purchases", 0, ["amout"])


def test__read__unknown_stream_or_bucket__says_what_there_is(tmp_path):
    with pytest.raises(HistoryError, match="there is no stream 'orders'; the streams are purchases, service"):
        History(tmp_path).read("orders", 0, ["account_id"])
    with pytest.raises(HistoryError, match="there is no bucket 16: the history has 16, numbered from 0"):
        History(tmp_path).read("purchases", 16, ["account_id"])


def test__bucket_of__any_text__equals_the_sql_expression(tmp_path):
    """Python and SQL put an account into the same bucket."""
    history = History(tmp_path, buckets=7)
    for account in ["17850", "", "Café", "公司", "a" * 100]:
        ((expected,),) = duckdb.execute("select md5_number_lower(?) % 7", [account]).fetchall()
        assert history.bucket_of(account) == expected


def test__at__earlier_versions__reads_what_was_stored_then(tmp_path):
    """A pinned history does not move; a stream that did not exist then is empty."""
    history = store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)
    then = history.at(history.versions())
    store(tmp_path, {"a": {"purchases": [order(1), order(2)], "engagement": [order(1)]}}, buckets=1)

    assert then.read("purchases", 0, ["account_id"]).num_rows == 1
    assert then.read("engagement", 0, ["account_id"]).num_rows == 0
    assert history.read("purchases", 0, ["account_id"]).num_rows == 2
    assert set(then.versions()) == {"purchases"}


def test__at__a_version_that_does_not_exist__is_an_error(tmp_path):
    history = store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)

    with pytest.raises(HistoryError, match=r"cannot be read at version 99 \(never written, or vacuumed away\)"):
        history.at({"purchases": 99}).read("purchases", 0, ["account_id"])


def test__pinned__written__is_refused(tmp_path):
    with pytest.raises(HistoryError, match="is pinned to earlier versions and cannot be written"):
        History(tmp_path, pinned={}).replace("purchases", [0], [])


def test__history__other_number_of_buckets__is_refused(tmp_path):
    """The number of buckets is fixed by the first write."""
    store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=4)

    with pytest.raises(HistoryError) as error:
        History(tmp_path, buckets=8).read("purchases", 0, ["account_id"])

    assert str(error.value) == (
        f"{tmp_path}/purchases is divided into 4 buckets, but 8 were asked for. "
        "Set buckets = 4 under [history], or move the old history away and ingest again"
    )


def test__history__sent_to_another_process__reads_the_same(tmp_path):
    history = store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)
    pinned = history.at(history.versions())
    pinned.read("purchases", 0, ["amount"])

    assert pickle.loads(pickle.dumps(pinned)).read("purchases", 0, ["amount"])["amount"].to_pylist() == [1.0]


def test__history__by_url__reads_the_same_as_by_path(tmp_path):
    """The way to an object store, walked on a local URL."""
    store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)
    remote = History(tmp_path.as_uri(), buckets=1)

    assert remote.read("purchases", 0, ["account_id"])["account_id"].to_pylist() == ["a"]
    assert not remote.is_local


def test__replace__some_buckets__leaves_the_others_files_alone(tmp_path):
    history = store(tmp_path, {str(n): {"purchases": [order(1)]} for n in range(20)}, buckets=4)
    before = {file.path for file in history.snapshot("purchases").files if file.bucket != 2}
    one = order(1) | {"account_id": "x", "event_id": "e", "source": "s"}
    history.replace("purchases", [2], [bucket_rows(history, 2, [one])])

    snapshot = history.snapshot("purchases")
    assert {file.path for file in snapshot.files if file.bucket != 2} == before
    assert [file.rows for file in snapshot.of(2)] == [1]


def test__replace__iterator_fails__commits_nothing_and_passes_the_error_on(tmp_path):
    history = store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)
    before = history.versions()

    def failing():
        yield bucket_rows(history, 0, [order(2) | {"account_id": "b"}])
        raise ValueError("the source is gone")

    with pytest.raises(ValueError, match="the source is gone"):
        history.replace("purchases", [0], failing())
    assert history.versions() == before
    assert history.read("purchases", 0, ["account_id"]).num_rows == 1


def test__replace__batch_of_two_buckets_or_a_bucket_twice__is_refused(tmp_path):
    """The writer keeps order only inside a batch, so a bucket is one batch and a batch one bucket."""
    history = History(tmp_path, buckets=4)
    one, two = (bucket_rows(history, bucket, [order(1) | {"account_id": "a"}]) for bucket in (1, 2))
    mixed = one_batch(pa.Table.from_batches([one, two]))

    with pytest.raises(HistoryError, match=r"a batch holds bucket \[1, 2\]; one of \[1, 2\] was expected, whole"):
        history.replace("purchases", [1, 2], [mixed])
    with pytest.raises(HistoryError, match=r"a batch holds bucket \[1\]; one of \[\] was expected, whole"):
        history.replace("purchases", [1], [one, one])


def test__lock__held_by_another__says_so_at_once(tmp_path):
    history = History(tmp_path)
    with history.lock(), pytest.raises(HistoryError, match=r"is being written by another ingest \(process \d+\)"):
        history.lock().__enter__()
    with history.lock():
        pass


def test__read__file_older_than_a_column__gives_nulls_and_may_be_replaced(tmp_path):
    """A stream may gain columns: of what was stored before, nothing is known."""
    history = History(tmp_path, buckets=1)
    row = order(1) | {"account_id": "a", "event_id": "e", "source": "s"}
    old = bucket_rows(history, 0, [row]).drop_columns(["discount", "channel"])
    history._write("purchases", old.schema, [old], mode="append", partition_by=["bucket"])

    table = history.read("purchases", 0, ["discount", "channel", "amount"])

    assert table.to_pydict() == {"discount": [None], "channel": [None], "amount": [1.0]}

    history.replace("purchases", [0], [bucket_rows(history, 0, [row | {"channel": "web"}])])
    assert history.read("purchases", 0, ["channel"]).to_pydict() == {"channel": ["web"]}


def test__canonical_order__every_stream__covers_all_of_its_columns():
    for stream in STREAMS.values():
        assert sorted(canonical_order(stream)) == sorted(column.name for column in stream.columns)


def test__log__holds_no_text_of_any_row(tmp_path):
    """What the log says of a file would outlive the erasure of an account; how many rows it has is all a reader needs."""
    history = store(tmp_path, {"Acme": {"purchases": [order(1)]}}, buckets=1)
    log = "".join(path.read_text() for path in (tmp_path / "purchases" / "_delta_log").glob("*.json"))
    assert "numRecords" in log
    assert "Acme" not in log
    assert history.snapshot("purchases").rows == 1


def test__at__version_whose_files_are_gone__is_an_error_and_not_an_empty_history(tmp_path):
    """A table rebuilt from nothing would be believed."""
    history = store(tmp_path, {"a": {"purchases": [order(1)]}}, buckets=1)
    then = history.versions()
    for file in (tmp_path / "purchases" / "bucket=0").glob("*.parquet"):
        file.unlink()
    with pytest.raises(HistoryError, match=r"cannot be read at version 1: its files were vacuumed away"):
        history.at(then).read("purchases", 0, ["account_id"])


def test__rows_of__local__is_read_without_a_file_system_made_of_python(tmp_path, monkeypatch):
    """Threads of Arrow that let go of one when Python has ended abort a command whose work was done."""
    history = History(tmp_path, buckets=4)
    history.append("mappings", pa.table({"number": [1, 2]}))
    monkeypatch.setattr("deltalake.fs.DeltaStorageHandler", None)
    assert sorted(history.rows_of("mappings", ["number"])["number"].to_pylist()) == [1, 2]
    assert history.rows_of("quarantine") is None
