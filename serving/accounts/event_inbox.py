"""The event inbox: events that were posted and are not in the history yet.

The night folds them in: `fold` ingests them, the states of accounts are refreshed, and `clear` removes what was folded. Each step may be
repeated: an event has one identity from its posting on, so that the history takes it once, and the service counts it
once while it is in both.
"""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from features.history.ingest.ingestion import IngestReport, Source, ingest
from features.history.ingest.sources import POSTED
from features.history.store import ARROW_TYPES, History
from features.history.streams import STREAMS, Stream
from serving.database.engine import insert_missing, reading, writing
from serving.database.tables import event_inbox

AT_ONCE = 10_000
"""Rows in one statement or one batch of a file."""


@dataclass(frozen=True)
class PostedEvent:
    """A good row: what the table event_inbox has of it. `row` is the JSON of the stream's columns that are there."""

    account_id: str
    stream: str
    event_id: str
    occurred_at: datetime
    known_at: datetime
    row: str

    @property
    def identity(self) -> tuple[str, str, str]:
        """What is one event, however often it is posted."""
        return self.account_id, self.stream, self.event_id


@dataclass(frozen=True)
class Folded:
    """What a fold brought into the history, by stream, and the inbox positions that are settled by it."""

    reports: Mapping[str, IngestReport]
    positions: Sequence[int]

    @property
    def refused(self) -> dict[str, int]:
        """How many events were refused, by stream and kind of reason: a rule has become stricter since they were posted."""
        return {
            f"{stream}: {kind}": count
            for stream, report in self.reports.items()
            for kind, count in report.reasons.items()
        }


def post(
    connection: sa.Connection, events: Sequence[PostedEvent], received_at: datetime, key_id: str | None
) -> list[bool]:
    """Put events into the inbox, in the transaction of the connection: whether each is new there.

    Of events with one identity the first stays, be it posted before or in the same request.
    """
    # Two posts that share events take them in one order, or each could wait for the other.
    rows = {event.identity: _inbox_row(event, received_at, key_id) for event in reversed(events)}
    identity = event_inbox.c.account_id, event_inbox.c.stream, event_inbox.c.event_id
    statement = insert_missing(connection, event_inbox).returning(*identity)
    stored = (
        {tuple(row) for row in connection.execute(statement, [rows[key] for key in sorted(rows)])} if rows else set()
    )
    return [_taken(stored, event.identity) for event in events]


def _taken(stored: set[tuple[Any, ...]], identity: tuple[str, str, str]) -> bool:
    """Whether this is the first event of its identity, and was stored."""
    is_first = identity in stored
    stored.discard(identity)
    return is_first


def _inbox_row(event: PostedEvent, received_at: datetime, key_id: str | None) -> dict[str, Any]:
    return {**vars(event), "received_at": received_at, "key_id": key_id}


def fold(
    engine: sa.Engine, history: History, folder: Path, *, as_of: datetime, timezone: str, earliest: datetime
) -> Folded:
    """Ingest what was posted and is known by as_of; what became known later waits for a later night.

    The files that are ingested are written to `folder`, one a stream and always called the same, so that bookmarks do not
    grow; they are gone afterwards, with what they tell of accounts. Every row read is settled: in the history now or before, in its quarantine if a rule has become
    stricter, or turned away because its account was erased. Rows of merged accounts land with the account that survives.
    Killed at any moment, another fold does the same.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reports, positions = dict[str, IngestReport](), list[int]()
    for stream in STREAMS.values():
        file = folder / f"{stream.name}.parquet"
        found = _write(engine, stream, as_of, file)
        if found:
            source = Source(POSTED, stream.name, file.name, folder)
            reports[stream.name] = ingest(
                history, source, as_of=as_of, timezone=timezone, earliest=earliest, everything=True
            )
            file.unlink()
        positions += found
    return Folded(reports, positions)


def clear(engine: sa.Engine, positions: Sequence[int]) -> None:
    """Remove what was folded. Only once the states of accounts have it: until then the service sees it here."""
    for start in range(0, len(positions), AT_ONCE):
        # A transaction for each portion, so that whoever posts meanwhile gets a turn.
        with writing(engine) as connection:
            portion = event_inbox.c.position.in_(positions[start : start + AT_ONCE])
            connection.execute(sa.delete(event_inbox).where(portion))


def _write(engine: sa.Engine, stream: Stream, as_of: datetime, path: Path) -> list[int]:
    """Write the pending rows of a stream; their positions. No file where there is none."""
    schema = pa.schema([pa.field(column.name, ARROW_TYPES[column.type]) for column in stream.columns])
    positions: list[int] = []
    with reading(engine) as connection:
        batches = _pending(connection, stream, as_of)
        first = next(batches, None)
        if first is None:
            return []
        with pq.ParquetWriter(path, schema) as writer:
            for batch in itertools.chain([first], batches):
                positions += [position for position, _ in batch]
                writer.write_table(pa.Table.from_pylist([_typed(stream, row) for _, row in batch], schema=schema))
    return positions


def _pending(connection: sa.Connection, stream: Stream, as_of: datetime) -> Iterator[list[tuple[int, str]]]:
    query = (
        sa.select(event_inbox.c.position, event_inbox.c.row)
        .where(event_inbox.c.stream == stream.name, event_inbox.c.known_at <= as_of)
        .order_by(event_inbox.c.position)
        .execution_options(yield_per=AT_ONCE)
    )
    for batch in connection.execute(query).partitions():
        yield [(position, row) for position, row in batch]


def _typed(stream: Stream, row: str) -> dict[str, Any]:
    """A row as it was checked, from its JSON."""
    read: dict[str, Any] = json.loads(row)
    times = [column.name for column in stream.columns if column.type == "time" and column.name in read]
    return read | {name: datetime.fromisoformat(read[name]) for name in times}
