"""Latency of POST /score by account id against an empty BentoML endpoint tuned the same way, in the same run.

    .venv/bin/python benchmarks/serve.py [--accounts 2000] [--requests 2000]

Makes a company, trains a small model of made-up labels on the whole catalog, starts both services on this machine
(loopback only), and asks them in turn with one client over one kept connection. Bounded in requests and in time.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bentoml
import httpx
import lightgbm
import numpy as np
from pydantic import BaseModel

from features.catalog import CATALOG, fingerprint
from features.history import History
from features.ingest import Source, ingest
from features.table import build_feature_table
from serving.database.engine import opened
from serving.database.upgrade import upgrade
from serving.states import refresh_states
from training.targets import ChurnTarget
from training.tracking import Logged, log_and_register

ROOT = Path(__file__).parents[1]
AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
MOST_SECONDS = 120
ROUNDS = 10


class Asked(BaseModel):
    """As many fields as a request for scores usually has."""

    account_ids: list[str] = []


class Answered(BaseModel):
    """Something small."""

    accounts: int


@bentoml.service(name="Empty", workers=1, traffic={"timeout": 5}, logging={"access": {"enabled": False}})
class Empty:
    """What the framework costs: a model in, a model out, and nothing in between."""

    def __init__(self):
        import gc

        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 1000)

    @bentoml.api
    async def score(self, request: Asked, /) -> Answered:
        return Answered(accounts=len(request.account_ids))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--accounts", type=int, default=2000)
    arguments.add_argument("--requests", type=int, default=2000, help="of each kind")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = make_company(folder, given.accounts)
        names = [f"A{number}" for number in range(given.accounts)]
        told = {"FORESAIL_SERVING": json.dumps(settings)}
        with (
            Started("benchmarks.serve:Empty", folder, {}) as empty,
            Started("serving.service:Foresail", folder, told) as foresail,
        ):
            measure(empty, foresail, names, given.requests)


def measure(empty, foresail, names, requests):
    """Rounds of each kind in turn, so that whatever else the machine does hits all of them."""
    kinds = {
        "empty endpoint": (empty, {}),
        "/score": (foresail, {}),
        "/score with reasons": (foresail, {"explain": "top"}),
    }
    seconds = {kind: [] for kind in kinds}
    ends = time.monotonic() + MOST_SECONDS
    for _ in range(ROUNDS):
        for kind, (client, options) in kinds.items():
            for account in random.Random(len(seconds[kind])).choices(names, k=requests // ROUNDS):
                if time.monotonic() < ends:
                    seconds[kind].append(timed(client, {"account_ids": [account], **options}))
    table(seconds)


def timed(client, body):
    begun = time.perf_counter()
    response = client.post("/score", json=body)
    taken = time.perf_counter() - begun
    response.raise_for_status()
    return taken


def table(seconds):
    warm = {kind: np.array(taken[len(taken) // 10 :]) * 1000 for kind, taken in seconds.items()}
    base = {percent: np.percentile(warm["empty endpoint"], percent) for percent in (50, 99)}
    print(f"{'':22}{'requests':>9}{'p50 ms':>9}{'p99 ms':>9}{'p50 ×':>8}{'p99 ×':>8}")
    for kind, taken in warm.items():
        p50, p99 = (np.percentile(taken, percent) for percent in (50, 99))
        print(f"{kind:22}{taken.size:9}{p50:9.2f}{p99:9.2f}{p50 / base[50]:8.2f}{p99 / base[99]:8.2f}")


def make_company(folder, accounts):
    """Some 30 order lines an account over two years, and a model with the whole catalog as its input."""
    draw = random.Random(0)
    begin = AS_OF - timedelta(days=730)
    with (folder / "lines.json").open("w") as file:
        for account in range(accounts):
            for _ in range(draw.randint(5, 55)):
                moment = begin + timedelta(days=draw.uniform(0, 730))
                line = {
                    "order_id": str(moment.date()),
                    "product_id": str(draw.randint(0, 50)),
                    "category": draw.choice("xyz"),
                }
                line |= {
                    "account_id": f"A{account}",
                    "occurred_at": moment.isoformat(),
                    "amount": round(draw.expovariate(0.02), 2),
                }
                file.write(json.dumps(line) + "\n")
    history = History(folder / "history")
    source = Source("lines", "purchases", "lines.json", folder)
    ingest(history, source, as_of=AS_OF, timezone="UTC", earliest=datetime(2000, 1, 1, tzinfo=UTC))
    tracking_uri = f"sqlite:///{folder}/mlflow.db"
    register(history, tracking_uri)
    engine = opened(f"sqlite:///{folder}/operational.db")
    upgrade(engine)
    refresh_states(engine, history, AS_OF)
    return {
        "tracking_uri": tracking_uri,
        "database": f"sqlite:///{folder}/operational.db",
        "models": {"churn": "benchmark-churn"},
        "as_of": AS_OF.isoformat(),
        "currency": "GBP",
    }


def register(history, tracking_uri):
    """A LightGBM model of 300 trees of 15 leaves, as training would make it, of labels without meaning."""
    table = build_feature_table(history, AS_OF, CATALOG)
    labels = np.random.default_rng(0).random(len(table)) < table["purchases_days_since_last"] / 60
    parameters = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.03,
        "verbosity": -1,
        "min_data_in_leaf": 5,
    }
    booster = lightgbm.train(parameters, lightgbm.Dataset(table.to_numpy(), labels), num_boost_round=300)
    card = {
        "format": 1,
        "target": ChurnTarget("churn", horizon_days=90, active_within_days=365).to_json(),
        "rung": "lightgbm",
        "features": CATALOG.names,
        "fingerprint": fingerprint(CATALOG),
        "calibration": {"method": "none"},
        "trained_as_of": AS_OF.isoformat(),
        "reference": {"scores": np.linspace(0, 1, 1001).tolist()},
    }
    log_and_register(Logged("benchmark-churn", card, booster.model_to_string(), {}, {}), tracking_uri)


class Started:
    """A service in a process group of its own, ready when entered, gone when left."""

    def __init__(self, service, folder, environment):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "bentoml", "serve", service, "--host", "127.0.0.1", "--port", str(port)]
        self.log = (folder / f"log-{port}").open("w+")
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | quiet | environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def __enter__(self):
        for _ in range(600):
            with contextlib.suppress(httpx.TransportError):  # it does not listen yet
                if self.client.get("/readyz").status_code == 200:
                    return self.client
            time.sleep(0.1)
        self.__exit__()
        raise TimeoutError(f"not ready after a minute: {Path(self.log.name).read_text()}")

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


if __name__ == "__main__":
    main()
