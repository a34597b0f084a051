"""How far each source has been read: its files by what the disk says of them, a database by its cursor.

A bookmark holds for one way of reading (`reading_of`): the same select, rules, further tables and stream. If any of
them has changed, all is read again. It is written after the rows are committed, so that a killed ingest reads too much
and never too little.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from features.history.ingest import sql_source
from features.history.ingest.sources import Source
from features.history.store import History
from features.history.streams import STREAMS

TABLE = "bookmarks"
SCHEMA = pa.schema([(name, pa.string()) for name in ("source", "stream", "reading", "name", "mark")])
"""One row for each file and cursor: its `mark` is how far it was read in the `reading` that is in force."""


Lookups = Mapping[str, Mapping[str, str]]
"""The files of each further table of a source, and the mark of each."""


def lookups_of(source: Source) -> Lookups:
    """What the further tables are now: to be asked before they are read, so that no change in between is passed over."""
    return {name: {str(path): mark_of(path) for path in one.files()} for name, one in source.lookups().items()}


def reading_of(history: History, source: Source, mapping: str, earliest: datetime, lookups: Lookups) -> str:
    """What decides which rows come of a file besides the file itself, as a hash."""
    table = history.table(source.stream)
    # A history that was moved away and begun anew has read nothing yet.
    identity = table.metadata().id if table is not None else None
    where = sql_source.identity(source.database, source.folder) if source.database else None
    parts = [mapping, earliest.isoformat(), repr(STREAMS[source.stream]), lookups, identity, where]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def mark_of(path: Path) -> str:
    """What tells whether a file is still the same one, without reading it.

    A copy that keeps the time of its original, or an edit that keeps the length, changes the inode or its ctime, which
    cannot be set back. A file that only seems changed is read again, which does no harm.
    """
    found = path.stat()
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def marks(history: History, source: Source, reading: str) -> dict[str, str]:
    """How far this source has been read in this way: name → mark."""
    own = _stored(history).filter(_is_of(source) & (pc.field("reading") == reading))
    return dict(zip(own["name"].to_pylist(), own["mark"].to_pylist(), strict=True))


def note(history: History, source: Source, reading: str, found: Iterable[tuple[str, str]]) -> None:
    """Keep the marks (name, mark), in the place of those of any other reading; nothing to write where none is new."""
    known = marks(history, source, reading)
    now = known | dict(found)
    if now != known:
        own = [(source.name, source.stream, reading, name, mark) for name, mark in now.items()]
        columns = [pa.array(column, pa.string()) for column in zip(*own, strict=True)]
        others = _stored(history).filter(~_is_of(source))
        history.rewrite(TABLE, pa.concat_tables([others, pa.table(columns, schema=SCHEMA)]))


def forget_others(history: History, source: Source) -> None:
    """Make all other sources of the stream be read again, because one is about to be replaced.

    An event that two sources bring is stored as one of theirs; where that one brings it no longer, the other must.
    """
    stored = _stored(history)
    kept = stored.filter((pc.field("stream") != source.stream) | (pc.field("source") == source.name))
    if kept.num_rows < stored.num_rows:
        history.rewrite(TABLE, kept)


def _stored(history: History) -> pa.Table:
    rows = history.rows_of(TABLE)
    return SCHEMA.empty_table() if rows is None else rows.cast(SCHEMA)


def _is_of(source: Source) -> pc.Expression:
    return (pc.field("source") == source.name) & (pc.field("stream") == source.stream)


def unchanged(source: Source, files: Sequence[Path], known: dict[str, str]) -> list[Path]:
    """The files that have been read and are still the same."""
    return [path for path in files if known.get(name_of(source, path)) == mark_of(path)]


def cursor_name(source: Source) -> str:
    """The name of a database's cursor in its bookmark."""
    return f"cursor {source.database.cursor}" if source.database else ""


def name_of(source: Source, path: Path) -> str:
    """A file's name in its bookmark: relative to the source's folder where it lies there, so that a project may move."""
    folder = source.folder.resolve()
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else path.as_posix()
