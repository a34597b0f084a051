"""The night beside its bare bones: reading the columns, predicting with the same boosters, writing the same tables.

    python benchmarks/night.py [--accounts 1_000_000] [--database postgresql]

Twenty events to an account; four targets, each with a booster of 300 trees over 150 features, trained on made-up labels. The
rival is pyarrow reading the columns that the catalog needs, LightGBM predicting the same matrix with the same four
boosters, pyarrow writing the tables that the night published, and the rows that the night left in the database going
into an empty one by the fastest way of its driver. Probabilities are compared with LightGBM's own before any time is printed.
The night is the first one, which writes most: everybody's first segmentation is a move. One account in a hundred gets reasons.
A PostgreSQL that is started for it has its own defaults: it brings every commit of the night to the disk (fsync on). The
rival commits once a table, outside its time. CPU seconds are those of the client; what the server spends is in the seconds alone.
"""

import argparse
import json
import multiprocessing
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pyarrow.parquet as pq
import sqlalchemy as sa
from generate import EVENTS_EACH_AT_NIGHT, LAST, company
from measure import Line, Run, note, once
from nightly import read
from servers import postgresql

from features.catalog import CATALOG, fingerprint, named
from features.engine.table import build_bucket_table
from features.history.store import History
from features.timestamps import now
from registry.card import ModelCard
from registry.writer import Logged, log_and_register
from serving.database.engine import open_engine, reading, writing
from serving.database.tables import account_segments, account_states, score_history, scores, tier_moves
from serving.database.upgrade import upgrade
from serving.nightly import Explained, Plan, run_night
from serving.publish import Destination
from serving.segmentation.settings import SegmentationSettings, TargetOf
from training.data.targets import ChurnTarget, ContractionTarget, Target, UpsellTarget
from training.models.boosting import BOOSTING

ROUNDS, FEATURES, SAMPLE = 300, 150, 20_000
TARGETS: tuple[Target, ...] = (
    ChurnTarget("churn", horizon_days=90, active_within_days=None),
    ChurnTarget("soon", horizon_days=30, active_within_days=None),
    ContractionTarget("contraction", horizon_days=90, active_within_days=None),
    UpsellTarget("upsell", horizon_days=90, active_within_days=None),
)
WRITTEN = (scores, score_history, account_segments, tier_moves, account_states)
"""What a night fills in the database."""
RATIO_GOAL, PEAK_GOAL_MB = 2.5, 4096
ALLOWED = 1e-12
POSTGRESQL = "postgresql"


def names_of(target: int) -> list[str]:
    """The features of each booster: 150 of the catalog, others for each."""
    return CATALOG.names[target * 7 : target * 7 + FEATURES]


def boosters(history: History) -> list[str]:
    """Four boosters that have learnt from a sample of one bucket what is not worth knowing."""
    table = build_bucket_table(history, 0, LAST, CATALOG).iloc[:SAMPLE]
    chance = np.random.default_rng(0)
    silent = table["purchases_days_since_last"].fillna(400).to_numpy()
    made = []
    for number in range(len(TARGETS)):
        labels = (silent + chance.normal(0, 60, len(table)) > np.median(silent)).astype(float)
        data = lightgbm.Dataset(table[names_of(number)].to_numpy(), labels, params={"verbosity": -1})
        made.append(lightgbm.train({**BOOSTING, "seed": number}, data, num_boost_round=ROUNDS).model_to_string())
    return made


def register(folder: Path, texts: list[str]) -> dict[str, str]:
    """By target the name under which its model is registered."""
    names = {}
    for number, (target, text) in enumerate(zip(TARGETS, texts, strict=True)):
        features = names_of(number)
        card = {
            "format": 1, "project": "benchmark", "target": target.to_json(), "rung": "lightgbm", "features": features,
            "fingerprint": fingerprint(named(features)), "calibration": {"method": "none"},
            "trained_as_of": LAST.isoformat(), "reference": {"scores": np.linspace(0, 1, 1001).tolist(), "features": {}},
        }  # fmt: skip
        names[target.name] = f"benchmark-{target.name}"
        logged = Logged(names[target.name], ModelCard.from_json(card), text, parameters={}, metrics={})
        log_and_register(logged, f"sqlite:///{folder}/mlflow.db")
    return names


def plan(root: str, folder: Path, models: dict[str, str], explained: int) -> Plan:
    segmentation = SegmentationSettings({target.name: TargetOf(target.kind, target.horizon_days) for target in TARGETS})
    return Plan(
        as_of=LAST, folder=folder / "nights", history=History(root), catalog=CATALOG,
        tracking_uri=f"sqlite:///{folder}/mlflow.db", models=models, sources=[], timezone="UTC",
        earliest=LAST - timedelta(days=10_000), currency="EUR", explained=Explained("high", explained, 100),
        keep_scores_days=400, churn_days=90, segmentation=segmentation, publish=Destination(folder / "published"),
    )  # fmt: skip


def night(root: str, folder: Path, models: dict[str, str], explained: int, url: str) -> Run:
    """The first night on an empty database; its answer are the seconds by step."""
    engine = open_engine(url, wait_seconds=60)
    upgrade(engine)
    return once(
        lambda: dict(run_night(plan(root, folder, models, explained), engine, now, progress=lambda *_: None).seconds)
    )


def bare_predict(root: str, texts: list[str], published: str) -> Run:
    """LightGBM alone over the matrices of all buckets, which are made before the clock runs; answers are compared."""
    history, models = History(root), [lightgbm.Booster(model_str=text) for text in texts]
    ours = pq.read_table(published, columns=["account_id", "target", "probability"]).to_pandas()
    ours = ours.pivot(index="account_id", columns="target", values="probability")
    runs = []
    for bucket in range(history.buckets):
        table = build_bucket_table(history, bucket, LAST, CATALOG)
        matrices = [np.ascontiguousarray(table[names_of(number)].to_numpy()) for number in range(len(models))]
        run = once(lambda given=matrices: [one.predict(own) for one, own in zip(models, given, strict=True)])
        mine = ours.loc[table.index.get_level_values("account_id"), [target.name for target in TARGETS]].to_numpy()
        scored = ~np.isnan(mine)
        np.testing.assert_allclose(mine[scored], np.column_stack(run.answer)[scored], rtol=ALLOWED)
        runs.append(run)
    return _summed(runs)


def bare_files(published: str, out: str) -> Run:
    """Every published table that is in memory, written by pyarrow."""
    runs = []
    for path in sorted(Path(published).rglob("*.parquet")):
        table = pq.read_table(path)
        runs.append(once(pq.write_table, table, f"{out}/{path.name}"))
    return _summed(runs)


def bare_database(source: str, url: str) -> Run:
    """The rows that the night left, into empty tables; they are read beforehand, some at a time."""
    engine = open_engine(url, wait_seconds=60)
    upgrade(engine)
    move = _moved_by_copy if engine.dialect.name == "postgresql" else _moved_by_sqlite
    return _summed([move(source, url, table) for table in WRITTEN])


def _moved_by_sqlite(source: str, url: str, table: sa.Table) -> Run:
    given, taken = (sqlite3.connect(each.removeprefix("sqlite:///")) for each in (source, url))
    with closing(given), closing(taken):
        columns = ", ".join(column.name for column in table.columns)
        marks = ", ".join("?" * len(table.columns))
        taken.execute("pragma synchronous = normal")
        found = given.execute(f"select {columns} from {table.name}")
        runs = []
        while rows := found.fetchmany(200_000):
            insert = f"insert into {table.name} ({columns}) values ({marks})"
            runs.append(once(_inserted, taken, insert, rows))
    return _summed(runs)


def _inserted(connection: sqlite3.Connection, statement: str, rows: list[Any]) -> None:
    connection.executemany(statement, rows)
    connection.commit()


def _moved_by_copy(source: str, url: str, table: sa.Table) -> Run:
    with reading(open_engine(source, wait_seconds=60)) as given, writing(open_engine(url, wait_seconds=60)) as taken:
        cursor = given.connection.driver_connection.cursor()
        with cursor.copy(f"copy {table.name} to stdout (format binary)") as copy:
            content = [bytes(block) for block in copy]
        return once(_copied, taken.connection.driver_connection, table.name, content)


def _copied(driver: Any, table: str, content: list[bytes]) -> None:
    with driver.cursor() as cursor, cursor.copy(f"copy {table} from stdin (format binary)") as copy:
        for block in content:
            copy.write(block)


def _summed(runs: list[Run]) -> Run:
    return Run(sum(run.seconds for run in runs), 0.0, cpu_seconds=sum(run.cpu_seconds or 0 for run in runs))


def alone(work: Callable[..., Any], *arguments: Any) -> Any:
    """In a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def read_columns(root: str) -> Run:
    return once(read, root)


def databases(url: str | None, folder: Path) -> Iterator[str]:
    """Two empty databases: one for the night, one for its rival."""
    for name in ("ours", "bare"):
        if url is None:
            yield f"sqlite:///{folder}/{name}.db"
            continue
        server = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(f"drop database if exists night_{name}")
            connection.exec_driver_sql(f"create database night_{name}")
        yield server.url.set(database=f"night_{name}").render_as_string(hide_password=False)


def compared(accounts: int, url: str | None) -> dict[str, Run]:
    """The night and each of its bare bones."""
    root = company(accounts * EVENTS_EACH_AT_NIGHT).root
    with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
        folder = Path(scratch)
        texts = alone(boosters_of, root)
        models = alone(register, folder, texts)
        ours, bare = databases(url, folder)
        runs = {"foresail nightly": alone(night, root, folder, models, accounts // 100, ours)}
        print(
            json.dumps({step: round(taken, 1) for step, taken in runs["foresail nightly"].answer.items()}), flush=True
        )
        (folder / "again").mkdir()
        published = folder / "published"
        runs["pyarrow, reading the columns"] = alone(read_columns, root)
        runs["lightgbm, predicting the matrix"] = alone(bare_predict, root, texts, str(published / "scores.parquet"))
        runs["pyarrow, writing the tables"] = alone(bare_files, str(published), str(folder / "again"))
        runs["the same rows into the database"] = alone(bare_database, ours, bare)
    return runs


def boosters_of(root: str) -> list[str]:
    return boosters(History(root))


def lines(runs: dict[str, Run], tenth: dict[str, Run] | None) -> list[Line]:
    """The night beside the sum of the rest."""
    bare = _summed([run for who, run in runs.items() if who != "foresail nightly"])
    shown = [Line("all bare bones together", bare.seconds, 1.0, None, None, bare.cpu_seconds)]
    for who, run in runs.items():
        growth = run.seconds / tenth[who].seconds if tenth else None
        is_ours = who == "foresail nightly"
        said = (
            f"goal {RATIO_GOAL} and {PEAK_GOAL_MB:,} MB; by CPU {run.cpu_seconds / bare.cpu_seconds:.2f}"
            if is_ours
            else ""
        )
        peak = run.peak_mb if is_ours else None
        shown.append(Line(who, run.seconds, run.seconds / bare.seconds, peak, growth, run.cpu_seconds, said))
    return shown


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--accounts", type=int, default=100_000)
    arguments.add_argument(
        "--database",
        help="URL of a PostgreSQL on which databases may be made, or `postgresql`: one is started; default: SQLite",
    )
    arguments.add_argument("--growth", action="store_true", help="measure a tenth of the accounts as well")
    given = arguments.parse_args()
    with postgresql() if given.database == POSTGRESQL else nullcontext(given.database) as url:
        tenth = compared(given.accounts // 10, url) if given.growth else None
        runs = compared(given.accounts, url)
    kind = "PostgreSQL" if given.database else "SQLite"
    events = given.accounts * EVENTS_EACH_AT_NIGHT
    title = f"A night on {kind}: {given.accounts:,} accounts, {events:,} events, {len(TARGETS)} targets; answers agree"
    note(f"night_{kind.lower()}", title, lines(runs, tenth))


if __name__ == "__main__":
    main()
