"""Tables of accounts that commands have written into the project folder, and accounts taken out of them."""

import csv
import json
import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.history.store import HistoryError

if TYPE_CHECKING:
    from features.history.ingest.sources import Source
    from foresail.config.project import Project

SUFFIXES = (".parquet", ".csv")
DELTA_LOG = "_delta_log"
ACCOUNT, REFUSED = "account_id", "row"
"""Columns that name an account: as the id, or as the JSON text of a refused row."""


@dataclass(frozen=True)
class Cleaned:
    """A file, or a database by its URL without the password, and how many rows were taken out of it."""

    path: Path | str
    rows: int


def remove_accounts(project: "Project", ids: Collection[str]) -> Iterator[Cleaned]:
    """Take the rows of these accounts out of all that is published: Parquet and CSV files, the database, the .hyper file.

    A table of accounts has a column account_id, an export of the quarantine a column row. Each file is replaced at once.
    The company's own sources are read, never written: what they still hold of the account is turned away by ingest.
    HistoryError if a file cannot be read: the account may be in it. DatabaseUnavailable if the
    database that [publish] names cannot be used.
    """
    in_folder = 0
    _remove_unfinished(project.publish_folder)
    for path in published(project):
        try:
            rows = (_clean_parquet if path.suffix == ".parquet" else _clean_csv)(path, frozenset(ids))
        except (pa.ArrowInvalid, csv.Error) as error:
            raise HistoryError(
                f"{path} cannot be searched for the account ({error}): delete it, or move it out of the project folder"
            ) from error
        if rows:
            in_folder += rows * path.is_relative_to(project.publish_folder)
            yield Cleaned(path, rows)
    yield from _clean_hyper(project.publish_folder, in_folder)
    yield from _clean_database(project.publish_database, ids)


def _clean_hyper(folder: Path, rows: int) -> Iterator[Cleaned]:
    """The .hyper file is written again from the files beside it, which are clean; without pantab it is removed.

    Also where the files had nothing to remove: a run that was killed may have come as far as them.
    """
    from serving.publish import PublishError
    from serving.publish.hyper import HYPER, publish_hyper

    path = folder / HYPER
    if not path.exists():
        return
    try:
        publish_hyper(folder)
    except PublishError:
        path.unlink()
    if rows:
        yield Cleaned(path, rows)


def _clean_database(url: str | None, ids: Collection[str]) -> Iterator[Cleaned]:
    if url is None:
        return
    from sqlalchemy import make_url

    from serving.publish.sql import forget_in_sql

    rows = forget_in_sql(url, ids)
    if rows:
        yield Cleaned(make_url(url).render_as_string(hide_password=True), rows)


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed night has left: files that do not have their names yet."""
    for pattern in (".*.writing", ".*.cleaning"):
        for left in folder.rglob(pattern):
            left.unlink()


def published(project: "Project") -> list[Path]:
    """Parquet and CSV files below the project folder which are neither sources nor in a hidden folder nor the history."""
    sources = {path.resolve() for source in project.sources for path in _files_of(source)}
    root = Path(project.history_root).resolve()
    found = []
    for folder, folders, names in os.walk(project.directory):
        here = Path(folder)
        if DELTA_LOG in folders:
            # A table of the history, wherever its root is: Delta alone may write there.
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".") and (here / name).resolve() != root]
        found += [here / name for name in names if Path(name).suffix in SUFFIXES]
    return sorted(path for path in found if path.resolve() not in sources)


def _files_of(source: "Source") -> Iterator[Path]:
    for pattern in (source.pattern, *source.tables.values()):
        if pattern:
            yield from replace(source, pattern=pattern).present()


def _clean_parquet(path: Path, ids: frozenset[str]) -> int:
    """Row group by row group, so that a table of a million accounts need not fit into memory."""
    with pq.ParquetFile(path) as file:
        column = next((name for name in (ACCOUNT, REFUSED) if name in file.schema_arrow.names), None)
        if column is None:
            return 0
        groups = range(file.num_row_groups)
        if not any(pc.any(_names(file.read_row_group(group, [column])[column], ids)).as_py() for group in groups):
            return 0
        scratch, removed = _scratch(path), 0
        with pq.ParquetWriter(scratch, file.schema_arrow, compression="zstd") as writer:
            for group in groups:
                rows = file.read_row_group(group)
                kept = rows.filter(pc.invert(_names(rows[column], ids)))
                removed += rows.num_rows - kept.num_rows
                writer.write_table(kept)
    scratch.replace(path)
    return removed


def _clean_csv(path: Path, ids: frozenset[str]) -> int:
    scratch, removed = _scratch(path), 0
    # Python's own limit protects against untrusted files; these are the project's own.
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        column = next((name for name in (ACCOUNT, REFUSED) if name in header), None)
        if column is None:
            return 0
        place = header.index(column)
        with scratch.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(header)
            for row in rows:
                gone = len(row) > place and _is_named(row[place], ids)
                removed += gone
                if not gone:
                    writer.writerow(row)
    if removed:
        scratch.replace(path)
    else:
        scratch.unlink()
    return removed


def _names(column: pa.ChunkedArray, ids: frozenset[str]) -> pa.Array:
    return pa.array([_is_named(str(value), ids) for value in column.to_pylist()], pa.bool_())


def _is_named(value: str, ids: frozenset[str]) -> bool:
    """Whether a value is one of the ids, or the JSON of a refused row that has one among its values."""
    if value in ids:
        return True
    if not value.startswith("{"):
        return False
    try:
        return any(str(each) in ids for each in json.loads(value).values())
    except ValueError:
        return False


def _scratch(path: Path) -> Path:
    return path.with_name(f".{path.name}.cleaning")
