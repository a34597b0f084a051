"""One night at a time: locks that die with their owner, on this machine and at the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import sqlalchemy as sa

from features.errors import ExitCode, ForesailError
from features.history.file_lock import file_lock
from serving.database.engine import available, shown
from serving.nightly.night.journal import NightRefused

KEY = 0x666F7265736169
"""What nights of all machines agree on: "foresai" in ASCII, as a number for PostgreSQL."""

PATIENCE = 3.0
"""Seconds that the database may take to see that the session of a night that is over has ended."""


class NightRunning(ForesailError):
    """Another night is at work; the message says whose."""

    exit_code = ExitCode.ALREADY_RUNNING


@contextmanager
def only_night(folder: Path, engine: sa.Engine) -> Iterator[None]:
    """Held while a night runs; NightRunning if another one holds it, after PATIENCE at most.

    A lock on a file keeps apart the processes of a machine. Two machines that share PostgreSQL are kept apart by a lock
    of its session, which ends with the connection, and so with the process.
    """
    with (
        file_lock(folder / ".lock", NightRefused, busy=NightRunning, other="another night"),
        _session_lock(engine),
    ):
        yield


@contextmanager
def _session_lock(engine: sa.Engine) -> Iterator[None]:
    if engine.dialect.name != "postgresql":
        yield
        return
    with available(engine), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as session:
        session.detach()  # closed at the end, not kept for others with the lock on it
        if not _taken(session):
            raise NightRunning(f"another night runs at {shown(engine.url)} ({_holder(session)}): wait for it")
        yield


def _taken(session: sa.Connection) -> bool:
    """Whether the lock could be had. That of a process just ended is let go of a moment after it."""
    until = monotonic() + PATIENCE
    while not session.execute(sa.select(sa.func.pg_try_advisory_lock(KEY))).scalar_one():
        if monotonic() > until:
            return False
        sleep(0.05)
    return True


def _holder(session: sa.Connection) -> str:
    """Who holds the lock, as far as the database knows."""
    found = session.execute(
        sa.text(
            "select a.client_addr::text, a.pid, a.backend_start from pg_locks l join pg_stat_activity a using (pid) "
            "where l.locktype = 'advisory' and l.granted and (l.classid::bigint << 32) + l.objid::bigint = :key"
        ),
        {"key": KEY},
    ).first()
    if found is None:
        return "which has just ended"
    address, process, since = found
    return f"from {address or 'the machine of the database'}, since {since:%Y-%m-%d %H:%M}, its process {process}"
