"""The rows of one ingest in DuckDB's table `staged`, and the stored rows beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.history.ingest.progress import Marks
from features.history.ingest.sources import Source
from features.history.store import History
from features.history.streams import STREAMS, Stream


@dataclass(frozen=True)
class StagedTable:
    """One ingest between staging and commit.

    The table `staged` is sorted by place (hence bucket), known_at, occurred_at. Rows that agree in these stand in any
    order until a bucket is written (`commit`): most never do, and to sort all by all columns costs more than to sort
    those few again.
    """

    history: History
    source: Source
    connection: duckdb.DuckDBPyConnection
    replace: bool
    """Whether all that the source has brought before makes room."""
    read: int
    has_event_ids: bool
    """Whether the source has an event_id column: only then can two rows of one identity differ."""
    is_mapped_anew: bool
    """Whether earlier refusals were made under another mapping, and no longer count."""
    accepted: frozenset[str]
    """Rows, as the quarantine has them, that are accepted now and may have been refused before."""
    marks: Marks
    """How far the source has been read once these rows are committed."""
    unchanged: int
    """How many files were not read."""

    @property
    def stream(self) -> Stream:
        return STREAMS[self.source.stream]

    def count(self, query: str) -> int:
        """The one number that a query returns."""
        return count(self.connection, query)

    def rows_by_bucket(self) -> dict[int, int]:
        """How many good rows are staged in each bucket that has any."""
        query = "select bucket, count(*) from staged where bucket >= 0 group by bucket order by bucket"
        return dict(self.connection.execute(query).fetchall())

    def stored_by_bucket(self) -> dict[int, int]:
        """How many rows the stream has in each bucket."""
        return stored_by_bucket(self.history, self.source.stream)

    def stored(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        """The stream's rows of a bucket, without those of the source itself where these make room."""
        names = list(dict.fromkeys([*columns, "source"]))
        rows = self.history.read(self.stream.name, bucket, names)
        if self.replace:
            rows = rows.filter(pc.not_equal(rows["source"].cast(pa.string()), self.source.name))
        return rows.select(list(columns))


def count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    """The one number that a query returns."""
    return int(connection.execute(query).fetchall()[0][0])


def stored_by_bucket(history: History, stream: str) -> dict[int, int]:
    """How many rows a stream has in each bucket."""
    snapshot = history.snapshot(stream)
    rows: dict[int, int] = {}
    for file in snapshot.files if snapshot else ():
        rows[file.bucket] = rows.get(file.bucket, 0) + file.rows
    return rows
