"""The commands that put a history right: merge, forget, vacuum, and the table of an earlier training."""

import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import foresail
from typer import Typer

from foresail.cli.main import MODULES

PROJECT = """
[project]
name = "Gift wholesaler"
currency = "GBP"
timezone = "Europe/London"

[[sources]]
name = "invoices"
stream = "purchases"
from = "data/*.csv"
select = '''
  select customer as account_id, ordered_at as occurred_at, invoice as order_id, amount from source
'''

[[sources]]
name = "crm"
stream = "accounts"
from = "crm.csv"

[targets.churn]
kind = "churn"
horizon_days = 30
active_within_days = 120

[training]
every_days = 30
dates = 3
"""
TODAY = "2020-12-01"


def answer(*arguments):
    """What a command answers as JSON; it must succeed."""
    done = foresail(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """150 accounts, of which the rarer buyers fall silent more often, and one that the CRM alone knows; trained."""
    folder = tmp_path_factory.mktemp("wholesaler")
    (folder / "data").mkdir()
    (folder / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "crm.csv").write_text("account_id,known_at,region\nc1,2020-01-01,north\nprospect,2020-01-01,south\n")
    duckdb.sql(f"""
        copy (
            select 'c' || a as customer, a || '-' || n as invoice, (10 + (hash(a * 7 + n) % 9000) / 100.0) as amount,
                timestamp '2020-01-01' + to_hours(((hash(a) % 20) + n * (2 + a % 17 + (hash(a * 31 + n) % 9)))::int * 24
                + (hash(n) % 10)::int) as ordered_at
            from range(150) as accounts(a), range(90) as orders(n)
            where n * 7 < 60 + hash(a * 13) % 400 and ordered_at < timestamp '2021-12-31'
        ) to '{folder}/data/invoices.csv'""")
    answer("ingest", "-p", folder, "--as-of", "2022-01-01")
    answer("train", "churn", "-p", folder, "--as-of", TODAY)
    return folder


def test__status__freshness_gaps_and_accounts_without_events(project):
    """The coverage report as a table and as JSON."""
    found = answer("status", "-p", project)
    crm, invoices = found["sources"]
    assert (found["accounts"], found["without_events"]) == (151, 1)
    assert (invoices["stream"], invoices["last_ingest"]["as_of"][:10]) == ("purchases", "2022-01-01")
    assert invoices["last_ingest"]["committed_at"]
    assert invoices["newest"].partition("T")[2].endswith("+00:00"), "a moment as every reader of JSON takes it"
    assert crm["gaps"] is None
    table = foresail("status", "-p", project).stdout
    assert "1 of them without any event" in table


def test__as_of_version__rebuilds_the_table_of_the_training_to_the_last_bit(project, tmp_path):
    """After more has come in, the dates, features and history versions of the card still give the same table."""
    out = tmp_path / "t.parquet"
    before = answer("features", "--as-of-version", 1, "--target", "churn", "--out", out, "-p", project)
    table = pq.read_table(out).to_pandas()
    assert before["is_same"] is True
    (project / "data" / "late.csv").write_text("customer,invoice,ordered_at,amount\nc1,late,2020-06-01,99999\n")
    answer("ingest", "invoices", "-p", project, "--as-of", "2022-02-01")

    again = answer("features", "--as-of-version", 1, "--target", "churn", "--out", out, "-p", project)
    assert again == before
    pd.testing.assert_frame_equal(pq.read_table(out).to_pandas(), table)
    assert len(table["as_of"].unique()) == 3
    assert not np.isclose(table["purchases_amount_max_365d"].max(), 99999)


def test__as_of_version__unknown__exit_code_5_and_those_there_are(project, tmp_path):
    done = foresail("features", "--as-of-version", 9, "--out", tmp_path / "t.parquet", "-p", project)
    assert done.returncode == 5
    assert "has no version 9; it has 1" in done.stderr


def test__merge__says_what_moved_and_needs_a_yes_where_nobody_can_be_asked(project):
    refused = foresail("merge", "c2", "c3", "-p", project)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    done = answer("merge", "c2", "c3", "--known-at", "2021-06-01", "--yes", "-p", project)
    assert (done["absorbed"], done["into"], done["known_at"][:10]) == ("c2", "c3", "2021-05-31")
    assert done["moved"]["purchases"] > 0
    assert answer("status", "-p", project)["accounts"] == 150
    unknown = foresail("merge", "c2", "c4", "--yes", "-p", project)
    assert unknown.returncode == 4
    assert "'c2' was already merged into 'c3'" in unknown.stderr


def test__merge__known_in_the_future__is_a_usage_error(project):
    done = foresail("merge", "c5", "c6", "--known-at", "2999-01-01", "--yes", "-p", project)
    assert done.returncode == 2
    assert "lies in the future" in done.stderr


@pytest.mark.parametrize("command", ["vacuum", "concentration"])
def test__days__more_than_there_are_in_a_calendar__is_a_usage_error(project, command):
    done = foresail(command, "--days", 999_999_999, "-p", project)
    assert done.returncode == 2
    assert "--days" in done.stderr


def test__vacuum__keeps_what_the_model_was_trained_on(project, tmp_path):
    """What came and went since goes, and the table of version 1 can still be built."""
    for number in (1, 2):
        line = f"customer,invoice,ordered_at,amount\nc1,again {number},2020-06-0{number},5\n"
        (project / "data" / f"again {number}.csv").write_text(line)
        answer("ingest", "invoices", "-p", project, "--as-of", "2022-02-01")
    assert foresail("vacuum", "--days", 0, "-p", project).returncode == 2
    done = {table["table"]: table for table in answer("vacuum", "--days", 0, "--yes", "-p", project)}
    assert done["purchases"]["files"] > 0
    rebuilt = answer("features", "--as-of-version", 1, "--out", tmp_path / "t.parquet", "-p", project)
    assert rebuilt["is_same"] is True


def test__audit_features__the_catalog__moves_nothing(project):
    """Zero is the only passing number."""
    done = foresail("audit-features", "--as-of", TODAY, "--accounts", 20, "-p", project, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["moved"] == []


def test__concentration__shares_of_the_largest(project):
    """All of the accounts bring all of the revenue."""
    found = answer("concentration", "--as-of", TODAY, "-p", project)
    assert found["top"][-1]["percent"] == 50
    assert found["top"][-1]["share"] > 0.5
    assert 0 < found["bring_most_share"] < 1


def test__forget__every_trace_below_the_project_is_gone_and_the_model_is_named(project):
    """History, quarantine, published tables in any folder; the company's own sources stay as they are."""
    (project / "data" / "more.csv").write_text("customer,invoice,ordered_at,amount\nc77,bad,soon,1\n")
    foresail("ingest", "-p", project, "--as-of", "2022-01-01")
    for name in ("scores.parquet", "scores.csv"):
        assert (
            foresail("score", "--as-of", "2021-01-01", "--out", project / "out" / name, "-p", project).returncode == 0
        )
    assert foresail("quarantine", "--out", project / "refused.csv", "-p", project).returncode == 0
    rows = {name: len(pd.read_csv(project / "out" / name)) for name in ("scores.csv",)}
    sources = (project / "data" / "invoices.csv").read_bytes()

    done = answer("forget", "c77", "--yes", "-p", project)

    assert {Path(one["path"]).name: one["rows"] for one in done["published"]} == {
        "scores.parquet": 1, "scores.csv": 1, "refused.csv": 1,
    }  # fmt: skip
    assert len(pd.read_csv(project / "out" / "scores.csv")) == rows["scores.csv"] - 1
    assert "c77" not in pq.read_table(project / "out" / "scores.parquet")["account_id"].to_pylist()
    assert (done["rows"]["purchases"] > 0, done["quarantined"]) == (True, 1)
    assert [(one["target"], one["version"], one["aliases"]) for one in done["learnt"]] == [("churn", 1, ["champion"])]
    assert traces(project / ".foresail", "c77") == []
    assert (project / "data" / "invoices.csv").read_bytes() == sources
    said = foresail("features", "--as-of-version", 1, "--out", project / "t.parquet", "-p", project)
    assert said.returncode == 4
    assert "vacuumed away" in said.stderr
    assert foresail("forget", "nobody", "--yes", "-p", project).returncode == 4


def traces(folder, account):
    """Parquet files below a folder in which the account stands as a value, or in the text of one."""
    found = []
    for path in folder.rglob("*.parquet"):
        text = json.dumps(pq.read_table(path).to_pylist(), default=str)
        found += [path] if f'"{account}"' in text or f'\\"{account}\\"' in text else []
    return found


@pytest.mark.parametrize(
    "command",
    [
        command.__name__.replace("_", "-")
        for module in MODULES
        for commands in module.COMMANDS.values()
        for command in commands
        if not isinstance(command, Typer)
    ],
)
def test__help__of_every_command__teaches_more_than_its_name(command):
    done = foresail(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 400
