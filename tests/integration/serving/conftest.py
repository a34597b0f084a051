"""Fixtures: the company with its history, and the service started on a free port of this machine."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from serving_company import (
    ACCOUNTS,
    AS_OF,
    answers,
    boosted_card,
    bring_up_to_date,
    free_port,
    ingest_rows,
    recency_card,
    wait_until,
)

from features.catalog import CATALOG
from features.engine.table import build_feature_table
from serving.database.engine import opened

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def company(tmp_path_factory):
    """A history and the states made of it, a registry that is still empty, and two models to put into it."""
    folder = tmp_path_factory.mktemp("company")
    history = ingest_rows(folder, ACCOUNTS)
    bring_up_to_date(folder, history)
    table = build_feature_table(history, AS_OF, CATALOG)
    return SimpleNamespace(
        folder=folder,
        history=history,
        table=table,
        boosted=boosted_card(table),
        recency=recency_card(),
        tracking_uri=f"sqlite:///{folder}/registry/mlflow.db",
    )


@pytest.fixture(scope="session")
def start_service(tmp_path_factory):
    """Starts `bentoml serve` in a process group of its own and stops that group at the end."""
    started = []

    def start(settings, **more):
        folder = tmp_path_factory.mktemp("service")
        port = free_port()
        environment = os.environ | {
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(folder / "bentoml"),
            "FORESAIL_SERVING": settings,
            **more,
        }
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "bentoml", "serve", "serving.service:Foresail", "--host", "127.0.0.1", "--port", str(port)],
                cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        started.append(process)
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        wait_until(lambda: answers(client, "/livez"), process, folder / "log")
        return SimpleNamespace(client=client, log=folder / "log", process=process)

    yield start
    for process in started:
        with suppress(ProcessLookupError):  # a test may have ended it
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.fixture
def database(migrated_database):
    """An engine on a database whose tables are made and empty."""
    engine = opened(migrated_database)
    yield engine
    engine.dispose()
