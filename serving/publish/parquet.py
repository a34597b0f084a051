"""Published tables as Parquet files: replaced whole or not at all, and the same bytes for the same rows."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.timestamps import microseconds
from serving.publish.rows import GROUP, declared, in_key_order
from serving.publish.tables import TABLES, PublishedTable
from serving.publish.whole_files import replacing

MANIFEST = "published_tables.json"
WRITTEN_AS = {"compression": "zstd", "version": "2.6", "write_statistics": True}


@dataclass(frozen=True)
class PublishedFile:
    """A file of a table, and how many rows were written into it."""

    table: PublishedTable
    as_of: datetime
    path: Path
    rows: int


def publish_parquet(
    folder: Path, table: PublishedTable, parts: Iterable[pa.Table], as_of: datetime, spill: Path | None = None
) -> PublishedFile:
    """Write the rows, which may come in any order and number of parts, as the table's file of the night `as_of`.

    Readers see the old file or the new one. A table that grows has a file a night: the same night again replaces its
    own, so that nothing is in it twice. PublishError for rows that the table does not allow.
    """
    path = folder / file_name(table, as_of)
    return PublishedFile(table, as_of, path, write_file(path, table, in_key_order(table, parts, spill)))


def file_name(table: PublishedTable, as_of: datetime) -> str:
    """Where a table's rows of a night are, from the folder of all: scores.parquet, score_history/20260101T000000Z.parquet."""
    return f"{table.name}/{_compact(as_of)}.parquet" if table.grows else f"{table.name}.parquet"


def nights_of(folder: Path, table: PublishedTable) -> Iterator[tuple[datetime, Path]]:
    """Every night that a table that grows has a file of, and the file; in the order of the nights."""
    for path in sorted(folder.glob(f"{table.name}/*T*Z.parquet")):
        yield datetime.fromisoformat(path.stem), path


def read_file(table: PublishedTable, path: Path, rows: int = GROUP) -> Iterator[pa.RecordBatch]:
    """The rows of a file, so many at a time, also of one that an older version of the schema has written: what it lacks is null."""
    with pq.ParquetFile(path) as file:
        known = [name for name in table.schema.names if name in file.schema_arrow.names]
        for batch in file.iter_batches(rows, columns=known):
            yield from declared(table, pa.table(batch)).to_batches()


def write_file(path: Path, table: PublishedTable, groups: Iterable[pa.Table]) -> int:
    """Write rows of the table's schema as they come, one row group for each table of at most GROUP rows; how many there were."""
    rows = 0
    with replacing(path) as scratch, pq.ParquetWriter(scratch, table.schema, **WRITTEN_AS) as writer:
        for group in groups:
            writer.write_table(group, row_group_size=GROUP)
            rows += group.num_rows
    return rows


def write_manifest(folder: Path, files: Iterable[PublishedFile]) -> Path:
    """Say in published_tables.json what is published, with which schema, version and moment; tables not among `files` keep their entry."""
    path = folder / MANIFEST
    known = {entry["table"]: entry for entry in read_manifest(folder)}
    known |= {file.table.name: _entry(folder, file) for file in files}
    with replacing(path) as scratch:
        ordered = [known[name] for name in TABLES if name in known]
        scratch.write_text(json.dumps({"tables": ordered}, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def read_manifest(folder: Path) -> list[dict[str, Any]]:
    """The entries of published_tables.json, none where there is no such file."""
    path = folder / MANIFEST
    if not path.exists():
        return []
    entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["tables"]
    return entries


def _entry(folder: Path, file: PublishedFile) -> dict[str, Any]:
    table = file.table
    return {
        "table": table.name,
        "version": table.version,
        "as_of": file.as_of.isoformat(),
        "rows": file.rows,
        "files": f"{table.name}/*.parquet" if table.grows else str(file.path.relative_to(folder)),
        "columns": [
            {"name": one.name, "type": one.type, "unit": one.unit, "meaning": one.meaning} for one in table.columns
        ],
    }


def _compact(moment: datetime) -> str:
    """A moment as part of a file's name, in UTC; a fraction of a second only where there is one."""
    fraction = f"{microseconds(moment) % 1_000_000:06}".rstrip("0")
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S}{'.' + fraction if fraction else ''}Z"
