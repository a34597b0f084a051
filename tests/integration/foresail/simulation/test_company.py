"""A company on disk: files that the pipeline reads as they are, the truth apart from them, and nothing half done."""

import hashlib
import json
import sqlite3

import pandas as pd
import pytest
from simulated import settings

from features.timestamps import read_moment
from foresail.config.project import load
from foresail.operations.history import SourceFailure, has_failed, ingest_sources
from foresail.simulation import company
from foresail.simulation.world.settings import VERSION, Settings, SettingsError

MESSY = {"duplicate_share": 0.02, "missing_id_share": 0.02, "late_share": 0.1}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Three hundred accounts on disk, with more than the usual mess."""
    folder = tmp_path_factory.mktemp("company")
    wanted = settings(
        300, seed=3, reporting=MESSY, broken={"source": "usage", "how": "missing", "from_day": 300, "days": 30}
    )
    return wanted, company.write_company(wanted, folder / "c", folder / "c-truth")


@pytest.fixture(scope="module")
def ingested(written):
    """The same, ingested: the project, and what ingest reports of each source."""
    project = load(written[1].folder)
    outcomes = ingest_sources(project, read_moment(str(written[0].end), "UTC"))
    assert not [one for one in outcomes if isinstance(one, SourceFailure)]
    return project, {one.source: one for one in outcomes}


def test__every_export__is_read_as_it_lies_there(written, ingested):
    """All six streams, no row refused but those without an account, and each doubled row recognised."""
    project, reports = ingested
    rows, spread = written[1].rows, {"cases": 3, "telemetry": 2}
    assert {source.stream for source in project.sources} == {
        "purchases", "service", "engagement", "contracts", "contacts", "accounts"
    }  # fmt: skip
    assert set(reports) == set(rows) - {"assignments"}
    for name, report in reports.items():
        assert report.quarantined == written[1].without_account[name], name
        if name in spread:
            assert rows[name] * spread[name] - rows[name] < report.read <= 5 * rows[name], name
            assert report.duplicates >= written[1].duplicates[name], name
        else:
            assert report.read == rows[name], name
            refused_twice = report.duplicates + report.quarantined - written[1].without_account[name]
            assert abs(refused_twice - written[1].duplicates[name]) <= written[1].without_account[name], name
    assert reports["orders"].quarantined > 50


def test__reporting__does_what_its_settings_say(written):
    """Shares of late, doubled and orphaned rows are those asked for."""
    done = written[1]
    for name in ("orders", "telemetry"):
        assert done.late[name] / done.rows[name] == pytest.approx(0.1, abs=0.02)
        assert done.duplicates[name] / done.rows[name] == pytest.approx(0.02, abs=0.006)
    assert done.without_account["orders"] / done.rows["orders"] == pytest.approx(0.02, abs=0.006)
    assert done.late["logins"] == done.without_account["logins"] == 0


def test__late_rows__are_known_when_they_were_entered(written):
    """No row is entered before it happened; nothing is in a file that had not been entered by the end."""
    files = sorted((written[1].folder / "data" / "erp").glob("orders-*.csv"))
    orders = pd.concat(pd.read_csv(path, parse_dates=["entered_at", "ordered_at"]) for path in files)
    assert (orders["entered_at"] >= orders["ordered_at"]).all()
    assert orders["entered_at"].max() < pd.Timestamp(written[0].end)
    assert [path.stem[-7:] for path in files] == sorted(orders["entered_at"].dt.strftime("%Y-%m").unique())
    for path in files:
        assert set(pd.read_csv(path)["entered_at"].str[:7]) == {path.stem[-7:]}


def test__broken_source__is_silent_for_its_days(written):
    """Nothing of the export happened in those days, and much right before and after."""
    files = (written[1].folder / "data" / "product").glob("usage-*.parquet")
    day = (pd.concat(map(pd.read_parquet, files))["week_ending"] - pd.Timestamp("2023-01-01", tz="UTC")).dt.days
    assert not day.between(300, 329).any()
    assert day.between(290, 299).any()
    assert day.between(330, 340).any()


@pytest.mark.parametrize(("how", "factor"), [("doubled", 2), ("thousandfold", 1)])
def test__broken_source__in_other_ways(tmp_path, how, factor):
    """Rows stand there twice, or their numbers are a thousand times too large."""
    broken = {"source": "telemetry", "how": how, "from_day": 300, "days": 100}
    done = company.write_company(settings(60, broken=broken), tmp_path / "c", tmp_path / "t")
    frame = pd.concat(map(pd.read_parquet, (done.folder / "data" / "machines").glob("*.parquet")))
    day = (frame["read_at"] - pd.Timestamp("2023-01-01", tz="UTC")).dt.days
    hit, other = frame[day.between(300, 399)], frame[day.between(100, 199)]
    assert len(hit) / len(other) == pytest.approx(1.1 * factor, rel=0.2)
    assert (hit["energy_kwh"].median() > 50_000) == (how == "thousandfold")


def test__crm__is_a_database_of_versions(written):
    """One row when an account joins, complete; what changes later stands alone in rows of its own."""
    with sqlite3.connect(written[1].folder / "data" / "crm" / "crm.db") as database:
        rows = pd.read_sql("select * from accounts order by account_no, recorded_at", database)
    first = rows.drop_duplicates("account_no")
    assert len(first) == 300
    assert (
        first[["name", "industry", "region", "owner", "employees", "strategic_fit", "customer_since"]]
        .notna()
        .all()
        .all()
    )
    later = rows[rows.duplicated("account_no") & ~rows.duplicated()]
    assert later[["name", "industry", "customer_since"]].isna().all().all()
    assert later[["owner", "employees", "share_of_wallet", "do_not_contact"]].notna().any().all()
    assert first["parent_no"].notna().mean() == pytest.approx(0.12, abs=0.06)


def test__truth__lies_apart_and_covers_every_account(written):
    """No file of the truth is in the project's folder; each table has the rows that its description says."""
    wanted, done = written
    names = {path.stem for path in done.folder.rglob("*") if path.is_file()}
    assert not names & {"targets", "states", "effects", "allocation", "lifetimes"}
    tables = {path.stem: pd.read_parquet(path) for path in done.truth.glob("*.parquet")}
    there = tables["lifetimes"]["joined_at"] < pd.Timestamp("2024-10-03", tz="UTC")
    assert len(tables["lifetimes"]) == 300
    assert len(tables["targets"]) == len(tables["states"]) == there.sum()
    assert tables["targets"].set_index(["account_id", "as_of"]).index.is_unique
    assert tables["effects"].set_index(["account_id", "as_of", "playbook"]).index.is_unique
    assert (
        tables["targets"][["churn", "contraction", "upsell", "cross_sell", "contract_churn", "value"]]
        .notna()
        .all()
        .all()
    )
    assert set(tables["effects"]["playbook"]) == set(wanted.playbooks)


def test__allocation__keeps_to_capacities_and_pays(written):
    """Each account once, no playbook beyond its capacity, every action worth more than it costs."""
    wanted, done = written
    allocation = pd.read_parquet(done.truth / "allocation.parquet")
    assert not allocation["account_id"].duplicated().any()
    assert (allocation["net"] > 0).all()
    for playbook, count in allocation["playbook"].value_counts().items():
        assert count <= max(1, round(wanted.playbooks[playbook].capacity * 300))
    effects = pd.read_parquet(done.truth / "effects.parquet")
    merged = allocation.merge(effects, on=["account_id", "playbook"], suffixes=("", "_true"))
    assert (merged["net"] == merged["net_true"]).all()
    assert len(merged) == len(allocation) > 10


def test__description__makes_the_same_company_again(written, tmp_path):
    """company.json holds version and settings: with them the truth comes out again to the last byte."""
    wanted, done = written
    kept = json.loads((done.truth / "company.json").read_text())
    assert kept["version"] == VERSION
    again = Settings.of(kept["settings"])
    assert again == wanted
    company.write_company(again, tmp_path / "c", tmp_path / "t", workers=1)
    assert hashes(tmp_path / "c") == hashes(done.folder)
    assert hashes(tmp_path / "t") == hashes(done.truth)


def test__files__do_not_depend_on_blocks_or_threads(tmp_path, monkeypatch):
    """Small blocks by several threads, or one block by one: row by row the same."""
    wanted = settings(120)
    one = company.write_company(wanted, tmp_path / "a", tmp_path / "at", workers=1)
    monkeypatch.setattr(company, "BLOCK", 17)
    other = company.write_company(wanted, tmp_path / "b", tmp_path / "bt", workers=3)
    assert one.rows == other.rows
    for path in sorted(one.truth.glob("*.parquet")):
        left, right = (pd.read_parquet(folder / path.name) for folder in (one.truth, other.truth))
        by = [column for column in ("account_id", "as_of", "playbook") if column in left]
        left, right = (table.sort_values(by, ignore_index=True) for table in (left, right))
        pd.testing.assert_frame_equal(left, right, check_exact=True)
    files = sorted(path for path in (one.folder / "data").rglob("*") if path.is_file())
    assert len(files) > 100
    for path in files:
        twin = other.folder / path.relative_to(one.folder)
        if path.suffix == ".csv":
            assert path.read_text() == twin.read_text()
        elif path.suffix == ".parquet":
            pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(twin), check_exact=True)
        else:
            for table in ("accounts", "contacts", "contracts", "relations"):
                assert rows_of(path, table) == rows_of(twin, table)


def rows_of(path, table):
    with sqlite3.connect(path) as database:
        return database.execute(f"select * from {table}").fetchall()


@pytest.mark.parametrize(
    "nothing",
    [
        {"orders": {"short_of_stock": 0}},
        {"accounts": {"software_share": 0, "equipment_share": 0}},
        {"engagement": {"visits": 0}, "playbooks": {name: {"programme": "none"} for name in Settings().playbooks}},
        {"accounts": {"opted_out_share": 1}},
    ],
)
def test__system_without_a_row__is_not_in_the_project_file(tmp_path, nothing):
    """A company without machines has no telemetry, and is ingested all the same."""
    done = company.write_company(settings(40, **nothing), tmp_path / "c", tmp_path / "t")
    project = load(done.folder)
    assert {source.name for source in project.sources} == {name for name, rows in done.rows.items() if rows} - {
        "assignments"
    }
    outcomes = ingest_sources(project, read_moment("2025-01-01", "UTC"))
    assert not [one for one in outcomes if has_failed(one)]


def test__company_of_another_century__is_ingested(tmp_path):
    """The project file knows how far back its accounts go."""
    done = company.write_company(settings(20, company={"start": "1930-05-05"}), tmp_path / "c", tmp_path / "t")
    outcomes = ingest_sources(load(done.folder), read_moment("1940-01-01", "UTC"))
    assert all(one.quarantined == done.without_account[one.source] for one in outcomes)


@pytest.mark.parametrize("inside", ["c", "c/truth"])
def test__truth__within_the_company__is_refused(tmp_path, inside):
    with pytest.raises(SettingsError, match="would lie within the company's folder"):
        company.write_company(settings(10), tmp_path / "c", tmp_path / inside)
    assert not (tmp_path / "c").exists()


def test__folder_in_use__is_refused_and_stays(tmp_path):
    """Nothing that is there is overwritten."""
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="c is not empty; name a new folder"):
        company.write_company(settings(10), tmp_path / "c", tmp_path / "t")
    assert (tmp_path / "c" / "mine.txt").read_text() == "mine"


def test__failure__leaves_no_half_company(tmp_path, monkeypatch):
    """Half a company would be taken for a whole one."""

    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(company, "_describe", fail)
    with pytest.raises(OSError, match="no space left"):
        company.write_company(settings(10), tmp_path / "c", tmp_path / "t")
    assert not (tmp_path / "c").exists()
    assert not (tmp_path / "t").exists()


def hashes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".foresail" not in path.parts
    }
