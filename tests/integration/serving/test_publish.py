"""Published tables: the contract with their readers, and files that are whole, in order and the same every time."""

import json
import subprocess
import sys
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_rows import AS_OF, REASON, ROWS, described, golden, rows

from serving.database import tables as operational
from serving.publish import TABLES, Destination, PublishError, publish
from serving.publish.parquet import file_name, publish_parquet, write_file
from serving.publish.rows import GROUP, in_key_order

WHAT_TO_DO = (
    "readers rely on table {0} version {1}, and its schema is another now. If that is meant: raise its version in "
    "serving/publish/tables.py, then python tests/support/published_rows.py and commit the new golden files beside the old ones"
)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test__schema__is_the_one_that_this_version_promised(table):
    """A report that was built on it must not break over night."""
    promised, _ = golden(table)
    assert promised.exists(), (
        f"{table.name} has a new version: python tests/support/published_rows.py writes its golden files"
    )
    assert json.loads(promised.read_text()) == described(table), WHAT_TO_DO.format(table.name, table.version)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test__golden_file__still_says_the_same(table, tmp_path):
    """What was written when the version was new is what is written today, schema and metadata included."""
    _, content = golden(table)
    written = publish_parquet(tmp_path, table, [rows(table.name)], AS_OF)
    old, new = pq.read_table(content), pq.read_table(written.path)
    assert new.schema.equals(old.schema, check_metadata=True), WHAT_TO_DO.format(table.name, table.version)
    assert new.to_pylist() == old.to_pylist()
    assert written.rows == len(ROWS[table.name])


@pytest.mark.parametrize("name", ["score_history", "tier_moves"])
def test__table_that_the_database_has_too__has_its_columns(name):
    """The night hands over what it has loaded."""
    assert TABLES[name].schema.names == getattr(operational, name).columns.keys()


def test__scores__hold_what_the_database_has(tmp_path):
    assert set(operational.scores.columns.keys()) <= set(TABLES["scores"].schema.names)


def scores(count, first=0):
    own = range(first, first + count)
    return rows("scores", [{**ROWS["scores"][0], "account_id": f"{number * 7919 % 1_000_003:07}"} for number in own])


def test__publish__any_order_and_any_parts__the_same_bytes(tmp_path):
    """A night that was killed and runs again may come to its buckets in other pieces."""
    whole = scores(GROUP + 1000)
    parts = [whole.slice(begin, 9_999) for begin in range(0, whole.num_rows, 9_999)][::-1]
    one, other = (publish({"scores": given}, Destination(tmp_path / name), AS_OF).files[0] for name, given in
                  (("one", [whole]), ("other", iter(parts))))  # fmt: skip
    assert one.path.read_bytes() == other.path.read_bytes()
    stored = pq.ParquetFile(one.path)
    assert [stored.metadata.row_group(group).num_rows for group in range(stored.num_row_groups)] == [GROUP, 1000]
    ids = pq.read_table(one.path)["account_id"].to_pylist()
    assert ids == sorted(ids)
    assert stored.schema_arrow.metadata[b"foresail.version"] == b"1"


def test__publish__table_that_grows__keeps_other_nights_and_has_each_once(tmp_path):
    to, later = Destination(tmp_path), AS_OF + timedelta(days=1)
    for night in (AS_OF, later, AS_OF):
        moved = [{**ROWS["tier_moves"][0], "as_of": night}]
        publish({"tier_moves": [rows("tier_moves", moved)]}, to, night)
    folder = tmp_path / "tier_moves"
    assert sorted(path.name for path in folder.iterdir()) == ["20260131T230000Z.parquet", "20260201T230000Z.parquet"]
    assert pq.read_table(folder)["as_of"].to_pylist() == [AS_OF, later]


def test__publish__nobody__an_empty_file_with_its_schema(tmp_path):
    """On the first day nothing has moved: readers find a table, not an error."""
    (file,) = publish({"tier_moves": []}, Destination(tmp_path), AS_OF).files
    assert (file.rows, pq.read_schema(file.path)) == (0, TABLES["tier_moves"].schema)


def test__manifest__names_tables_versions_and_moments(tmp_path):
    """Tables published by another call keep their entry."""
    publish({"kpis": [rows("kpis")]}, Destination(tmp_path), AS_OF)
    publish({"scores": [rows("scores")], "score_history": []}, Destination(tmp_path), AS_OF + timedelta(days=1))
    entries = json.loads((tmp_path / "published_tables.json").read_text())["tables"]
    assert [(one["table"], one["version"], one["rows"], one["files"], one["as_of"][:10]) for one in entries] == [
        ("scores", 1, 3, "scores.parquet", "2026-02-01"),
        ("score_history", 1, 0, "score_history/*.parquet", "2026-02-01"),
        ("kpis", 1, 1, "kpis.parquet", "2026-01-31"),
    ]
    assert [one["name"] for one in entries[2]["columns"]] == TABLES["kpis"].schema.names


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scores": [rows("kpis")]}, "table scores has no column kpi, period"),
        ({"health": [pa.table({"account_id": ["a"]})]}, "health.as_of must be filled, and 1 rows have none"),
        ({"health": [pa.table({"account_id": [None], "as_of": [AS_OF]})]}, "health.account_id must be filled"),
        (
            {"health": [pa.table({"account_id": ["a"], "as_of": [AS_OF], "health": ["good"]})]},
            "health.health must be double",
        ),
        (
            {"tier_moves": [rows("tier_moves"), rows("tier_moves")]},
            "two rows for as_of 2026-01-31 23:00:00+00:00, account_id a",
        ),
        ({"churn": []}, "there is no published table churn; there are accounts, scores"),
    ],
)
def test__publish__rows_that_the_table_does_not_allow__say_which_and_leave_what_was(tmp_path, given, said):
    publish({"health": [rows("health")], "scores": [rows("scores")]}, Destination(tmp_path), AS_OF)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    with pytest.raises(PublishError, match=said.replace("+", r"\+")):
        publish(given, Destination(tmp_path), AS_OF)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before


def test__publish__source_of_the_rows_fails__its_own_error(tmp_path):
    """DuckDB would make a text of it."""

    def failing():
        yield scores(10)
        raise KeyError("bucket 3")

    with pytest.raises(KeyError, match="bucket 3"):
        publish({"scores": failing()}, Destination(tmp_path), AS_OF)
    assert not list(tmp_path.rglob("*scores*"))


def test__publish__what_is_sorted_on_disk__lies_in_the_folder_that_is_told(tmp_path):
    """Elsewhere nobody would find what a killed run has left of accounts."""
    spill, seen = tmp_path / "spill", []
    spill.mkdir()

    def parts():
        seen.extend(spill.iterdir())
        yield rows("scores")

    publish({"scores": parts()}, Destination(tmp_path / "published"), AS_OF, spill=spill)
    assert len(seen) == 1
    assert list(spill.iterdir()) == []


KILLED = """
import os, sys
from pathlib import Path
sys.path[:0] = {paths!r}
from published_rows import AS_OF, rows
from serving.publish import Destination, publish
def parts():
    yield rows("scores")
    os.kill(os.getpid(), 9)
publish({{"scores": parts()}}, Destination(Path({folder!r})), AS_OF)
"""


def test__publish__killed_while_writing__leaves_the_old_file_and_runs_again(tmp_path):
    (old,) = publish({"scores": [scores(5)]}, Destination(tmp_path), AS_OF).files
    before = old.path.read_bytes()
    code = KILLED.format(paths=sys.path, folder=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert old.path.read_bytes() == before
    publish({"scores": [rows("scores")]}, Destination(tmp_path), AS_OF)
    assert [path.name for path in tmp_path.glob("*scores*")] == ["scores.parquet"]
    assert pq.read_table(old.path)["reasons"].to_pylist() == [[], None, [REASON]]


def test__in_key_order__duplicates_across_two_groups__are_found(tmp_path):
    """The last row of one group and the first of the next are neighbours too."""
    ids = [f"{number:07}" for number in range(GROUP)]
    twice = rows("health", [{"account_id": one, "as_of": AS_OF} for one in [*ids, ids[-1]]])
    with pytest.raises(PublishError, match=f"account_id {ids[-1]}"):
        write_file(tmp_path / "health.parquet", TABLES["health"], in_key_order(TABLES["health"], [twice]))


def test__file_name__of_a_night_within_a_second__is_its_own():
    assert (
        file_name(TABLES["tier_moves"], AS_OF + timedelta(milliseconds=250)) == "tier_moves/20260131T230000.25Z.parquet"
    )
