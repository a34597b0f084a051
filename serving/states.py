"""Account states in the operational database, brought up to date with the history: bucket by bucket, and only where it changed."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

import sqlalchemy as sa

from features.compact import VERSION, BucketStates
from features.history import History
from features.moments import moment
from features.streams import STREAMS
from serving.database.bulk import driver_of
from serving.database.engine import reading, writing
from serving.database.tables import account_states, state_buckets

Progress = Callable[[int, int, str], None]

ROWS_AT_ONCE = 2_000
_COLUMNS = ("account_id", "bucket", "first_known", "as_of", "state")
_OIDS = ("text", "int4", "timestamptz", "timestamptz", "bytea")


@dataclass(frozen=True)
class Refreshed:
    """What was brought up to date: buckets whose files had changed, and the accounts and bytes of their states."""

    buckets: int
    unchanged: int
    accounts: int
    bytes: int


def refresh_states(engine: sa.Engine, history: History, as_of: datetime, progress: Progress | None = None) -> Refreshed:
    """Write the states of every bucket whose files are not those that its states were made of, a transaction a bucket.

    All streams are read at the versions of the first moment. States of accounts that the history no longer has go.
    Killed anywhere and asked for again, it writes what is left. DatabaseUnavailable and HistoryError as they come.
    """
    pinned = history.at(history.versions())
    files = [_files(pinned, bucket) for bucket in range(pinned.buckets)]
    stored = _stored(engine)
    changed = [bucket for bucket, own in enumerate(files) if stored.get(bucket) != own]
    _remove_other_buckets(engine, pinned.buckets, stored)
    accounts = size = 0
    for done, bucket in enumerate(changed, start=1):
        states = BucketStates.of(pinned, bucket)
        with writing(engine) as connection:
            _write(connection, bucket, states, files[bucket], as_of)
        accounts, size = accounts + len(states.accounts), size + len(states.bodies)
        if progress:
            progress(done, len(changed), "states of accounts")
    return Refreshed(len(changed), len(files) - len(changed), accounts, size)


def _files(history: History, bucket: int) -> str:
    """What tells the states of a bucket from others: the format, and the files of the history that they are made of."""
    snapshots = {stream: history.snapshot(stream) for stream in STREAMS}
    paths = {stream: [file.path for file in found.of(bucket)] for stream, found in snapshots.items() if found}
    told = [VERSION, history.root, history.buckets, {stream: own for stream, own in paths.items() if own}]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _stored(engine: sa.Engine) -> dict[int, str]:
    with reading(engine) as connection:
        rows = connection.execute(sa.select(state_buckets.c.bucket, state_buckets.c.files)).all()
    return {int(bucket): str(files) for bucket, files in rows}


def _remove_other_buckets(engine: sa.Engine, buckets: int, stored: Iterable[int]) -> None:
    """Rows of buckets that a history which was divided differently had."""
    if all(bucket < buckets for bucket in stored):
        return
    with writing(engine) as connection:
        for table in (account_states, state_buckets):
            connection.execute(sa.delete(table).where(table.c.bucket >= buckets))


def _write(connection: sa.Connection, bucket: int, states: BucketStates, files: str, as_of: datetime) -> None:
    if connection.dialect.name == "postgresql":
        # A bucket takes longer than a page may wait, and another refresh may be at the same one.
        connection.exec_driver_sql("set local statement_timeout = 0")
        connection.exec_driver_sql("set local lock_timeout = 0")
        connection.exec_driver_sql("lock table state_buckets in share row exclusive mode")
    for table in (account_states, state_buckets):
        connection.execute(sa.delete(table).where(table.c.bucket == bucket))
    for start in range(0, len(states.accounts), ROWS_AT_ONCE):
        # Where the history was divided differently before, they stand in another bucket still.
        own = account_states.c.account_id.in_(states.accounts[start : start + ROWS_AT_ONCE])
        connection.execute(sa.delete(account_states).where(own))
    _insert(connection, _rows(connection.dialect, bucket, states, as_of))
    connection.execute(sa.insert(state_buckets).values(bucket=bucket, files=files, as_of=as_of))


def _rows(
    dialect: sa.Dialect, bucket: int, states: BucketStates, as_of: datetime
) -> Iterator[tuple[str, int, Any, Any, bytes]]:
    """Rows in the order of `_COLUMNS`, moments as the driver takes them."""
    bind: Any = account_states.c.first_known.type.dialect_impl(dialect).bind_processor(dialect) or (lambda value: value)
    written_as_of = bind(as_of)
    for account, first_known, state in states:
        yield account, bucket, bind(moment(first_known)), written_as_of, state


def _insert(connection: sa.Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, rows)
        return
    statement = f"insert into account_states ({', '.join(_COLUMNS)}) values (?, ?, ?, ?, ?)"  # noqa: S608  ours alone
    while chunk := list(islice(rows, ROWS_AT_ONCE)):
        connection.exec_driver_sql(statement, chunk)


def _copy(connection: sa.Connection, rows: Iterator[tuple[Any, ...]]) -> None:
    with (
        driver_of(connection) as driver,
        driver.cursor() as cursor,
        cursor.copy(f"copy account_states ({', '.join(_COLUMNS)}) from stdin (format binary)") as copy,
    ):
        copy.set_types(_OIDS)
        for row in rows:
            copy.write_row(row)
