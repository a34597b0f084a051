"""A small company with nights: history, registered models, posted events, and everything that a night leaves behind."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from serving_company import ACCOUNTS, AS_OF, CHURN, SOON, account_rows, boosted_card, recency_card, register

from features.catalog import CATALOG, named
from features.engine.table import build_feature_table
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from serving.accounts.event_inbox import PostedEvent, post
from serving.database.engine import open_engine, reading, writing
from serving.database.tables import account_segments, cuts, event_inbox, score_history, scores, tier_moves
from serving.nightly import Explained, NightlySource, Plan, run_night
from serving.publish import Destination
from serving.segmentation.settings import SegmentationSettings, TargetOf

BUCKETS = 4
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
STREAMS = ("purchases", "engagement", "service", "accounts")
NIGHT = AS_OF
NEXT = AS_OF + timedelta(days=1)
"""The night after."""
LEFT_BEHIND = (scores, score_history, account_segments, tier_moves, cuts, event_inbox)
FEATURES = named(["purchases_days_since_last", "purchases_amount_sum_365d", "purchases_orders_distinct_365d"])
MODELS = {"churn": "wholesaler-churn", "soon": "wholesaler-soon"}
PROJECT = """
[project]
name = "Wholesaler"
currency = "GBP"
timezone = "Europe/London"

[history]
buckets = 4

[database]
url = "{database}"

[mlflow]
tracking_uri = "sqlite:///registry/mlflow.db"

[targets.churn]
kind = "churn"
horizon_days = 90
active_within_days = 365

[targets.soon]
kind = "churn"
horizon_days = 30
"""
SOURCE = """
[[sources]]
name = "{stream}"
stream = "{stream}"
from = "data/{stream}.json"
"""


def write_sources(folder, accounts):
    """A JSON file for each stream, as the company would send them."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for stream in STREAMS:
        rows = [{"account_id": name} | row for name, streams in accounts.items() for row in streams[stream]]
        (folder / "data" / f"{stream}.json").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")


def company_in(folder, count=60):
    """So many accounts in source files that no night has read, and champions of two targets."""
    accounts = ACCOUNTS if count == len(ACCOUNTS) else {f"A{number}": account_rows(number) for number in range(count)}
    write_sources(folder, accounts)
    scratch = History(folder / "for training", buckets=BUCKETS)
    for stream in STREAMS:
        ingest_source(folder, scratch, stream, NIGHT)
    table = build_feature_table(scratch, NIGHT, CATALOG)
    register(tracking_uri(folder), *boosted_card(table, FEATURES, CHURN))
    register(tracking_uri(folder), recency_card(SOON))
    return folder


def project_in(folder, database="sqlite:///.foresail/foresail.db", streams=STREAMS):
    """The company as a project with these of its sources, for the command line."""
    company_in(folder)
    sources = [SOURCE.format(stream=stream) for stream in streams]
    (folder / "foresail.toml").write_text(PROJECT.format(database=database) + "".join(sources))
    return folder


def tracking_uri(folder):
    return f"sqlite:///{folder}/registry/mlflow.db"


def ingest_source(folder, history, stream, as_of):
    source = Source(stream, stream, f"data/{stream}.json", folder)
    ingest(history, source, as_of=as_of, timezone="UTC", earliest=EARLIEST)


def plan_of(folder, as_of=NIGHT, work=None, **changed):
    """The night of the company in `folder`, whose history, nights and published tables are in `work`."""
    work = Path(work or folder)
    history = History(work / "history", buckets=BUCKETS)

    def reads(stream):
        return lambda: ingest_source(folder, history, stream, as_of)

    told = {
        "as_of": as_of, "folder": work / "nights", "history": history, "catalog": CATALOG,
        "tracking_uri": tracking_uri(folder), "models": MODELS,
        "sources": [NightlySource(stream, stream, reads(stream)) for stream in STREAMS],
        "timezone": "UTC", "earliest": EARLIEST, "currency": "GBP", "explained": Explained("high", 20, 5),
        "keep_scores_days": 400, "churn_days": 90, "publish": Destination(work / "published"),
        "segmentation": SegmentationSettings({"churn": TargetOf("churn", 90), "soon": TargetOf("churn", 30)}),
    }  # fmt: skip
    return Plan(**told | changed)


def clock():
    return NEXT + timedelta(hours=6)


def run(plan, engine, **how):
    return run_night(plan, engine, clock, progress=lambda done, total, what: None, **how)


def night(folder, url, as_of=NIGHT, work=None, **how):
    """One night in this process."""
    engine = open_engine(url)
    try:
        return run(plan_of(folder, as_of, work), engine, **how)
    finally:
        engine.dispose()


def purchase(account, number, known_at=NIGHT - timedelta(hours=1), amount=100.0):
    """A posted order."""
    row = {
        "account_id": account, "occurred_at": known_at.isoformat(), "known_at": known_at.isoformat(),
        "kind": "order", "amount": amount, "event_id": f"posted {number}",
    }  # fmt: skip
    return PostedEvent(account, "purchases", f"posted {number}", known_at, known_at, json.dumps(row))


def post_events(engine, events):
    with writing(engine) as connection:
        return post(connection, events, clock(), None)


def left_behind(engine):
    """Every row of every table that nights write and reports or the service read."""
    with reading(engine) as connection:
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in LEFT_BEHIND}


def published(work):
    """The bytes of every published file, as digests."""
    root = Path(work) / "published"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def stored_events(work):
    """(account, event id) of every purchase in the history."""
    history = History(Path(work) / "history", buckets=BUCKETS)
    rows = [history.read("purchases", bucket, ["account_id", "event_id"]).to_pylist() for bucket in range(BUCKETS)]
    return [(row["account_id"], row["event_id"]) for part in rows for row in part]


def table_of(engine, table):
    with reading(engine) as connection:
        return connection.execute(sa.select(table)).mappings().all()
