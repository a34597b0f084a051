"""How far each source has been read: its files, its cursor in a database, and the mapping in force.

A file is known by its size, times and inode, a database by the value that its cursor column has reached. Such a mark
holds for one way of reading (`reading_of`): the same select, rules, further tables and stream. If any of them has
changed, all is read again. Marks are written after the rows are committed, so that a killed ingest reads too much and
never too little.

The mapping of a source (`mapping_of`) is kept as well. Rows without an event_id of their own are identified by their
content, so the same file under another mapping would be stored a second time: staging refuses a changed mapping of such
rows, and `replace` takes it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.history.ingest import sql_source
from features.history.ingest.sources import Source, file_format
from features.history.ingest.validation import Bounds
from features.history.store import History
from features.history.streams import STREAMS

MARKS_TABLE = "bookmarks"
MARKS_SCHEMA = pa.schema([(name, pa.string()) for name in ("source", "stream", "reading", "name", "mark")])
"""One row for each file and cursor: its `mark` is how far it was read in the `reading` that is in force."""

MAPPINGS_TABLE = "mappings"
MAPPINGS_SCHEMA = pa.schema(
    [("source", pa.string()), ("stream", pa.string()), ("mapping", pa.string()), ("number", pa.int64())]
)
"""One row each time a source was ingested with another mapping than before; the highest number is in force."""

Marks = Sequence[tuple[str, str]]
"""The name of a file or cursor, and how far it was read."""

Lookups = Mapping[str, Mapping[str, str]]
"""The files of each further table of a source, and the mark of each."""


@dataclass(frozen=True)
class ReadingPlan:
    """The part of a source that one ingest reads: the files whose marks have changed, or the rows beyond the cursor."""

    mapping: str
    earliest: datetime
    lookups: Lookups
    files: Sequence[Path] = ()
    marks: Marks = ()
    """Taken before anything is read, as `lookups` are: rows that are written to a file meanwhile are read next time."""
    unchanged: Sequence[Path] = ()
    since: sql_source.Reached | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every file was read before and is still the same."""
        return bool(self.files) and len(self.unchanged) == len(self.files)


def plan_reading(history: History, source: Source, bounds: Bounds, *, again: bool) -> ReadingPlan:
    """The plan of an ingest that starts now; with `again` everything is read, even if it was read before."""
    mapping, lookups = mapping_of(source, bounds.timezone), _lookups_of(source)
    reading = reading_of(history, source, mapping, bounds.earliest, lookups)
    known = {} if again else marks_of(history, source, reading)
    if source.database is not None:
        reached = known.get(cursor_name(source))
        since = sql_source.from_stored(reached) if reached else None
        return ReadingPlan(mapping, bounds.earliest, lookups, since=since)
    files = source.files()
    marks = [(file_name(source, path), mark_of(path)) for path in files]
    unchanged = [path for path in files if known.get(file_name(source, path)) == mark_of(path)]
    return ReadingPlan(mapping, bounds.earliest, lookups, files, marks, unchanged)


def note_reading(history: History, source: Source, plan: ReadingPlan, marks: Marks) -> None:
    """Keep how far a source has been read, once its rows are committed."""
    reading = reading_of(history, source, plan.mapping, plan.earliest, plan.lookups)
    note_marks(history, source, reading, marks)


def mapping_of(source: Source, timezone: str) -> str:
    """A hash of everything but the files that the content of a source's rows depends on; blanks in the select do not count."""
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


def mapping_in_force(history: History, source: Source) -> str | None:
    """The mapping with which the source was last ingested into its stream; None if it never was."""
    mappings = [
        row for row in _stored_mappings(history) if (row["source"], row["stream"]) == (source.name, source.stream)
    ]
    return str(max(mappings, key=lambda row: row["number"])["mapping"]) if mappings else None


def note_mapping(history: History, source: Source, mapping: str) -> None:
    """Keep a mapping as the one in force; nothing to write where it is already."""
    if mapping_in_force(history, source) != mapping:
        number = len(_stored_mappings(history))
        row = {"source": source.name, "stream": source.stream, "mapping": mapping, "number": number}
        history.append(MAPPINGS_TABLE, pa.Table.from_pylist([row], schema=MAPPINGS_SCHEMA))


def reading_of(history: History, source: Source, mapping: str, earliest: datetime, lookups: Lookups) -> str:
    """A hash of everything but the file itself that decides which rows come of a file."""
    table = history.table(source.stream)
    # A history that was moved away and begun anew has read nothing yet.
    identity = table.metadata().id if table is not None else None
    where = sql_source.identity(source.database, source.folder) if source.database else None
    parts = [mapping, earliest.isoformat(), repr(STREAMS[source.stream]), lookups, identity, where]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def marks_of(history: History, source: Source, reading: str) -> dict[str, str]:
    """How far this source has been read in this way: name → mark."""
    rows = _stored_marks(history).filter(_is_of(source) & (pc.field("reading") == reading))
    return dict(zip(rows["name"].to_pylist(), rows["mark"].to_pylist(), strict=True))


def note_marks(history: History, source: Source, reading: str, marks: Iterable[tuple[str, str]]) -> None:
    """Keep the marks, in the place of those of any other reading; nothing to write where none is new."""
    known = marks_of(history, source, reading)
    now = known | dict(marks)
    if now != known:
        rows = [(source.name, source.stream, reading, name, mark) for name, mark in now.items()]
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        others = _stored_marks(history).filter(~_is_of(source))
        history.rewrite(MARKS_TABLE, pa.concat_tables([others, pa.table(columns, schema=MARKS_SCHEMA)]))


def forget_other_sources(history: History, source: Source) -> None:
    """Make all other sources of the stream be read again, because this one is about to be replaced.

    An event that two sources bring is stored as one of theirs; where that one brings it no longer, the other must.
    """
    stored = _stored_marks(history)
    kept = stored.filter((pc.field("stream") != source.stream) | (pc.field("source") == source.name))
    if kept.num_rows < stored.num_rows:
        history.rewrite(MARKS_TABLE, kept)


def mark_of(path: Path) -> str:
    """A text that changes when the file does, made without reading the file.

    A copy that keeps the time of its original, or an edit that keeps the length, changes the inode or its ctime, which
    cannot be set back. A file that only seems changed is read again, which does no harm.
    """
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def cursor_name(source: Source) -> str:
    """The name of a database's cursor among the marks."""
    return f"cursor {source.database.cursor}" if source.database else ""


def file_name(source: Source, path: Path) -> str:
    """A file's name among the marks: relative to the source's folder where it lies there, so that a project may move."""
    folder = source.folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()


def _lookups_of(source: Source) -> Lookups:
    """The further tables as they are now: taken before they are read, so that no change in between is passed over."""
    return {name: {str(path): mark_of(path) for path in table.files()} for name, table in source.lookups().items()}


def _stored_marks(history: History) -> pa.Table:
    rows = history.rows_of(MARKS_TABLE)
    return MARKS_SCHEMA.empty_table() if rows is None else rows.cast(MARKS_SCHEMA)


def _stored_mappings(history: History) -> list[dict[str, Any]]:
    rows = history.rows_of(MAPPINGS_TABLE)
    return [] if rows is None else rows.to_pylist()


def _is_of(source: Source) -> pc.Expression:
    return (pc.field("source") == source.name) & (pc.field("stream") == source.stream)
