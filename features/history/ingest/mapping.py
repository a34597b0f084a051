"""How each source was mapped when it was last ingested.

Rows without an event_id of their own are identified by what they say, so the same file mapped in another way would be
stored a second time. Whoever changes a select is told so, and ingests with `replace`.
"""

import hashlib
import json
from typing import Any

import pyarrow as pa

from features.history.ingest.sources import Source, file_format
from features.history.store import History

TABLE = "mappings"
SCHEMA = pa.schema([("source", pa.string()), ("stream", pa.string()), ("mapping", pa.string()), ("number", pa.int64())])
"""One row each time a source was ingested with another mapping than before; the highest number is in force."""


def mapping_of(source: Source, timezone: str) -> str:
    """What the content of its rows depends on besides the files, as a hash; blanks in the select do not count."""
    parts: list[Any] = [
        " ".join(source.select.split()),
        file_format(source),
        dict(source.options),
        dict(source.tables),
        timezone,
    ]
    if source.database is not None:
        parts += [source.database.query, source.database.table]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def in_force(history: History, source: Source) -> str | None:
    """The mapping with which the source was last ingested into its stream; None if it never was."""
    own = [row for row in _stored(history) if (row["source"], row["stream"]) == (source.name, source.stream)]
    return str(max(own, key=lambda row: row["number"])["mapping"]) if own else None


def note(history: History, source: Source, mapping: str) -> None:
    """Keep a mapping as the one in force; nothing to write where it is already."""
    if in_force(history, source) != mapping:
        row = {"source": source.name, "stream": source.stream, "mapping": mapping, "number": len(_stored(history))}
        history.append(TABLE, pa.Table.from_pylist([row], schema=SCHEMA))


def _stored(history: History) -> list[dict[str, Any]]:
    rows = history.rows_of(TABLE)
    return [] if rows is None else rows.to_pylist()
