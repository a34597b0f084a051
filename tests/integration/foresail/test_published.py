"""Accounts taken out of published tables: theirs alone, out of what Foresail wrote alone."""

import sqlite3
import sys

import pantab
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from published_rows import AS_OF, rows

from features.history.store import HistoryError
from foresail.config.project import load
from foresail.operations.published_files import Cleaned, published, remove_accounts
from serving.publish import TABLES, publish

PROJECT = """
[project]
name = "Small"
currency = "EUR"
timezone = "UTC"

[history]
root = "kept/history"

[[sources]]
name = "orders"
stream = "purchases"
from = "data/*.csv"
tables = { products = "data/products.parquet" }
"""
LINES = "account_id,amount\nc1,1\nc10,2\n"
BARE = PROJECT.partition("[history]")[0]


def project(folder):
    (folder / "foresail.toml").write_text(PROJECT)
    for name in ("data", "out/deep", ".hidden", "kept/history/purchases"):
        (folder / name).mkdir(parents=True)
    return load(folder)


def test__published__tables_below_the_project__without_sources_history_and_hidden_folders(tmp_path):
    """What the company gave us is read, never written."""
    one = project(tmp_path)
    names = ("data/orders.csv", "data/products.parquet", ".hidden/x.csv", "kept/history/purchases/x.parquet")
    for name in (*names, "data/other.parquet", "out/deep/scores.csv", "out/notes.txt"):
        (tmp_path / name).write_text(LINES)
    assert published(one) == [tmp_path / "data/other.parquet", tmp_path / "out/deep/scores.csv"]


def test__remove_accounts__csv__loses_the_rows_of_exactly_this_id(tmp_path):
    """C10 begins like c1 and stays; quoted text and other encodings come through as they were."""
    one = project(tmp_path)
    path = tmp_path / "out" / "scores.csv"
    path.write_bytes('account_id,why\nc1,a\nc10,"b, ""c"""\nc2,Caf\xe9\n'.encode("latin-1"))
    assert list(remove_accounts(one, ["c1"])) == [Cleaned(path, 1)]
    assert path.read_bytes() == 'account_id,why\nc10,"b, ""c"""\nc2,Caf\xe9\n'.encode("latin-1")


def test__remove_accounts__parquet__keeps_schema_and_the_other_row_groups(tmp_path):
    """Row group by row group, types and all."""
    one = project(tmp_path)
    path = tmp_path / "out" / "scores.parquet"
    table = pa.table({"account_id": ["a", "c1", "b", "c1"], "score": pa.array([1, 2, 3, 4], pa.float32())})
    pq.write_table(table, path, row_group_size=2)
    assert list(remove_accounts(one, ["c1", "nobody"])) == [Cleaned(path, 2)]
    assert pq.read_table(path).equals(table.take([0, 2]))


def test__remove_accounts__files_without_the_account__are_not_written(tmp_path):
    """A table that is being read by somebody is not touched without need."""
    one = project(tmp_path)
    (tmp_path / "out" / "scores.csv").write_text("account_id;x\n")
    (tmp_path / "out" / "other.csv").write_text(LINES)
    pq.write_table(pa.table({"account_id": ["a"]}), tmp_path / "out" / "a.parquet")
    pq.write_table(pa.table({"x": ["c9"]}), tmp_path / "out" / "b.parquet")
    before = {path: path.stat().st_mtime_ns for path in published(one)}
    assert list(remove_accounts(one, ["c9"])) == []
    assert {path: path.stat().st_mtime_ns for path in published(one)} == before
    assert not list(tmp_path.rglob("*.cleaning"))


def test__remove_accounts__export_of_the_quarantine__by_the_values_of_the_refused_row(tmp_path):
    """Its rows are JSON of what the select gave; numbers are ids too."""
    one = project(tmp_path)
    path = tmp_path / "refused.csv"
    path.write_text('source,row\ns,"{""account_id"":77,""amount"":""x""}"\ns,"{""account_id"":770}"\ns,"{broken"\n')
    assert list(remove_accounts(one, ["77"])) == [Cleaned(path, 1)]
    assert path.read_text().count("770") == 1


@pytest.mark.parametrize("pattern", ["data/**", "{folder}/data/*.csv", "{folder}/data/**/*.csv", "data/*/*.csv"])
def test__published__what_a_source_reads__is_no_table_of_ours(tmp_path, pattern):
    """However the pattern is written: the company's own files are not to be changed."""
    lines = tmp_path / "data" / "lines.csv" if "*/*" not in pattern else tmp_path / "data" / "deep" / "lines.csv"
    lines.parent.mkdir(parents=True)
    lines.write_text("account_id\nc1\n")
    declared = f'[[sources]]\nname = "lines"\nstream = "purchases"\nfrom = "{pattern.format(folder=tmp_path)}"\n'
    (tmp_path / "foresail.toml").write_text(BARE + declared)
    assert published(load(tmp_path)) == []


def test__published__table_of_delta__is_left_to_delta(tmp_path):
    """[history] root may be the project folder itself."""
    (tmp_path / "foresail.toml").write_text(BARE)
    (tmp_path / "purchases" / "_delta_log").mkdir(parents=True)
    (tmp_path / "purchases" / "part.parquet").touch()
    assert published(load(tmp_path)) == []


def test__remove_accounts__file_that_cannot_be_read__is_named_with_what_to_do(tmp_path):
    """An erasure that passed over it would claim too much."""
    (tmp_path / "foresail.toml").write_text(BARE)
    (tmp_path / "broken.parquet").write_text("no parquet")
    with pytest.raises(HistoryError, match=r"broken\.parquet cannot be searched .*: delete it, or move it"):
        list(remove_accounts(load(tmp_path), ["c1"]))


def test__remove_accounts__csv_with_a_long_text__is_read(tmp_path):
    (tmp_path / "foresail.toml").write_text(BARE)
    (tmp_path / "mails.csv").write_text(f"account_id,mail\nc1,{'a' * 200_000}\nc2,b\n")
    assert [done.rows for done in remove_accounts(load(tmp_path), ["c1"])] == [1]


def test__remove_accounts__all_that_was_published__files_database_and_hyper(tmp_path):
    """Everything that a night publishes loses the account; what is told of others stays."""
    (tmp_path / "foresail.toml").write_text(
        BARE + '[publish]\nfolder = "for_bi"\ndatabase = "sqlite:///bi.db"\nhyper = true\n'
    )
    one = load(tmp_path)
    publish({name: [rows(name)] for name in TABLES}, one.destination, AS_OF)

    cleaned = list(remove_accounts(one, ["a"]))

    said = {one.path if isinstance(one.path, str) else one.path.name: one.rows for one in cleaned}
    assert said == {
        "accounts.parquet": 1, "scores.parquet": 2, "20260131T230000Z.parquet": 1, "health.parquet": 1,
        "foresail.hyper": 6, f"sqlite:///{tmp_path}/bi.db": 6,
    }  # fmt: skip
    assert pq.read_table(tmp_path / "for_bi" / "scores.parquet")["account_id"].to_pylist() == ["ä"]
    hyper = pantab.frames_from_hyper(tmp_path / "for_bi" / "foresail.hyper", return_type="pyarrow")
    assert not any(
        "a" in table["account_id"].to_pylist() for table in hyper.values() if "account_id" in table.column_names
    )
    with sqlite3.connect(tmp_path / "bi.db") as connection:
        assert connection.execute("select account_id from scores").fetchall() == [("ä",)]
    assert list(remove_accounts(one, ["a"])) == []


def test__remove_accounts__hyper_file_without_pantab__is_removed(tmp_path, monkeypatch):
    """A file that nobody can look into cannot stay."""
    (tmp_path / "foresail.toml").write_text(BARE)
    path = tmp_path / "published" / "foresail.hyper"
    path.parent.mkdir()
    path.write_bytes(b"as it was")
    monkeypatch.setitem(sys.modules, "pantab", None)
    assert list(remove_accounts(load(tmp_path), ["a"])) == []
    assert not path.exists()
