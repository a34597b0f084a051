"""The command line as a person uses it: real processes in a real project folder, from init to scores."""

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow.parquet as pq
import pytest
from commands import foresail, started

from foresail.cli.rendering.answers import console as standard_output
from foresail.cli.rendering.history import ingest_reports
from foresail.config.project import load
from foresail.operations.history import SourceFailure
from serving.publish.tables import SCORES

SELECT = "select customer as account_id, ordered_at as occurred_at, invoice as order_id, amount from source"
PROJECT = f"""
[project]
name = "Gift wholesaler"
currency = "GBP"
timezone = "Europe/London"

[[sources]]
name = "invoices"
stream = "purchases"
from = "data/*.csv"
select = '''
  {SELECT}
'''

[targets.churn]
kind = "churn"
horizon_days = 30
active_within_days = 120

[training]
every_days = 15
"""
TODAY = "2020-12-01"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A wholesaler with 150 accounts, of which the rarer buyers fall silent more often; ingested and trained."""
    folder = tmp_path_factory.mktemp("wholesaler")
    (folder / "data").mkdir()
    (folder / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    duckdb.sql(f"""
        copy (
            select 'c' || a as customer, a || '-' || n as invoice, (10 + (hash(a * 7 + n) % 9000) / 100.0) as amount,
                timestamp '2020-01-01' + to_hours(((hash(a) % 20) + n * (2 + a % 17 + (hash(a * 31 + n) % 9)))::int * 24
                + (hash(n) % 10)::int) as ordered_at
            from range(150) as accounts(a), range(90) as orders(n)
            where n * 7 < 60 + hash(a * 13) % 400 and ordered_at < timestamp '2021-12-31'
        ) to '{folder}/data/invoices.csv'""")
    assert foresail("ingest", "--project", folder, "--as-of", "2022-01-01").returncode == 0
    trained = foresail("train", "churn", "--project", folder, "--as-of", TODAY, "--json")
    assert trained.returncode == 0, trained.stderr
    return folder


def test__health__closed_horizon__says_how_many_of_the_healthy_left(project, tmp_path):
    """The healthy leave less often than the others; the numbers add up; the picture is written."""
    picture = tmp_path / "health.svg"
    done = foresail(
        "health", "--project", project, "--as-of", TODAY, "--known-by", "2021-01-15", "--out", picture, "--json"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(group["left"]["accounts"] for group in found["groups"]) == found["everybody"]["accounts"] > 0
    assert sum(group["left"]["left"] for group in found["groups"]) == found["everybody"]["left"]
    assert found["healthy"]["rate"] < found["everybody"]["rate"]
    assert found["auroc"]["health"]["value"] > 0.5
    assert found["notes"] == []
    assert "left" in picture.read_text()


def test__health__before_any_model_was_trained__is_said_to_be_no_fair_test(project):
    """The champion has seen who left."""
    done = foresail("health", "--project", project, "--as-of", "2020-10-15", "--known-by", TODAY)
    assert done.returncode == 0, done.stderr
    assert "this is no fair test of churn" in done.stdout


def test__health__open_horizon__says_when_it_closes(project):
    done = foresail("health", "--project", project, "--as-of", TODAY, "--known-by", "2020-12-15")
    assert done.returncode == 5
    assert "2020-12-31" in done.stderr


def test__init__empty_folder__writes_a_file_that_loads(tmp_path):
    """The template is a valid project: what is missing is only data."""
    assert foresail("init", tmp_path / "new").returncode == 0
    status = foresail("status", "--project", tmp_path / "new", "--json")
    assert (status.returncode, json.loads(status.stdout)["accounts"]) == (0, 0)
    again = foresail("init", tmp_path / "new")
    assert again.returncode == 3
    assert "exists already" in again.stderr


def test__no_project_file__exit_code_3_and_what_to_do(tmp_path):
    """The first mistake anybody makes, with nothing imported before it."""
    answer = started("status", "--project", tmp_path, cwd=tmp_path, columns=200)
    assert answer.returncode == 3
    assert f"foresail init {tmp_path}" in answer.stderr
    assert "Traceback" not in answer.stderr


def test__ingest__twice__changes_nothing(project):
    """A file that was read is not read again; read in spite of that, all is duplicates. The history stays as it is."""
    before = json.loads(foresail("status", "--project", project, "--json").stdout)
    (report,) = json.loads(foresail("ingest", "--project", project, "--as-of", "2022-01-01", "--json").stdout)
    assert (report["read"], report["unchanged"]) == (0, 1)
    again = foresail("ingest", "--everything", "--project", project, "--as-of", "2022-01-01", "--json")
    (report,) = json.loads(again.stdout)
    assert report["read"] == report["duplicates"] > 0
    assert report["kept"] == report["quarantined"] == 0
    after = json.loads(foresail("status", "--project", project, "--json").stdout)
    assert [one.pop("last_ingest")["kept"] for one in (*before["sources"], *after["sources"])] == [
        before["sources"][0]["rows"],
        0,
    ]
    assert after == before


def test__ingest__one_source_fails__exit_code_4_and_the_other_is_ingested(tmp_path):
    """A broken export must not hold up the rest of the night."""
    broken = PROJECT.replace(
        "[targets", '[[sources]]\nname = "gone"\nstream = "service"\nfrom = "none/*.csv"\n\n[targets'
    )
    (tmp_path / "foresail.toml").write_text(broken, encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("customer,invoice,ordered_at,amount\na,1,2020-05-01,5\nb,2,soon,5\n")
    answer = foresail("ingest", "--project", tmp_path, "--json")
    invoices, gone = json.loads(answer.stdout)
    assert answer.returncode == 4
    assert (invoices["kept"], invoices["quarantined"]) == (1, 1)
    assert "no file matches" in gone["problem"]


def test__ingest__every_row_refused__exit_code_4_with_a_value_and_fixing_it_supersedes_the_quarantine(tmp_path):
    """A wrong date format must not look like a quiet night; once it is right, the refusals of before are gone."""
    dated = "select customer as account_id, {} as occurred_at, amount from source"
    (tmp_path / "foresail.toml").write_text(PROJECT.replace(SELECT, dated.format("ordered_at")), encoding="utf-8")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("customer,ordered_at,amount\na,24.12.2020,5\na,25.12.2020,6\n")
    answer = foresail("ingest", "--project", tmp_path)
    assert answer.returncode == 4
    assert "occurred_at is not a time (one of them: '24.12.2020')" in answer.stdout
    refused = foresail("quarantine", "--project", tmp_path, "--out", tmp_path / "refused.csv")
    assert refused.returncode == 0
    assert '"occurred_at":"24.12.2020"' in refused.stdout
    assert (tmp_path / "refused.csv").read_text().count("25.12.2020") == 2
    right = PROJECT.replace(SELECT, dated.format("strptime(ordered_at, '%d.%m.%Y')"))
    (tmp_path / "foresail.toml").write_text(right, encoding="utf-8")
    assert foresail("ingest", "--project", tmp_path).returncode == 0
    (source,) = json.loads(foresail("status", "--project", tmp_path, "--json").stdout)["sources"]
    assert (source["rows"], source["quarantined"]) == (2, {})


def test__ingest__select_changed__needs_replace(project):
    """The error names the command that puts it right."""
    changed = PROJECT.replace("amount from source", "amount from source where customer <> 'nobody'")
    (project / "foresail.toml").write_text(changed, encoding="utf-8")
    refused = foresail("ingest", "--project", project, "--as-of", "2022-01-01")
    assert refused.returncode == 4
    assert "foresail ingest invoices --replace" in refused.stdout
    replaced = foresail("ingest", "invoices", "--replace", "--project", project, "--as-of", "2022-01-01", "--json")
    (report,) = json.loads(replaced.stdout)
    assert report["kept"] == report["read"] > 4000
    (project / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    assert foresail("ingest", "invoices", "--replace", "--project", project, "--as-of", "2022-01-01").returncode == 0


def test__show__names_that_look_like_markup__are_shown_as_they_are(monkeypatch):
    """Data is no markup: neither a crash nor a missing piece of a name."""
    monkeypatch.setenv("COLUMNS", "120")
    shown = ingest_reports([SourceFailure("[red]sales[/x]", "purchases", "no [b]file[/z]")], "UTC")
    console = standard_output()
    with console.capture() as captured:
        for part in shown.parts:
            console.print(part)
    assert "[red]sales[/x]" in captured.get()
    assert "no [b]file[/z]" in captured.get()


def test__score__before_any_account_is_known__exit_code_4_and_nothing_is_written(project, tmp_path):
    """An empty table would be published as if nobody were at risk."""
    answer = foresail("score", "--project", project, "--as-of", "2019-01-01", "--out", tmp_path / "scores.parquet")
    assert answer.returncode == 4
    assert "no account is known as of 2019-01-01" in answer.stderr
    assert not (tmp_path / "scores.parquet").exists()


def test__score__long_after_the_data__says_so(project):
    """Scores of today from data of last year need a word beside them."""
    facts = json.loads(foresail("score", "--project", project, "--as-of", "2022-06-01", "--json").stdout)
    assert "nobody has bought for" in facts["notes"][0]


def test__score__target_changed_since_training__says_so(project):
    """The champion goes on answering the old question until it is trained again."""
    (project / "foresail.toml").write_text(PROJECT.replace("horizon_days = 30", "horizon_days = 60"), encoding="utf-8")
    facts = json.loads(foresail("score", "--project", project, "--as-of", TODAY, "--json").stdout)
    (project / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    assert "answers another question than the project file asks now" in facts["notes"][0]


def test__serve__port_taken__is_a_sentence(project):
    """Two services on one port is what happens after a crash."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        answer = foresail("serve", "--project", project, "--port", port)
    assert answer.returncode == 4
    assert f"cannot listen on 127.0.0.1:{port}" in answer.stderr


def test__init__in_the_place_of_a_file__is_a_sentence(tmp_path):
    """Not every name is free."""
    (tmp_path / "README.md").write_text("")
    answer = foresail("init", tmp_path / "README.md")
    assert answer.returncode == 3
    assert "name a folder" in answer.stderr


def test__report__is_dated_in_the_timezone_of_the_project(project):
    """2020-12-01 in London is 2020-12-01, and a summer midnight is not the evening before."""
    summer = datetime(2020, 6, 30, 23, 0, tzinfo=UTC)
    assert load(project).report_path("churn", "training", summer).name == "churn-training-2020-07-01.html"


def test__features__out__one_row_per_account_with_rfm_scores(project, tmp_path):
    """The table that a data scientist opens: every account known by then, RFM from 1 to 5 beside the features."""
    answer = foresail("features", "--project", project, "--as-of", TODAY, "--out", tmp_path / "features.parquet")
    assert answer.returncode == 0, answer.stderr
    table = pq.read_table(tmp_path / "features.parquet").to_pandas()
    assert table["account_id"].is_unique
    assert len(table) == 150
    assert set(table["rfm_recency"].dropna()) == {1, 2, 3, 4, 5}


def test__features__list__is_the_catalog():
    """The catalog can be read without any project."""
    catalog = json.loads(foresail("features", "--list", "--json").stdout)
    assert {"name", "unit", "meaning", "absent"} == set(catalog[0])
    assert len(catalog) > 60


def test__score__out__has_the_documented_columns_and_every_account(project, tmp_path):
    """One row per account and target; whoever cannot be scored is there with a null score and why."""
    answer = foresail("score", "--project", project, "--as-of", "2021-06-01", "--out", tmp_path / "scores.parquet")
    assert answer.returncode == 0, answer.stderr
    written = pq.read_table(tmp_path / "scores.parquet")
    assert written.schema.equals(SCORES.schema)
    table = written.to_pandas()
    assert len(table) == 150
    assert (table["probability"].isna() == table["why_not"].notna()).all()
    assert table["why_not"].notna().any()
    assert table["probability"].dropna().between(0, 1).all()
    assert table["reasons"].notna().sum() == min(100, table["probability"].notna().sum())
    (grade,) = set(table["grade"])
    assert f"grade {grade}: " in answer.stdout


def test__score__csv__has_the_reasons_as_words(project, tmp_path):
    """For those who open it in a spreadsheet."""
    answer = foresail("score", "--project", project, "--as-of", TODAY, "--out", tmp_path / "scores.csv")
    assert answer.returncode == 0, answer.stderr
    header, first = (tmp_path / "scores.csv").read_text().splitlines()[:2]
    assert header.split(",") == SCORES.schema.names
    assert "order" in first


def test__evaluate__closed_and_open_horizon__judges_the_one_and_says_when_the_other_can_be(project):
    """Numbers only once the horizon has closed; until then a sentence."""
    closed = foresail("evaluate", "churn", "-p", project, "--as-of", TODAY, "--known-by", "2021-02-01", "--json")
    facts = json.loads(closed.stdout)
    assert closed.returncode == 0, closed.stderr
    assert facts["evaluation"]["baseline"] == "recency"
    assert facts["open_because"] is None
    assert facts["grade"]["letter"] in {"A", "B", "C", "none"}
    assert facts["profit"]["terms"]["measured"] == ["account_value"]
    too_early = foresail("evaluate", "churn", "-p", project, "--as-of", TODAY, "--known-by", "2020-12-15", "--json")
    assert json.loads(too_early.stdout)["evaluation"] is None
    assert "2020-12-31" in json.loads(too_early.stdout)["open_because"]


def test__train_again__registers_a_challenger_and_models_shows_both(project):
    """The champion stays in service until somebody decides."""
    assert foresail("train", "churn", "-p", project, "--as-of", TODAY).returncode == 0
    newest, first = json.loads(foresail("models", "-p", project, "--json").stdout)["churn"]
    assert (first["version"], first["aliases"]) == (1, ["champion"])
    assert (newest["version"], newest["aliases"]) == (2, ["challenger"])
    assert newest["grade"] == first["grade"]
    assert newest["grade"] in {"A", "B", "C", "none"}


def test__promote__same_data_again__promoted_rolled_back_and_both_in_the_line(project):
    """Version 2 learnt the same: not worse, so it may. The way back, and why, can be read later."""
    day = ("--project", project, "--as-of", "2021-02-01")
    promoted = foresail("promote", "churn", 2, *day, "--reason", "fresher", "--json")
    facts = json.loads(promoted.stdout)
    assert (promoted.returncode, facts["promoted"], facts["before"]) == (0, True, 1)
    assert [check["name"] for check in facts["checks"]] == ["log loss", "profit", "calibration", "scores"]
    back = foresail("rollback", "churn", "--project", project, "--reason", "a drill")
    assert "churn: version 1 is champion now, rolled back" in back.stdout
    said = foresail("models", "--project", project).stdout
    line = said[said.index("the line of champions of churn") :]
    assert [word in line for word in ("first champion", "promoted", "fresher", "rolled back", "a drill")] == [True] * 5
    assert foresail("rollback", "churn", "--project", project).returncode == 5


def test__promote__nothing_to_judge_on__exit_code_7_the_check_and_force_with_a_reason(project):
    """A year after the data ends nothing can be judged: refused, unless somebody says why it must be."""
    day = ("--project", project, "--as-of", "2023-01-01")
    refused = foresail("promote", "churn", 2, *day)
    assert refused.returncode == 7
    assert "version 2 of churn was refused: comparable: the newest purchase of any account" in refused.stderr
    assert "version 1 stays champion" in refused.stdout
    assert foresail("promote", "churn", 2, *day, "--force").returncode == 2
    forced = foresail("promote", "churn", 2, *day, "--force", "--reason", "version 1 is broken", "--json")
    assert (forced.returncode, json.loads(forced.stdout)["kind"]) == (0, "forced")
    assert foresail("rollback", "churn", "--project", project).returncode == 0


def test__evaluate__many_dates__quality_over_time_with_a_picture(project):
    """A row a date, the lead time below, and the page in reports/."""
    span = ("--from", "2020-08-01", "--to", TODAY, "--every", "30", "--known-by", "2021-02-01")
    shown = foresail("evaluate", "churn", "--project", project, *span)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("2020-") >= 5
    assert "fell silent within the record, and were lost 30 days after their last order" in shown.stdout
    (page,) = (project / "reports").glob("churn-track-record-*.html")
    assert page.read_text(encoding="utf-8").count("<svg") == 1
    assert foresail("evaluate", "churn", "--project", project, "--from", TODAY).returncode == 2


def test__train__unknown_target__exit_code_3_and_names_those_there_are(project):
    """A misspelt target is a mistake in what was asked, not a crash."""
    answer = foresail("train", "chrun", "--project", project, "--json")
    assert answer.returncode == 3
    assert "it has churn" in json.loads(answer.stderr.strip().splitlines()[-1])["error"]


def test__train__too_little_history__exit_code_5_and_says_how_much_is_needed(project):
    """Nothing is fitted on what is not there."""
    answer = foresail("train", "churn", "--project", project, "--as-of", "2020-01-20")
    assert answer.returncode == 5
    assert "Traceback" not in answer.stderr


def test__score__no_champion__exit_code_5_and_what_to_do(tmp_path):
    """Before the first training there is nothing to score with."""
    (tmp_path / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    answer = foresail("score", "--project", tmp_path, "--as-of", TODAY)
    assert answer.returncode == 5
    assert "foresail train" in answer.stderr


def test__as_of__no_date__exit_code_2_and_how_to_write_one(project):
    """A wrong date is a usage error."""
    answer = foresail("score", "--project", project, "--as-of", "yesterday")
    assert answer.returncode == 2
    assert "2011-01-01" in answer.stderr


def test__help__imports_nothing_heavy():
    """`foresail --help` answers at once: no library that takes long to import is touched."""
    heavy = ["pandas", "numpy", "pyarrow", "duckdb", "mlflow", "bentoml", "lightgbm", "sklearn", "numba", "matplotlib"]
    code = (
        "import sys; from typer.testing import CliRunner; from foresail.cli.main import app; "
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.stdout.strip() == "[]", answer.stderr


def test__as_of__default__is_the_clock_and_nothing_else_reads_it(project):
    """Without --as-of the command speaks for now: every account of 2020 is long gone."""
    facts = json.loads(foresail("score", "--project", project, "--json").stdout)["targets"][0]
    assert (facts["scored"], facts["not_eligible"]) == (0, 150)
    assert datetime.now(UTC) - datetime(2021, 12, 31, tzinfo=UTC) > timedelta(days=120)
