"""Published tables in one file that Tableau opens, by pantab: the extra `tableau`."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from serving.publish.errors import PublishError
from serving.publish.parquet import read_file
from serving.publish.plain_rows import plain, plain_schema
from serving.publish.tables import TABLES, PublishedTable
from serving.publish.whole_files import replacing

HYPER = "foresail.hyper"


def publish_hyper(folder: Path) -> Path:
    """Write all tables that are published in the folder, every night of those that grow, into foresail.hyper beside them.

    Reasons are JSON text. PublishError where the extra is not installed.
    """
    try:
        import pantab  # type: ignore[import-untyped]
    except ImportError as absent:
        raise PublishError(
            "a .hyper file needs pantab, which is not installed: pip install 'foresail[tableau]', or set hyper = false under [publish]"
        ) from absent
    path = folder / HYPER
    with replacing(path) as scratch:
        pantab.frames_to_hyper({table.name: _rows(table, files) for table, files in _published(folder)}, scratch)
    return path


def _published(folder: Path) -> Iterable[tuple[PublishedTable, list[Path]]]:
    """The tables that have a file, with their files in the order of the nights."""
    for table in TABLES.values():
        files = sorted(folder.glob(f"{table.name}/*.parquet" if table.grows else f"{table.name}.parquet"))
        if files:
            yield table, files


def _rows(table: PublishedTable, files: Iterable[Path]) -> pa.RecordBatchReader:
    batches = (plain(table, batch) for path in files for batch in read_file(table, path))
    return pa.RecordBatchReader.from_batches(plain_schema(table), batches)
