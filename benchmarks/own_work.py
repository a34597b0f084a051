"""What scoring one known account takes of us, without HTTP: find it, lay it out, compute its features, ask four models.

    python benchmarks/own_work.py [--events 200000] [--postgresql postgresql+psycopg://user@host/database]

A company whose accounts have 20 events on average, its states in an SQLite file and, if one is named, in a PostgreSQL
database. Accounts of about 20 and about 200 events are asked for in turn, alone. The rows are first compared with the
feature table's, bit for bit. `posted today` is an account with one event in the inbox. Times are medians; the machine's
other work is in them.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import lightgbm
import numpy as np
import pandas as pd
import sqlalchemy as sa
from generate import LAST, company
from measure import Line, note

from features.catalog import CATALOG, fingerprint
from features.engine.account_state import BucketStates, State
from features.engine.feature_names import Names
from features.engine.plan import FeatureSet
from features.engine.state_packing import layout_of, pack_state
from features.engine.table import build_feature_table, one_row
from features.families.eligibility import OPTED_OUT
from features.history.store import History
from features.history.streams import STREAMS
from registry.card import ModelCard
from registry.loader import LoadedModel, Target
from registry.registered_model import ScoreModel
from serving.accounts.reader import Accounts
from serving.accounts.states import refresh_states
from serving.database.engine import opened, writing
from serving.database.tables import event_inbox
from serving.database.upgrade import upgrade
from serving.scoring.scores import Rows, score_rows
from training.data.targets import ChurnTarget

FEATURES = FeatureSet(dict.fromkeys([*CATALOG, OPTED_OUT]))
"""The whole catalog, and what says who may be scored."""
LAYOUT, NAMES = layout_of(FEATURES.plan), Names(FEATURES.names)
MODELS, TREES, ASKED, ROUNDS = 4, 300, 40, 25


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=200_000)
    arguments.add_argument("--postgresql", help="URL of a database that may be filled")
    given = arguments.parse_args()
    history = company(given.events)
    table = build_feature_table(history, LAST, FEATURES)
    models = [model(table, seed) for seed in range(MODELS)]
    sizes = sizes_of(history)
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/operational.db", "PostgreSQL": given.postgresql}
        for name, url in urls.items():
            if url is not None:
                note_database(name, url, history, table, models, sizes)


def note_database(
    name: str, url: str, history: History, table: pd.DataFrame, models: Sequence[LoadedModel], sizes: dict[str, int]
) -> None:
    engine = opened(url)
    upgrade(engine)
    begun = time.process_time()
    written = refresh_states(engine, history, LAST)
    seconds = time.process_time() - begun
    lines = [
        Line(
            "states of all accounts, each",
            seconds / max(written.accounts, 1),
            note=f"{written.accounts:,} accounts, {written.bytes / sum(sizes.values()):.1f} bytes an event; CPU time",
        )
    ]
    accounts = Accounts(engine, FEATURES)
    for events in (20, 200):
        asked = sorted(sizes, key=lambda account: abs(sizes[account] - events))[:ASKED]
        assert_as_the_table(accounts, asked, table)
        lines += stages(accounts, asked, models, events)
        post(engine, asked[0])
        lines.append(
            Line(f"{events} events, posted today: whole", timed(lambda one: whole(accounts, one, models), asked[:1]))
        )
    note(
        f"own_work_{name}",
        f"One account out of {name}, {len(FEATURES)} features, {MODELS} models of {TREES} trees",
        lines,
    )
    engine.dispose()


def stages(accounts: Accounts, asked: Sequence[str], models: Sequence[LoadedModel], events: int) -> list[Line]:
    """The seconds of each step, then of all together."""
    states = {account: accounts.known([account])[account].state for account in asked}
    packed = {account: pack_state(state, LAYOUT) for account, state in states.items()}
    rows = {account: one_row(packed[account], FEATURES.plan.program, LAST) for account in asked}
    steps: dict[str, Callable[[str], object]] = {
        "look up": lambda one: accounts.known([one]),
        "lay out": lambda one: pack_state(states[one], LAYOUT),
        "kernel": lambda one: one_row(packed[one], FEATURES.plan.program, LAST),
        "four models": lambda one: scores(rows[one], models),
        "whole": lambda one: whole(accounts, one, models),
    }
    return [Line(f"{events} events: {step}", timed(work, asked)) for step, work in steps.items()]


def whole(accounts: Accounts, account: str, models: Sequence[LoadedModel]) -> object:
    """From an id to four scores."""
    (row,) = accounts.rows([account], LAST)
    return scores(row, models)


def scores(row: np.ndarray, models: Sequence[LoadedModel]) -> object:
    rows = Rows(NAMES, row.reshape(1, -1))
    return [score_rows(loaded, rows) for loaded in models]


def timed(work: Callable[[str], object], asked: Sequence[str]) -> float:
    """Median seconds of a call."""
    for account in asked:
        work(account)
    return statistics.median(_once(work, account) for _ in range(ROUNDS) for account in asked)


def _once(work: Callable[[str], object], account: str) -> float:
    start = time.perf_counter()
    work(account)
    return time.perf_counter() - start


def assert_as_the_table(accounts: Accounts, asked: Sequence[str], table: pd.DataFrame) -> None:
    for account, row in zip(asked, accounts.rows(asked, LAST), strict=True):
        assert row.tobytes() == table.loc[(account, LAST)].to_numpy().tobytes(), account


def sizes_of(history: History) -> dict[str, int]:
    """How many events each account has."""
    return {
        account: sum(len(State(state).event_ids(stream)) for stream in STREAMS)
        for bucket in range(history.buckets)
        for account, _, state in BucketStates.of(history, bucket)
    }


def post(engine: sa.Engine, account: str) -> None:
    """An order of an hour ago that no ingest has read."""
    moment = LAST - timedelta(hours=1)
    told = {"kind": "order", "amount": 9.5, "order_id": "posted"}
    times = {"occurred_at": moment, "known_at": moment}
    row = json.dumps(told | {name: time.isoformat() for name, time in times.items()})
    with writing(engine) as connection:
        connection.execute(
            sa.insert(event_inbox).values(
                account_id=account, stream="purchases", event_id="posted", received_at=moment, row=row, **times
            )
        )


def model(table: pd.DataFrame, seed: int) -> LoadedModel:
    """300 trees of 15 leaves on the whole catalog, of labels without meaning, calibrated."""
    labels = np.random.default_rng(seed).random(len(table)) < table["purchases_days_since_last"].fillna(400) / 60
    parameters = {
        "objective": "binary",
        "num_leaves": 15,
        "learning_rate": 0.03,
        "verbosity": -1,
        "min_data_in_leaf": 5,
    }
    booster = lightgbm.train(
        parameters, lightgbm.Dataset(table[CATALOG.names].to_numpy(), labels), num_boost_round=TREES
    )
    target = ChurnTarget("churn", horizon_days=90, active_within_days=None).to_json()
    card = {
        "format": 1, "target": target, "rung": "lightgbm", "features": CATALOG.names, "fingerprint": fingerprint(CATALOG),
        "calibration": {"method": "platt", "parameters": {"slope": 0.9, "intercept": -0.1}},
        "trained_as_of": LAST.isoformat(), "reference": {"scores": np.linspace(0, 1, 1001).tolist()},
    }  # fmt: skip
    served = Target.of(ModelCard.from_json(card))
    return LoadedModel("benchmark", "1", ScoreModel(card, booster.model_to_string()), served)


if __name__ == "__main__":
    main()
