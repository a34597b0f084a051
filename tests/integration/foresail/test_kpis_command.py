"""The KPIs as people ask for them: a table with trends, a file, a picture."""

import json
from datetime import UTC, datetime, timedelta

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from storing import store
from typer.testing import CliRunner

from features.kpis import COLUMNS, KPIS, kpis
from foresail.cli.main import app
from foresail.config.project import load
from foresail.operations import plots
from foresail.operations.kpis import kpis as project_kpis
from serving.publish import TABLES, publish

PROJECT = """
[project]
name = "Small"
currency = "EUR"
timezone = "UTC"

[history]
buckets = 2

[targets.churn]
kind = "churn"
horizon_days = 30
"""
AS_OF = datetime(2021, 1, 1, tzinfo=UTC)


def happened(days_ago, **values):
    moment = AS_OF - timedelta(days=days_ago)
    return {"occurred_at": moment, "known_at": moment, **values}


def order(days_ago, amount):
    return happened(days_ago, kind="order", amount=float(amount))


ACCOUNTS = {
    "a": {"accounts": [happened(800, region="north")], "purchases": [order(900, 1), order(130, 100), order(30, 5000)]},
    "b": {"accounts": [happened(800, region="south")], "purchases": [order(140, 1100)]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "foresail.toml").write_text(PROJECT)
    store(folder / ".foresail" / "history", ACCOUNTS, buckets=2)
    return folder


def said(folder, *words, code=0):
    done = CliRunner().invoke(app, ["kpis", "-p", str(folder), "--as-of", "2021-01-01", *words])
    assert done.exit_code == code, done.output
    return done.output


def test__kpis__the_latest_quarters__with_the_trend(folder):
    """1,200 in the third quarter, 5,000 in the fourth: up; the one account less is down."""
    lines = {line.split("│")[1].strip(): line for line in said(folder).splitlines() if line.startswith("│")}
    assert "1,200 EUR │ 5,000 EUR │ ▲" in lines["revenue"]
    assert "2 │         1 │ ▼" in lines["active accounts"]
    assert "NPS" not in lines


def test__kpis__by_region__each_beside_the_company(folder):
    shown = said(folder, "--by", "region")
    assert "region, 2020 Q4" in shown
    assert [word for word in shown.split("region, 2020 Q4")[1].split() if word in {"all", "north", "south"}] == [
        "all",
        "north",
        "south",
    ]


def test__kpis__as_json__the_rows_of_the_period(folder):
    rows = json.loads(said(folder, "--period", "year", "--json"))
    assert {row["period"] for row in rows} == {"year"}
    revenue = {row["period_start"]: row["value"] for row in rows if row["kpi"] == "revenue"}
    assert revenue == {"2019-01-01": 0.0, "2020-01-01": 6200.0}


def test__kpis__parquet__is_the_published_table(folder, tmp_path):
    said(folder, "--out", str(tmp_path / "kpis.parquet"))
    written = pq.read_table(tmp_path / "kpis.parquet")
    assert written.schema.equals(TABLES["kpis"].schema)
    assert set(written["period"].to_pylist()) == {"month", "quarter", "year"}
    said(folder, "--out", str(tmp_path / "kpis.csv"))
    assert list(pd.read_csv(tmp_path / "kpis.csv").columns) == list(COLUMNS)


def test__kpis__what_the_command_writes__is_what_the_night_publishes(folder, tmp_path):
    """One table, whoever asks for it."""
    found = project_kpis(load(folder), AS_OF, by=["region"])
    (published,) = publish(
        {"kpis": [pa.Table.from_pandas(found, preserve_index=False)]}, load(folder).destination, AS_OF
    ).files
    said(folder, "--by", "region", "--out", str(tmp_path / "kpis.parquet"))
    assert published.path.read_bytes() == (tmp_path / "kpis.parquet").read_bytes()


def test__kpis__picture__shows_each_that_the_company_has(folder, tmp_path):
    said(folder, "--out", str(tmp_path / "kpis.svg"))
    drawn = (tmp_path / "kpis.svg").read_text()
    assert "revenue, EUR" in drawn
    assert "churn rate" in drawn
    assert "NPS" not in drawn


def test__kpis__picture__draws_kpis_that_there_are():
    assert set(plots.DRAWN) <= set(KPIS)


@pytest.mark.parametrize(("words", "named"), [(("--out", "kpis.xlsx"), "kpis.xlsx"), (("--period", "week"), "week")])
def test__kpis__cannot_be__is_a_usage_error(folder, words, named):
    assert named in said(folder, *words, code=2)


def test__churn_days__are_the_horizon_of_the_project(folder, tmp_path):
    """30 days here: b's silence of 140 days and a's have passed them; without such a target it is 90."""
    found = project_kpis(load(folder), AS_OF)
    assert found.equals(kpis(load(folder).history, AS_OF, churn_days=30))
    (tmp_path / "foresail.toml").write_text(PROJECT.partition("[targets")[0])
    assert load(tmp_path).churn_days == 90


def test__kpis__nothing_known_before__says_so(folder):
    done = CliRunner().invoke(app, ["kpis", "-p", str(folder), "--as-of", "2018-07-10"])
    assert "there is no KPI as of 2018-07-10 00:00 UTC" in str(done.exception)
