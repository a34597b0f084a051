"""Account states in the operational database, brought up to date with the history: bucket by bucket, and only where it changed."""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import islice

import pyarrow as pa
import sqlalchemy as sa

from features.engine.account_state import VERSION, BucketStates
from features.history.store import History
from features.history.streams import STREAMS
from features.progress import StepProgress
from serving.database.bulk import put
from serving.database.engine import reading, writing
from serving.database.tables import account_states, state_buckets

ROWS_AT_ONCE = 20_000
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Refreshed:
    """What was brought up to date: buckets whose files had changed, and the accounts and bytes of their states."""

    buckets: int
    unchanged: int
    accounts: int
    bytes: int


def refresh_states(
    engine: sa.Engine, history: History, as_of: datetime, progress: StepProgress | None = None
) -> Refreshed:
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
    with closing(_ahead(partial(BucketStates.of, pinned), changed)) as found:
        for done, (bucket, states) in enumerate(zip(changed, found, strict=True), start=1):
            with writing(engine) as connection:
                _write(connection, bucket, states, files[bucket], as_of)
            accounts, size = accounts + len(states.accounts), size + len(states.bodies)
            if progress:
                progress(done, len(changed), "states of accounts")
    return Refreshed(len(changed), len(files) - len(changed), accounts, size)


def _ahead(states_of: Callable[[int], BucketStates], buckets: Iterable[int]) -> Generator[BucketStates, None, None]:
    """The states of each bucket, those of the next being made while the database takes these."""
    with ThreadPoolExecutor(1) as pool:
        made: deque[Future[BucketStates]] = deque()
        for bucket in buckets:
            made.append(pool.submit(states_of, bucket))
            if len(made) > 1:
                yield made.popleft().result()
        yield from (last.result() for last in made)


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
    for rows in _rows(bucket, states, as_of):
        # Where the history was divided differently before, they stand in another bucket still.
        put(connection, account_states, rows)
    connection.execute(sa.insert(state_buckets).values(bucket=bucket, files=files, as_of=as_of))


def _rows(bucket: int, states: BucketStates, as_of: datetime) -> Iterator[pa.Table]:
    """The rows of `account_states`, some thousand at a time."""
    each = iter(states)
    while some := list(islice(each, ROWS_AT_ONCE)):
        accounts, first_known, bodies = zip(*some, strict=True)
        yield pa.table({
            "account_id": pa.array(accounts, pa.string()),
            "bucket": pa.repeat(pa.scalar(bucket, pa.int32()), len(some)),
            "first_known": pa.array(first_known, _TIME),
            "as_of": pa.repeat(pa.scalar(as_of, _TIME), len(some)),
            "state": pa.array(bodies, pa.binary()),
        })  # fmt: skip
