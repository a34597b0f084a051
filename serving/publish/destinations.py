"""What a night publishes, everywhere that it is wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from features.progress import StepProgress
from serving.publish.errors import PublishError
from serving.publish.parquet import PublishedFile, publish_parquet, write_manifest
from serving.publish.tables import TABLES


@dataclass(frozen=True)
class Destination:
    """Where tables are published: always as Parquet in `folder`; besides into a database (an SQLAlchemy URL) and a .hyper file."""

    folder: Path
    database: str | None = None
    hyper: bool = False


@dataclass(frozen=True)
class Published:
    """The files that were written, and the .hyper file if one is wanted."""

    files: tuple[PublishedFile, ...]
    hyper: Path | None


def publish(
    tables: Mapping[str, Iterable[pa.Table]],
    to: Destination,
    as_of: datetime,
    progress: StepProgress | None = None,
    spill: Path | None = None,
) -> Published:
    """Publish the rows of each table, by its name, as those of the night `as_of`; other tables stay as they are.

    Rows come in any order and in as many parts as there are, so that a table need not fit into memory; a column that may
    be null may be left out. What does not fit is sorted in the folder `spill`, where a killed run may leave some of it. Files are written first, the database and the .hyper file follow from them. Killed anywhere
    and called again with the same rows it ends the same, to the byte.

    PublishError for an unknown table and for rows that a table does not allow; DatabaseUnavailable if the database
    cannot be used, and then the files are there all the same.
    """
    unknown = [name for name in tables if name not in TABLES]
    if unknown:
        raise PublishError(f"there is no published table {', '.join(unknown)}; there are {', '.join(TABLES)}")
    files = []
    for done, (name, parts) in enumerate(tables.items()):
        if progress:
            progress(done, len(tables), "publishing")
        files.append(publish_parquet(to.folder, TABLES[name], parts, as_of, spill))
    write_manifest(to.folder, files)
    hyper = _elsewhere(to, files)
    if progress:
        progress(len(tables), len(tables), "publishing")
    return Published(tuple(files), hyper)


def _elsewhere(to: Destination, files: list[PublishedFile]) -> Path | None:
    if to.database is not None:
        from serving.publish.sql import publish_sql

        publish_sql(to.database, files)
    if not to.hyper:
        return None
    from serving.publish.hyper import publish_hyper

    return publish_hyper(to.folder)
