"""Arrivals: one row for each ingest of each source, with its moment and its number of rows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from features.history.store import TEXT, TIME, History

TABLE = "arrivals"
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("source", TEXT),
        ("stream", TEXT),
        ("as_of", TIME),
        ("read", pa.int64()),
        ("kept", pa.int64()),
        ("committed_at", TIME),
    ]
)
"""One row per ingest, numbered in order; `committed_at` is when Delta wrote its rows, null where no row was new."""
LINES_TO_KEEP = 200


@dataclass(frozen=True)
class Arrival:
    """The last ingest of a source: its as_of, how many rows it read and kept, and when a new row was last written."""

    as_of: datetime
    read: int
    kept: int
    committed_at: datetime | None


def note(history: History, source: str, stream: str, as_of: datetime, read: int, kept: int) -> None:
    """Keep that a source was ingested. Called with the history locked."""
    _shorten(history)
    number = max((row["number"] for row in _stored(history)), default=0) + 1
    row = {
        "number": number, "source": source, "stream": stream, "as_of": as_of, "read": read, "kept": kept,
        "committed_at": _committed_at(history, stream) if kept else None,
    }  # fmt: skip
    history.append(TABLE, pa.Table.from_pylist([row], schema=SCHEMA))


def last_arrivals(history: History) -> dict[tuple[str, str], Arrival]:
    """By stream and source, the ingest with the latest as_of."""
    last: dict[tuple[str, str], Arrival] = {}
    for row in sorted(_stored(history), key=lambda row: (row["as_of"], row["number"])):
        key = row["stream"], row["source"]
        before = last[key].committed_at if key in last else None
        written = max(filter(None, (before, row["committed_at"])), default=None)
        last[key] = Arrival(row["as_of"], row["read"], row["kept"], written)
    return last


def _shorten(history: History) -> None:
    """Put the last arrivals in the place of all lines, once they are many; each is a file of its own until then."""
    if len(_stored(history)) > LINES_TO_KEEP:
        last = last_arrivals(history).items()
        rows = [
            {"number": number, "stream": stream, "source": source, **vars(arrival)}
            for number, ((stream, source), arrival) in enumerate(last)
        ]
        history.rewrite(TABLE, pa.Table.from_pylist(rows, schema=SCHEMA))


def _committed_at(history: History, stream: str) -> datetime | None:
    table = history.table(stream)
    commits = table.history(1) if table is not None else []
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=commits[0]["timestamp"]) if commits else None


def _stored(history: History) -> list[dict[str, Any]]:
    rows = history.rows_of(TABLE)
    return [] if rows is None else rows.to_pylist()
