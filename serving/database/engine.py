"""The operational database, opened: SQLite so that readers never wait for a writer, PostgreSQL so that nobody waits for ever."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from features.errors import ExitCode, ForesailError

LOCAL = "sqlite:///"
WAIT_SECONDS = 2.0
"""How long a statement may wait for a lock or an answer before the database counts as unavailable."""
UPGRADE = "`foresail nightly` and `foresail serve` bring it up to date when they start"


class DatabaseUnavailable(ForesailError):
    """The operational database cannot be used now; the message says which, why, and what to do. Passwords are not in it."""

    exit_code = ExitCode.DATA


def opened(url: str, *, wait_seconds: float = WAIT_SECONDS) -> sa.Engine:
    """An engine on the database; nothing is connected yet. The folder of an SQLite file is made."""
    if url.startswith(LOCAL):
        path = Path(url.removeprefix(LOCAL))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as denied:
            raise DatabaseUnavailable(f"{path.parent} cannot be made ({denied.strerror})") from denied
        engine = sa.create_engine(url, connect_args={"timeout": wait_seconds}, hide_parameters=True)
        sa.event.listen(engine, "connect", _tune_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    milliseconds = int(wait_seconds * 1000)
    waits = f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c timezone=UTC"
    # A server that vanished without a word is noticed by the client alone.
    alive = {"keepalives_idle": 2, "keepalives_interval": 1, "keepalives_count": 2, "tcp_user_timeout": milliseconds}
    arguments = {"connect_timeout": max(1, int(wait_seconds)), "options": waits, **alive}
    how: Any = {"pool_size": 8, "pool_timeout": wait_seconds, "pool_pre_ping": True, "hide_parameters": True}
    return sa.create_engine(url, connect_args=arguments, **how)


def insert_missing(connection: sa.Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that leaves a row whose key is there already as it is."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


@contextmanager
def available(engine: sa.Engine) -> Iterator[None]:
    """Turns whatever a driver raises for a database that is down, locked, full or read-only into DatabaseUnavailable."""
    try:
        yield
    except sa.exc.TimeoutError as busy:
        raise DatabaseUnavailable(
            f"the database {shown(engine.url)} is busy: no connection became free in time"
        ) from busy
    except sa.exc.DBAPIError as error:
        if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError):
            raise
        raise unavailable(engine, error.orig) from error


def unavailable(engine: sa.Engine, error: BaseException | None) -> DatabaseUnavailable:
    """What a driver raised, on one line and without the values of parameters, as DatabaseUnavailable."""
    said = re.sub(r"\s+", " ", str(error)).strip()
    return DatabaseUnavailable(f"the database {shown(engine.url)} cannot be used: {said}")


def shown(url: sa.URL) -> str:
    """The URL for people to read, its password hidden."""
    return url.render_as_string(hide_password=True)


def _tune_sqlite(connection: Any, _: Any) -> None:
    # The driver begins transactions by itself, too late and without a lock; SQLAlchemy does it instead.
    connection.isolation_level = None
    for setting in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on", "cache_size = -64000"):
        connection.execute(f"pragma {setting}")


def _begin_sqlite(connection: sa.Connection) -> None:
    # A reader that turned writer half-way could be refused at once, however long it was willing to wait.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("begin immediate" if writes else "begin")


@contextmanager
def writing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection in one transaction that writes: committed at the end, rolled back if it raises. DatabaseUnavailable as `available`."""
    with available(engine), engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A connection that sees one state of the database. DatabaseUnavailable as `available`."""
    how: Any = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with available(engine), engine.connect().execution_options(**how) as connection, connection.begin():
        yield connection
