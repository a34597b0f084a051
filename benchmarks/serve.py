"""What a score costs over HTTP, beside an empty BentoML endpoint tuned the same way and beside `mlflow models serve`.

    .venv/bin/python benchmarks/serve.py [--accounts 2000] [--requests 2000]

Makes a company with a night behind it and four models of 300 trees on the whole catalog, in SQLite and in PostgreSQL,
starts all services on this machine (loopback only), compares what they answer, and then asks them in turn, in rounds, so
that whatever else the machine does hits all of them: one client, then eight. Bounded in requests and in time.
"""

import argparse
import contextlib
import json
import os
import random
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bentoml
import lightgbm
import numpy as np
from pydantic import BaseModel
from servers import free_port, postgresql

from features.catalog import CATALOG, fingerprint
from features.engine.table import build_feature_table
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from registry.card import ModelCard
from registry.loader import load
from registry.writer import Logged, log_and_register
from serving.accounts.states import refresh_states
from serving.database.engine import open_engine, writing
from serving.database.tables import account_segments, cuts, score_history, scores
from serving.database.upgrade import upgrade
from serving.scoring.scores import needed_features, score_table
from training.data.targets import ChurnTarget, ContractionTarget, UpsellTarget, ValueTarget

ROOT = Path(__file__).parents[1]
AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
MOST_SECONDS = 300
ROUNDS = 10
COMPARED = 20
TARGETS = {
    "churn": ChurnTarget("churn", horizon_days=90, active_within_days=365),
    "value": ValueTarget("value", horizon_days=180, active_within_days=None),
    "upsell": UpsellTarget("upsell", horizon_days=90, active_within_days=365),
    "contraction": ContractionTarget("contraction", horizon_days=90, active_within_days=365),
}


class Asked(BaseModel):
    """As many fields as a request for scores usually has."""

    account_ids: list[str] = []


class Answered(BaseModel):
    """Something small."""

    accounts: int


@bentoml.service(name="Empty", workers=1, traffic={"timeout": 5}, logging={"access": {"enabled": False}})
class Empty:
    """What the framework costs: a model in, a model out, and nothing in between.

    It has BentoML's own metrics and spans, as ours has its own in their place.
    """

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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that whoever ends it ends what it has started, too
    with tempfile.TemporaryDirectory() as name, postgresql() as server:
        folder = Path(name)
        history, tracking_uri = make_company(folder, given.accounts)
        told = {
            kind: {"FORESAIL_SERVING": json.dumps(settings(url, history, tracking_uri, given.accounts))}
            for kind, url in (("SQLite", f"sqlite:///{folder}/operational.db"), ("PostgreSQL", server))
        }
        with (
            Started(bento("benchmarks.serve:Empty"), folder, {}) as empty,
            Started(bento("serving.service:Foresail"), folder, told["SQLite"]) as sqlite,
            Started(bento("serving.service:Foresail"), folder, told["PostgreSQL"]) as postgres,
            Started(mlflow_serve(), folder, {"MLFLOW_TRACKING_URI": tracking_uri}, ready="/ping") as mlflow,
        ):
            kinds = kinds_of_request(empty, sqlite, postgres, mlflow, history)
            compare(kinds, history, tracking_uri)
            names = [f"A{number}" for number in range(given.accounts)]
            one = measure(kinds, names, given.requests)
            eight = throughputs(kinds, names, given.requests)
            table(one, eight)


def kinds_of_request(empty, sqlite, postgres, mlflow, history):
    """By name: port, path, and the body for an account."""
    rows = build_feature_table(history, AS_OF, CATALOG)
    rows.index = rows.index.get_level_values("account_id")
    filled = {
        name: [None if np.isnan(x) else x for x in row]
        for name, row in zip(rows.index, rows.to_numpy().tolist(), strict=True)
    }

    def by_id(account):
        return {"account_ids": [account]}

    def with_reasons(account):
        return {"account_ids": [account], "explain": "top"}

    def as_row(account):
        return {"dataframe_split": {"columns": CATALOG.names, "data": [filled[account]]}}

    return {
        "empty endpoint": (empty, "/score", by_id),
        "/v1/scores, SQLite": (sqlite, "/v1/scores", by_id),
        "/v1/scores, PostgreSQL": (postgres, "/v1/scores", by_id),
        "/score, SQLite": (sqlite, "/score", by_id),
        "/v1/scores, reasons": (sqlite, "/v1/scores", with_reasons),
        "mlflow, one model": (mlflow, "/invocations", as_row),
    }


def compare(kinds, history, tracking_uri):
    """Before anything is timed: all must say what the model says, MLflow to 1e-12 and ours to the last bit."""
    churn = load(tracking_uri, "benchmark-churn")
    table = build_feature_table(history, AS_OF, needed_features([churn]))
    scores = score_table(churn, table).set_index("account_id")["probability"]
    all_alike = dict(zip(scores.index, churn.answers(table[CATALOG.names].to_numpy()).tolist(), strict=True))
    for kind, (port, path, body) in kinds.items():
        for account in (f"A{number}" for number in range(COMPARED)):
            answer = json.loads(Connection(port).ask(path, body(account)))
            if "mlflow" in kind:  # which knows nothing of who is eligible
                assert abs(answer["predictions"][0]["probability"] - all_alike[account]) < 1e-12
            elif "empty" not in kind:
                said = {score["target"]: score["probability"] for score in answer["accounts"][0]["scores"]}
                expected = None if np.isnan(scores[account]) else scores[account]
                assert (len(said), said["churn"]) == (len(TARGETS), expected), (kind, account)


class Connection:
    """A kept connection, and as little of a client as can be: what is measured is the service."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""

    def send(self, path, body):
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        self.received = b""
        self.socket.sendall(head.encode() + content)

    def read(self):
        """What has come so far; the body once it is complete, else None."""
        came = self.socket.recv(1 << 20)
        if not came:
            raise ConnectionError("the service has closed the connection")
        self.received += came
        head, found, body = self.received.partition(b"\r\n\r\n")
        if not found or len(body) < int(re.search(rb"(?i)content-length: (\d+)", head)[1]):
            return None
        assert head.startswith(b"HTTP/1.1 200"), self.received
        return body

    def ask(self, path, body):
        self.send(path, body)
        while (answer := self.read()) is None:
            pass
        return answer


def measure(kinds, names, requests):
    """Seconds of each request with one client, by kind."""
    seconds = {kind: [] for kind in kinds}
    ends = time.monotonic() + MOST_SECONDS
    for _ in range(ROUNDS):
        for kind, (port, path, body) in kinds.items():
            connection = Connection(port)  # for one that waits for its turn is closed by MLflow after five seconds
            connection.ask(path, body(names[0]))
            for account in random.Random(len(seconds[kind])).choices(names, k=requests // ROUNDS):
                if time.monotonic() > ends:
                    break
                asked = body(account)
                begun = time.perf_counter()
                connection.ask(path, asked)
                seconds[kind].append(time.perf_counter() - begun)
    return seconds


def throughputs(kinds, names, requests):
    """Requests per second with eight clients, a number for each round, by kind."""
    rates = {kind: [] for kind in kinds}
    for number in range(ROUNDS):
        for kind, (port, path, body) in kinds.items():
            few = 5 if "mlflow" in kind else 1
            bodies = [body(account) for account in random.Random(number).choices(names, k=requests // ROUNDS // few)]
            rates[kind].append(rate(port, path, bodies))
    return rates


def rate(port, path, bodies, clients=8):
    """How many of these requests are answered in a second when so many clients each send the next as soon as they can."""
    waiting, answered = iter(bodies), 0
    begun = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            connection = Connection(port)
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(path, next(waiting))
        while answered < len(bodies):
            for key, _ in selector.select():
                if key.data.read() is not None:
                    answered += 1
                    if (following := next(waiting, None)) is not None:
                        key.data.send(path, following)
    return len(bodies) / (time.perf_counter() - begun)


def table(seconds, rates):
    warm = {kind: np.array(taken[len(taken) // 10 :]) * 1000 for kind, taken in seconds.items()}
    base = {percent: np.percentile(warm["empty endpoint"], percent) for percent in (50, 99)}
    most = np.median(rates["empty endpoint"])
    mlflow = np.median(rates["mlflow, one model"])
    print(
        f"{'':24}{'requests':>9}{'p50 ms':>9}{'p99 ms':>9}{'p50 ×':>8}{'p99 ×':>8}{'8: per s':>10}{'× empty':>9}{'× mlflow':>10}"
    )
    for kind, taken in warm.items():
        p50, p99 = (np.percentile(taken, percent) for percent in (50, 99))
        per_second = np.median(rates[kind])
        print(
            f"{kind:24}{taken.size:9}{p50:9.2f}{p99:9.2f}{p50 / base[50]:8.2f}{p99 / base[99]:8.2f}"
            f"{per_second:10.0f}{per_second / most:9.2f}{per_second / mlflow:10.1f}"
        )


def make_company(folder, accounts):
    """Some 30 order lines an account over two years, and four models with the whole catalog as their input."""
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
    return history, tracking_uri


def settings(url, history, tracking_uri, accounts):
    """What the service is told, once its database has states and nights of all accounts."""
    engine = open_engine(url)
    upgrade(engine)
    refresh_states(engine, history, AS_OF)
    leave_nights(engine, [f"A{number}" for number in range(accounts)])
    engine.dispose()
    return {
        "tracking_uri": tracking_uri,
        "database": url,
        "models": {target: f"benchmark-{target}" for target in TARGETS},
        "as_of": AS_OF.isoformat(),
        "currency": "GBP",
    }


def leave_nights(engine, names, nights=30):
    """What a month of nights leaves of every account and target."""
    moments = [AS_OF - timedelta(days=number + 1) for number in range(nights)]
    stands = {"as_of": moments[0], "quadrant": "routine", "tier": "growth", "segment": "at_risk", "health": 50.0}
    with writing(engine) as connection:
        connection.execute(account_segments.insert(), [{"account_id": name, **stands} for name in names])
        connection.execute(
            cuts.insert(),
            [
                {"name": f"severity_{word}", "value": value, "as_of": moments[0]}
                for word, value in (("medium", 10.0), ("high", 100.0), ("critical", 1000.0))
            ],
        )
        for target in TARGETS:
            said = {"target": target, "model_version": "1"}
            last = {**said, "as_of": moments[0], "horizon_days": 90, "model": f"benchmark-{target}", "probability": 0.5}
            connection.execute(
                scores.insert(), [{"account_id": name, **last, "data_as_of": moments[0]} for name in names]
            )
            history = [{"account_id": name, **said, "as_of": at, "answer": 0.5} for name in names for at in moments]
            connection.execute(score_history.insert(), history)


def register(history, tracking_uri):
    """Four LightGBM models of 300 trees of 15 leaves, as training would make them, of labels without meaning."""
    table = build_feature_table(history, AS_OF, CATALOG)
    draw = np.random.default_rng(0)
    for name, target in TARGETS.items():
        labels = draw.random(len(table)) < table["purchases_days_since_last"] / 60
        if target.answer == "amount":
            labels = np.log1p(table["purchases_amount_sum_365d"].clip(lower=0)) + draw.normal(0, 1, len(table))
        objective = {"probability": "binary", "amount": "regression"}[target.answer]
        parameters = {"objective": objective, "num_leaves": 15, "learning_rate": 0.03, "min_data_in_leaf": 5}
        data = lightgbm.Dataset(table.to_numpy(), labels)
        booster = lightgbm.train(parameters | {"verbosity": -1}, data, num_boost_round=300)
        scores = np.linspace(0, 1, 1001) if target.answer == "probability" else np.geomspace(1, 1e5, 1001)
        card = {
            "format": 1,
            "answer": target.answer,
            "target": target.to_json(),
            "rung": "lightgbm",
            "features": CATALOG.names,
            "fingerprint": fingerprint(CATALOG),
            "calibration": {"method": "platt", "parameters": {"slope": 0.9, "intercept": 0.1}},
            "trained_as_of": AS_OF.isoformat(),
            "reference": {"scores": scores.tolist()},
        }
        logged = Logged(f"benchmark-{name}", ModelCard.from_json(card), booster.model_to_string(), {}, {})
        log_and_register(logged, tracking_uri)


def bento(service):
    """The command that serves it."""
    return ["bentoml", "serve", service, "--host", "127.0.0.1", "--port"]


def mlflow_serve():
    """MLflow's own server, with one of the models as it was logged."""
    model = ["--model-uri", "models:/benchmark-churn@champion", "--env-manager", "local"]
    return ["mlflow", "models", "serve", *model, "--host", "127.0.0.1", "--workers", "1", "--port"]


class Started:
    """A service in a process group of its own: its port when entered, gone when left."""

    def __init__(self, command, folder, environment, ready="/readyz"):
        self.port, self.ready = free_port(), ready
        found = f"{ROOT}:{ROOT / 'benchmarks'}"
        quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml"), "PYTHONPATH": found}
        quiet |= {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self.log = (folder / f"log-{self.port}").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, str(self.port)],
            cwd=ROOT,
            env=os.environ | quiet | environment,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def __enter__(self):
        for _ in range(1200):
            if self.is_ready():
                return self.port
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        with contextlib.suppress(ProcessLookupError):
            self.__exit__()
        raise TimeoutError(f"ended or not ready after two minutes: {Path(self.log.name).read_text()}")

    def is_ready(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5) as asked:
            asked.sendall(f"GET {self.ready} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
            return asked.recv(1000).startswith(b"HTTP/1.1 200")
        return False

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)


if __name__ == "__main__":
    main()
