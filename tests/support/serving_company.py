"""A company of sixty accounts, ingested and modelled for real, for the tests of serving."""

import atexit
import json
import math
import random
import shutil
import socket
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import httpx
import lightgbm
import numpy as np

from features.catalog import CATALOG, fingerprint, named
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from registry.card import ModelCard
from registry.writer import Logged, log_and_register, open_store
from serving.accounts.states import refresh_states
from serving.database.engine import opened
from serving.database.upgrade import upgrade
from training.data.targets import ChurnTarget

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
TIMEZONE = "Europe/London"
BUCKETS = 4
CHURN = ChurnTarget("churn", horizon_days=90, active_within_days=365)
SOON = ChurnTarget("soon", horizon_days=30, active_within_days=None)


def account_rows(number):
    """The rows of one account as a company would send them: naive local times, defaults left to us, some twice."""
    draw = random.Random(number)
    first = AS_OF.replace(tzinfo=None) - timedelta(days=draw.randint(5, 600))

    def moment():
        return (first + timedelta(days=draw.uniform(0, 500))).isoformat(sep=" ", timespec="seconds")

    purchases = [
        {
            "occurred_at": moment(),
            "order_id": draw.choice([None, "a", "b", "c"]),
            "product_id": draw.choice(["p", "q", "r"]),
            "category": draw.choice([None, "x", "y"]),
            "quantity": float(draw.choice([-1, 1, 2, 10])),
            "amount": round(draw.uniform(-20, 300), 2),
        }
        for _ in range(draw.randint(0, 12))
    ]
    engagement = [{"occurred_at": moment(), "kind": draw.choice(["mail", "login"])} for _ in range(draw.randint(0, 4))]
    service = [
        {
            "occurred_at": moment(),
            "case_id": f"case {n}",
            "kind": draw.choice(["opened", "resolved"]),
            "topic": "complaint",
        }
        for n in range(draw.randint(0, 2))
    ]
    attributes = [{"known_at": first.isoformat(), "region": "north", "size": float(number)}]
    return {
        "purchases": purchases + purchases[:1],
        "engagement": engagement,
        "service": service,
        "accounts": attributes,
    }


ACCOUNTS = {f"A{number}": account_rows(number) for number in range(60)}


def ingest_rows(folder, accounts):
    """A history of these accounts, through a JSON file a stream and the real ingest."""
    history = History(folder / "history", buckets=BUCKETS)
    for stream in ("purchases", "engagement", "service", "accounts"):
        rows = [{"account_id": name} | row for name, streams in accounts.items() for row in streams[stream]]
        (folder / f"{stream}.json").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        source = Source(stream, stream, f"{stream}.json", folder)
        ingest(history, source, as_of=datetime(2100, 1, 1, tzinfo=UTC), timezone=TIMEZONE, earliest=EARLIEST)
    return history


def boosted_card(table, features=CATALOG, target=CHURN, seed=1):
    """A small LightGBM model of made-up labels: (card, booster). Its trees are many, its truth is none."""
    rng = np.random.default_rng(seed)
    names = [feature.name for feature in features]
    labels = (table["purchases_days_since_last"].fillna(400) + rng.normal(0, 60, len(table)) > 120).astype(float)
    parameters = {
        "objective": "binary",
        "min_data_in_leaf": 2,
        "num_leaves": 8,
        "verbosity": -1,
        "seed": seed,
        "num_threads": 1,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(table[names].to_numpy(), labels), num_boost_round=30)
    return card(names, target, rung="lightgbm") | {"grade": {"letter": "none"}}, booster.model_to_string()


def recency_card(target=SOON, weight=0.8):
    """A linear model of recency alone: log-odds = weight × (log(1 + days) − 4), −1 where absent."""
    term = {"feature": "purchases_days_since_last", "weight": weight, "centre": 4.0, "scale": 1.0, "missing": -1.0}
    linear = {"intercept": 0.0, "terms": [term]}
    return card(["purchases_days_since_last"], target, rung="recency") | {"linear": linear}


def card(names, target, rung):
    return {
        "format": 1,
        "project": "wholesaler",
        "target": target.to_json(),
        "rung": rung,
        "features": list(names),
        "fingerprint": fingerprint(named(names)),
        "calibration": {"method": "platt", "parameters": {"slope": 0.9, "intercept": -0.1}},
        "trained_as_of": AS_OF.isoformat(),
        "reference": {"scores": np.linspace(0.01, 0.99, 99).tolist(), "features": {}},
    }


@cache
def blank_store():
    """An MLflow database with its tables made, to be copied: making them takes longer than most tests."""
    folder = tempfile.TemporaryDirectory(prefix="blank-")
    atexit.register(folder.cleanup)
    database = Path(folder.name) / "mlflow.db"
    open_store(f"sqlite:///{database}")
    return database


def begin_store(tracking_uri):
    """Make a store where there is none."""
    database = Path(tracking_uri.removeprefix("sqlite:///"))
    if not database.exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(blank_store(), database)


def register(tracking_uri, card, booster=None):
    """The version under which the registry holds it."""
    begin_store(tracking_uri)
    logged = Logged(
        f"wholesaler-{card['target']['name']}", ModelCard.model_validate(card), booster, parameters={}, metrics={}
    )
    return str(log_and_register(logged, tracking_uri).version)


def database_of(folder):
    """The URL of the operational database of the company in a folder."""
    return f"sqlite:///{folder}/operational.db"


def bring_up_to_date(folder, history):
    """What `foresail serve` does before it starts."""
    engine = opened(database_of(folder))
    upgrade(engine)
    refreshed = refresh_states(engine, history, AS_OF)
    engine.dispose()
    return refreshed


def settings_of(company, **changed):
    """What `foresail serve` would tell the service."""
    return {
        "tracking_uri": company.tracking_uri,
        "database": database_of(company.folder),
        "models": {"churn": "wholesaler-churn", "soon": "wholesaler-soon"},
        "as_of": AS_OF.isoformat(),
        "currency": "GBP",
        "timezone": TIMEZONE,
        "refresh_seconds": 0.3,
    } | changed


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(client, path):
    try:
        return client.get(path).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(holds, process, log, seconds=180):
    for _ in range(seconds * 10):
        if holds():
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(f"waited {seconds} s in vain; the log says: {log.read_text()}")


def nan_to_none(value):
    return None if isinstance(value, float) and math.isnan(value) else value
