"""What docs/guides/bi.md says runs, and its figures are those of the tables."""

import re
from pathlib import Path

import duckdb
import pytest
from published_rows import AS_OF, ROWS, rows

from serving.publish import TABLES, Destination, publish

BI = (Path(__file__).parents[3] / "docs" / "guides" / "bi.md").read_text(encoding="utf-8")


@pytest.fixture
def published(tmp_path, monkeypatch):
    publish({name: [rows(name)] for name in TABLES}, Destination(tmp_path / "published"), AS_OF)
    monkeypatch.chdir(tmp_path)


def test__duckdb_line__finds_the_critical_ones_the_most_at_stake_first(tmp_path, monkeypatch):
    """The line as it stands there."""
    score = {"as_of": AS_OF, "target": "churn", "horizon_days": 90, "model_version": "1"}
    given = [("a", 10.0, "critical"), ("b", 99.0, "critical"), ("c", 500.0, "high")]
    scores = [
        score | {"account_id": account, "probability": 0.5, "value_at_stake": stake, "severity": severity}
        for account, stake, severity in given
    ]
    accounts = [
        {"account_id": name, "as_of": AS_OF, "owner": "Ada", "opted_out": "no", "value_at_stake": 1.0} for name in "abc"
    ]
    tables = {"accounts": [rows("accounts", accounts)], "scores": [rows("scores", scores)]}
    publish(tables, Destination(tmp_path / "published"), AS_OF)
    monkeypatch.chdir(tmp_path)
    (query,) = re.findall(r'duckdb -c "(.*?)"', BI, re.DOTALL)
    assert duckdb.sql(query).fetchall() == [("Ada", "b", 0.5, 99.0), ("Ada", "a", 0.5, 10.0)]


def test__nights__are_read_as_one_table(published):
    """A reader that takes a folder for a table finds the columns of one file, and nothing of its name."""
    found = duckdb.sql("from 'published/score_history/*.parquet'")
    assert found.columns == TABLES["score_history"].schema.names
    assert found.aggregate("count(*)").fetchall() == [(len(ROWS["score_history"]),)]


def test__python__reads_what_the_command_writes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (file,) = publish(
        {"kpis": [rows("kpis", [ROWS["kpis"][0] | {"kpi": "revenue"}])]}, Destination(tmp_path / "foresail-demo"), AS_OF
    ).files
    assert file.path == tmp_path / "foresail-demo" / "kpis.parquet"
    (snippet,) = re.findall(r"```python\n(.*?)```", BI, re.DOTALL)
    names = {}
    exec(snippet, names)
    assert names["revenue"]["value"].tolist() == [-12.5]
