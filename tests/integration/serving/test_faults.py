"""What happens to callers when the database fails under a running service: they are told, and nothing has to be restarted."""

import json
import os
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import httpx
import pytest
import sqlalchemy as sa
from postgres import Postgres
from serving_company import ACCOUNTS, AS_OF, recency_card, register, settings_of, wait_until

from serving.accounts.states import refresh_states
from serving.database.engine import WAIT_SECONDS, opened, reading, writing
from serving.database.tables import event_inbox
from serving.database.upgrade import upgrade

SLACK_SECONDS = 2.0
"""What an answer may take beyond the wait on a machine that does nothing else."""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    uri = f"sqlite:///{tmp_path_factory.mktemp('registry')}/mlflow.db"
    register(uri, recency_card())
    return uri


@pytest.fixture(scope="module")
def serving(company, registry, start_service):
    """Starts a service on the company's accounts in the database at a URL."""

    def start(url):
        engine = opened(url)
        upgrade(engine)
        refresh_states(engine, company.history, AS_OF)
        settings = settings_of(company, database=url, tracking_uri=registry, models={"soon": "wholesaler-soon"})
        started = start_service(json.dumps(settings))
        wait_until(lambda: ask(started).status_code == 200, started.process, started.log)
        return SimpleNamespace(**vars(started), engine=engine, settings=settings)

    return start


@pytest.fixture(scope="module")
def on_postgresql(serving):
    server = Postgres()
    server.start()
    yield SimpleNamespace(**vars(serving(f"postgresql+psycopg://{server.address}/postgres")), server=server)
    server.remove()


@pytest.fixture(scope="module")
def on_sqlite(serving, tmp_path_factory):
    """On a disk of 8 MB, where one can be mounted; `disk` is None elsewhere."""
    folder = tmp_path_factory.mktemp("sqlite")
    mounted = (
        os.getuid() == 0 and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder]).returncode == 0
    )
    started = serving(f"sqlite:///{folder}/operational.db")
    yield SimpleNamespace(**vars(started), disk=folder if mounted else None)
    if mounted:
        # At once for those who look, and in fact when the last service has closed the file.
        subprocess.run(["umount", "--lazy", folder], check=True)


def ask(service, account="A0"):
    return service.client.post("/score", json={"account_ids": [account]})


def post(service, order, account="A0"):
    event = {
        "account_id": account,
        "stream": "purchases",
        "occurred_at": "2020-05-31T10:00:00Z",
        "amount": 9.5,
        "order_id": order,
    }
    return service.client.post("/v1/events", json={"events": [event]})


def assert_unavailable(response):
    """A problem that says so and when to try again, and not a word of a traceback."""
    assert response.status_code == 503, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "/problems/database-unavailable"
    assert int(response.headers["retry-after"]) > 0


def timed(call, *arguments):
    begun = time.monotonic()
    return call(*arguments), time.monotonic() - begun


def inbox(service):
    with reading(service.engine) as connection:
        return [json.loads(row)["order_id"] for row in connection.execute(sa.select(event_inbox.c.row)).scalars()]


def fill(filler):
    """Write until nothing more goes in."""
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)


@contextmanager
def alive(service):
    """Asks /livez all the while: the event loop must not wait for the database with the others.

    Yields a function that tells the most seconds that an answer may have taken: the wait, and what else a machine takes
    that is as busy as the slowest of these answers shows.
    """
    answers, over, begun = [], threading.Event(), time.monotonic()

    def watch():
        with httpx.Client(base_url=service.client.base_url, timeout=60) as client:
            while not over.is_set():
                answers.append(timed(client.get, "/livez"))
                time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: WAIT_SECONDS + SLACK_SECONDS + 4 * max((seconds for _, seconds in answers), default=0.0)
    finally:
        over.set()
        thread.join()
    assert {response.status_code for response, _ in answers} == {200}
    waits = (time.monotonic() - begun) / WAIT_SECONDS
    assert len(answers) > 2 * waits, "a loop that waited with the others would answer once a wait"


def test__postgresql_stops_while_it_is_asked__503_in_time_and_by_itself_again_when_it_is_back(on_postgresql):
    """Whatever is under way is cut off; nobody sees anything but an answer or the problem."""
    seen, over = [], threading.Event()

    def go_on(number):
        with httpx.Client(base_url=on_postgresql.client.base_url, timeout=30) as client:
            caller = SimpleNamespace(client=client)
            while not over.is_set():
                seen.append(timed(ask, caller, f"A{number}"))

    callers = [threading.Thread(target=go_on, args=(number,)) for number in range(3)]
    known = [f"A{number}" for number in range(3)]
    assert all(ask(on_postgresql, account).status_code == 200 for account in known)
    for caller in callers:
        caller.start()
    with alive(on_postgresql) as longest:
        wait_until(lambda: len(seen) > 10, on_postgresql.process, on_postgresql.log)
        on_postgresql.server.stop()
        wait_until(lambda: seen[-1][0].status_code == 503, on_postgresql.process, on_postgresql.log)
        refused, seconds = timed(post, on_postgresql, "while it is down")
        assert_unavailable(refused)
        assert seconds < longest()
        on_postgresql.server.start()
        wait_until(lambda: ask(on_postgresql).status_code == 200, on_postgresql.process, on_postgresql.log)
    over.set()
    for caller in callers:
        caller.join()
    assert {response.status_code for response, _ in seen} == {200, 503}
    for response, seconds in seen:
        assert seconds < longest()
        if response.status_code == 503:
            assert_unavailable(response)
    assert post(on_postgresql, "when it is back").json()["accepted"] == 1
    assert inbox(on_postgresql) == ["when it is back"]


def test__postgresql_locked__503_after_the_wait_while_others_are_answered_and_then_as_ever(on_postgresql):
    """A table that somebody holds is a slow database: nobody waits longer than the wait."""
    with alive(on_postgresql) as longest, writing(on_postgresql.engine) as connection:
        connection.execute(sa.text("lock table account_states in access exclusive mode"))
        response, seconds = timed(ask, on_postgresql)
        assert_unavailable(response)
        assert WAIT_SECONDS * 0.9 < seconds < longest()
        assert on_postgresql.client.get("/v1/models").status_code == 200
    assert ask(on_postgresql).status_code == 200


def test__postgresql_read_only__reads_go_on_and_writes_are_refused(on_postgresql):
    """As a standby is, or a server whose disk is nearly full."""

    def turn(read_only):
        with on_postgresql.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(sa.text("set default_transaction_read_only = off"))
            connection.execute(sa.text(f"alter database postgres set default_transaction_read_only = {read_only}"))
            connection.execute(
                sa.text(
                    "select pg_terminate_backend(pid) from pg_stat_activity where pid != pg_backend_pid() and datname = 'postgres'"
                )
            )

    turn("on")
    try:
        assert ask(on_postgresql).status_code == 200
        assert_unavailable(post(on_postgresql, "read-only"))
        assert ask(on_postgresql).status_code == 200
    finally:
        turn("off")
    assert post(on_postgresql, "writable again").json()["accepted"] == 1
    assert "read-only" not in inbox(on_postgresql)


def test__sqlite_locked_by_a_long_writer__reads_go_on_and_writes_503_until_it_is_done(on_sqlite):
    with alive(on_sqlite) as longest, writing(on_sqlite.engine) as connection:
        connection.execute(sa.delete(event_inbox))
        assert ask(on_sqlite).status_code == 200
        response, seconds = timed(post, on_sqlite, "locked")
        assert_unavailable(response)
        assert WAIT_SECONDS * 0.9 < seconds < longest()
        assert ask(on_sqlite).status_code == 200
    assert post(on_sqlite, "free again").json()["accepted"] == 1
    assert inbox(on_sqlite) == ["free again"]


def test__disk_full__events_are_refused_reads_go_on_and_it_recovers_when_there_is_room(on_sqlite):
    """An event is either kept or refused: none is answered for and lost."""
    if on_sqlite.disk is None:
        pytest.skip("a small disk can be mounted by root alone")
    service, before = on_sqlite, inbox(on_sqlite)
    filler = service.disk / "filler"
    fill(filler)
    answers = [post(service, str(number)) for number in range(30)]
    kept = [str(number) for number, answer in enumerate(answers) if answer.status_code == 200]
    assert len(kept) < 30
    for answer in answers:
        if answer.status_code != 200:
            assert_unavailable(answer)
    assert ask(service).status_code == 200
    filler.unlink()
    assert post(service, "room again").json()["accepted"] == 1
    assert inbox(service) == [*before, *kept, "room again"]


def test__killed_and_started_again__nothing_that_was_accepted_is_lost(on_sqlite, start_service):
    """Killed without warning right after its answer; what is posted again is known to be the same."""
    fresh = next(account for account in ACCOUNTS if ask(on_sqlite, account).status_code == 200)
    assert post(on_sqlite, "before the kill", fresh).json()["accepted"] == 1
    before = ask(on_sqlite, fresh).json()
    os.killpg(on_sqlite.process.pid, signal.SIGKILL)
    on_sqlite.process.wait(60)
    again = start_service(json.dumps(on_sqlite.settings))
    wait_until(lambda: ask(again).status_code == 200, again.process, again.log)
    assert ask(again, fresh).json() == before
    assert post(again, "before the kill", fresh).json()["duplicate"] == 1
    assert "before the kill" in inbox(on_sqlite)
