"""Any table → checked rows → history; what was refused, and why.

A source's files are read together, mapped by its `select`, checked row by row, sorted once, and committed bucket by
bucket. Every row that the select returned ends in exactly one of three places:

    kept         in the stream's table
    duplicate    nowhere: the stream has that event already
    quarantined  in the quarantine table, with one plain reason

read = kept + duplicates + quarantined holds at every run, or nothing is committed.

An event is identified within its stream by (account_id, event_id), so that the bucket of its account knows all it
needs: the same event_id at another account is another event. What is stored stays; among rows of one ingest that
share an identity the first in canonical order stays, so the order of files and rows does not matter. Without an
event_id of their own, rows are identified by a hash of their content (`checked_rows.content_hash`).

Account ids are text and taken as they are: a column of floats gives '17850.0' (cast it in the select), and a CSV
column keeps its leading zeros.
"""

# ruff: noqa: S608  built from declared columns and quoted literals

import difflib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features import mappings, quarantine
from features.checked_rows import REFUSED, Bounds, staging_query
from features.history import History, canonical_order, one_batch, stored_schema
from features.mappings import mapping_of
from features.moments import moment
from features.quarantine import quarantined
from features.sources import (
    ONE_COLUMN,
    IngestError,
    Source,
    create_mapped_view,
    create_source_views,
    literal,
    looks_unsplit,
    reading_error,
)
from features.streams import STREAMS, Stream

__all__ = ["IngestError", "IngestReport", "Source", "ingest", "quarantined"]

Progress = Callable[[int, int, str], None]
"""Called with steps done, steps in all, and what the steps are; a new `what` begins a new count."""

MEMORY_LIMIT = "1GB"


@dataclass(frozen=True)
class IngestReport:
    """What became of the rows of one source. read = kept + duplicates + quarantined.

    `repeated` are those duplicates that stand twice in what was read now, the others were stored before. `reasons`
    counts the quarantined by kind of reason, and `examples` has the reason of one row of each kind, with its value; `oldest` and `newest` are the span of occurred_at among the
    kept, None where none was; `versions` are those of the history afterwards.
    """

    source: str
    stream: str
    read: int
    kept: int
    duplicates: int
    repeated: int
    quarantined: int
    reasons: Mapping[str, int]
    examples: Mapping[str, str]
    oldest: datetime | None
    newest: datetime | None
    versions: Mapping[str, int]


def ingest(
    history: History,
    source: Source,
    *,
    as_of: datetime,
    timezone: str,
    earliest: datetime,
    replace: bool = False,
    progress: Progress | None = None,
    memory_limit: str = MEMORY_LIMIT,
) -> IngestReport:
    """Bring a source's rows into the history.

    Times without an offset are read in `timezone`; of an hour that occurs twice when clocks go back the later one
    is meant, and one that clocks skip is moved forward. Times before `earliest` or after `as_of` (both aware) are
    refused. `memory_limit` is for sorting; what does not fit is spilled to disk beside the history.

    A source whose rows have no event_id of their own is refused if its select, options or timezone have changed since
    it was last ingested: the same rows would be stored a second time. With `replace` all that the source has brought
    into the stream before makes room for what it brings now, in the same commit.

    The quarantine is committed first, then the stream, each atomically: killed at any moment, the ingest leaves the
    versions before it readable, and another run completes it. Where nothing is new, no version is written.
    IngestError if the source cannot be read or mapped, HistoryError if another ingest is writing.
    """
    if source.stream not in STREAMS:
        raise source.error(f"there is no stream '{source.stream}'; the streams are {', '.join(STREAMS)}")
    report = progress or _silent
    with history.lock(), _scratch(history) as scratch, _connection(scratch, timezone, memory_limit) as connection:
        batch = _Batch(history, source, STREAMS[source.stream], connection, replace)
        mapping = mapping_of(source, timezone)
        report(0, 1, "reading and checking")
        batch.stage(scratch, Bounds(earliest, as_of, timezone), mapping)
        report(1, 1, "reading and checking")
        batch.drop_duplicates(report)
        outcome = batch.commit(as_of, report)
        # Afterwards: killed in between, the next ingest is refused once too often and not once too seldom.
        mappings.note(history, source, mapping)
        return outcome


@dataclass
class _Batch:
    """The rows of one ingest, staged in DuckDB's table `staged`: sorted by bucket and canonical order."""

    history: History
    source: Source
    stream: Stream
    connection: duckdb.DuckDBPyConnection
    replace: bool
    read: int = 0
    duplicates: int = 0
    repeated: int = 0
    is_mapped_anew: bool = False
    """Whether what was refused before was refused under another mapping, and says nothing any more."""

    def stage(self, scratch: Path, bounds: Bounds, mapping: str) -> None:
        """Read, map, check and sort every row."""
        files = create_source_views(self.connection, self.source, scratch)
        given = create_mapped_view(self.connection, self.source, files)
        _check_columns(self.source, self.stream, given)
        self._refuse_changed_mapping(given, mapping)
        order = ", ".join(f"{name} nulls first" for name in ["bucket", *canonical_order(self.stream)])
        query = staging_query(self.stream, given, bounds, self.history.buckets)
        try:
            self.connection.execute(f"create table staged as {query} order by {order}")
            self.read = self._count("select count(*) from staged")
            if not self.read:
                raise self._nothing_read(files)
        except duckdb.Error as error:
            raise reading_error(self.source, files, error) from error

    def drop_duplicates(self, progress: Progress) -> None:
        """Delete from `staged` what the history has, and all but the first of equal identities."""
        repeated, stored = self._buckets_with_repetitions(), self._stored_rows()
        suspects = sorted(bucket for bucket in self._rows_by_bucket() if bucket in repeated or stored.get(bucket))
        for number, bucket in enumerate(suspects):
            progress(number, len(suspects), "looking for duplicates")
            if bucket in repeated:
                self.repeated += self._delete_repetitions(bucket)
            if stored.get(bucket):
                self.duplicates += self._delete_stored(bucket)
        self.duplicates += self.repeated
        progress(len(suspects), len(suspects), "looking for duplicates")

    def commit(self, as_of: datetime, progress: Progress) -> IngestReport:
        """Write the quarantine, then the buckets that gained rows."""
        fresh = self._rows_by_bucket()
        kept, (reasons, examples) = sum(fresh.values()), self._reasons()
        refused = sum(reasons.values())
        self._assert_conserved(kept, refused)
        oldest, newest = self._span()
        if self.is_mapped_anew:
            quarantine.clear(self.history, self.source.name, self.stream.name)
        if refused:
            quarantine.add(self.history, self.connection, self._refused(as_of))
        touched = {bucket: fresh.get(bucket, 0) for bucket in sorted({*fresh, *self._buckets_to_clear()})}
        if touched:
            self.history.replace(self.stream.name, list(touched), self._batches(touched, progress))
        name, versions = self.source.name, self.history.versions()
        return IngestReport(
            name, self.stream.name, self.read, kept, self.duplicates, self.repeated, refused, reasons, examples,
            oldest, newest, versions,
        )  # fmt: skip

    def _refuse_changed_mapping(self, given: Mapping[str, str], mapping: str) -> None:
        before = mappings.in_force(self.history, self.source)
        self.is_mapped_anew = self.replace or before not in (None, mapping)
        has_ids = "event_id" in {name.lower() for name in given}
        if self.is_mapped_anew and not has_ids and not self.replace and self._has_stored_rows():
            raise self.source.error(
                "its select, options or timezone have changed since it was last ingested, and its rows have no event_id: "
                "they would be stored a second time. Put the new rows in the place of the old ones: "
                f"foresail ingest {self.source.name} --replace"
            )

    def _has_stored_rows(self) -> bool:
        sources = (self.history.read(self.stream.name, bucket, ["source"])["source"] for bucket in self._stored_rows())
        return any(self.source.name in column.chunk(0).dictionary.to_pylist() for column in sources)

    def _buckets_to_clear(self) -> list[int]:
        """Where the source has rows that are to make room."""
        if not self.replace:
            return []
        stored = self._stored_rows().items()
        return [bucket for bucket, rows in stored if self._stored(bucket, ["source"]).num_rows < rows]

    def _stored(self, bucket: int, columns: Sequence[str]) -> pa.Table:
        """What the stream holds in a bucket, without the source's own rows where they are to make room."""
        names = list(dict.fromkeys([*columns, "source"]))
        rows = self.history.read(self.stream.name, bucket, names)
        if self.replace:
            rows = rows.filter(pc.not_equal(rows["source"].cast(pa.string()), self.source.name))
        return rows.select(list(columns))

    def _nothing_read(self, files: Sequence[Path]) -> IngestError:
        rows = self._count("select count(*) from source")
        names = ", ".join(path.name for path in files[:3]) + (" ..." if len(files) > 3 else "")
        if not rows:
            return self.source.error(f"{names} has columns but no rows; export it again, or correct the pattern")
        return self.source.error(f"no row is left after its select, of {rows:,} in {names}; correct its where or join")

    def _rows_by_bucket(self) -> dict[int, int]:
        query = f"select bucket, count(*) from staged where bucket <> {REFUSED} group by bucket order by bucket"
        return dict(self.connection.execute(query).fetchall())

    def _stored_rows(self) -> dict[int, int]:
        snapshot = self.history.snapshot(self.stream.name)
        rows: dict[int, int] = {}
        for file in snapshot.files if snapshot else ():
            rows[file.bucket] = rows.get(file.bucket, 0) + file.rows
        return rows

    def _buckets_with_repetitions(self) -> set[int]:
        # Equal hashes are suspects only; telling them apart exactly is for the few buckets that have any.
        query = f"""select bucket from staged where bucket <> {REFUSED}
            group by bucket having count(distinct hash(account_id, event_id)) < count(*)"""
        return {bucket for (bucket,) in self.connection.execute(query).fetchall()}

    def _delete_repetitions(self, bucket: int) -> int:
        # Rows were inserted in canonical order, so rowid follows it.
        return self._count(f"""delete from staged where rowid in (
            select rowid from staged where bucket = {bucket}
            qualify row_number() over (partition by account_id, event_id order by rowid) > 1)""")

    def _delete_stored(self, bucket: int) -> int:
        self.connection.register("stored", self._stored(bucket, ["account_id", "event_id"]))
        deleted = self._count(f"""delete from staged where bucket = {bucket} and exists (
            select 1 from stored s where s.account_id = staged.account_id and s.event_id = staged.event_id)""")
        self.connection.unregister("stored")
        return deleted

    def _reasons(self) -> tuple[dict[str, int], dict[str, str]]:
        """Refused rows by kind of reason: how many, and what is said of one of them."""
        query = f"""select refused_kind, count(*), min(refused_reason) from staged where bucket = {REFUSED}
            group by all order by all"""
        found = self.connection.execute(query).fetchall()
        return {kind: count for kind, count, _ in found}, {kind: example for kind, _, example in found}

    def _span(self) -> tuple[datetime | None, datetime | None]:
        query = f"select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from staged where bucket <> {REFUSED}"
        oldest, newest = self.connection.execute(query).fetchall()[0]
        return (None, None) if oldest is None else (moment(oldest), moment(newest))

    def _refused(self, as_of: datetime) -> str:
        """The refused rows as the quarantine's columns; equal rows are told apart by counting them."""
        return f"""select {literal(self.source.name)} as source, {literal(self.stream.name)} as stream,
            refused_kind as kind, refused_reason as reason, refused_row as row,
            md5(row_number() over (partition by refused_row) || ':' || refused_row) as row_id,
            timestamptz {literal(as_of.isoformat())} as as_of
            from staged where bucket = {REFUSED}"""

    def _batches(self, fresh: Mapping[int, int], progress: Progress) -> Iterator[pa.RecordBatch]:
        """Every touched bucket as one batch: what is stored and what is new, in canonical order."""
        stored, schema = self._stored_rows(), stored_schema(self.stream)
        for number, (bucket, new) in enumerate(fresh.items()):
            progress(number, len(fresh), "writing buckets")
            old = self._stored(bucket, ["source"]).num_rows if stored.get(bucket) else 0
            rows = self._merged_rows(bucket) if old else self.connection.sql(self._new_rows(bucket)).to_arrow_table()
            if rows.num_rows != old + new:
                raise self.source.error(f"bucket {bucket} would have {rows.num_rows} rows instead of {old} + {new}")
            if rows.num_rows:
                yield one_batch(rows.cast(schema))
        progress(len(fresh), len(fresh), "writing buckets")

    def _new_rows(self, bucket: int) -> str:
        names = ", ".join(column.name for column in self.stream.columns)
        # Scans of `staged` follow the order of insertion, which is canonical.
        return f"select {names}, {literal(self.source.name)} as source, bucket from staged where bucket = {bucket}"

    def _merged_rows(self, bucket: int) -> pa.Table:
        names = [*(column.name for column in self.stream.columns), "source"]
        self.connection.register("stored", self._stored(bucket, names))
        old = f"select {', '.join(names)}, {bucket}::integer as bucket from stored"
        order = ", ".join(f"{name} nulls first" for name in canonical_order(self.stream))
        query = f"{old} union all {self._new_rows(bucket)} order by {order}"
        rows = self.connection.sql(query).to_arrow_table()
        self.connection.unregister("stored")
        return rows

    def _assert_conserved(self, kept: int, refused: int) -> None:
        if self.read != kept + self.duplicates + refused:
            raise self.source.error(
                f"read {self.read} rows, but kept {kept} + duplicates {self.duplicates} + quarantined {refused}: "
                "nothing was committed; this is a fault of Foresail, please report it"
            )

    def _count(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


def _check_columns(source: Source, stream: Stream, given: Mapping[str, str]) -> None:
    found, known = [name.lower() for name in given], [column.name for column in stream.columns]
    if looks_unsplit(found):
        raise source.error(
            f"{ONE_COLUMN}. Its only column is '{found[0]}'; a row with more fields than the header does the same"
        )
    for name in found:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"nearest: {', '.join(nearest)}" if nearest else f"it has {', '.join(known)}"
            raise source.error(
                f"stream '{stream.name}' has no column '{name}' ({hint}); rename it in the select, or leave it out"
            )
    for column in stream.columns:
        if column.required and column.name not in found:
            raise source.error(
                f"stream '{stream.name}' needs a column '{column.name}' ({column.meaning}); "
                f"its select gives {found}. Add `... as {column.name}` to the select"
            )


@contextmanager
def _scratch(history: History) -> Iterator[Path]:
    """A folder for spilled rows, beside a local history because the system's own may be small.

    Called with the history locked, so that folders which are there belong to ingests that were killed.
    """
    root = Path(history.root) if history.is_local else None
    for abandoned in root.glob(".staging-*") if root else ():
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=".staging-", dir=root) as name:
        yield Path(name)


@contextmanager
def _connection(scratch: Path, timezone: str, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(scratch / "spilled"),
        "memory_limit": memory_limit,
        # DuckDB 2.0 hands a lone try_cast on to its CSV reader as a cast, which then fails on the first dirty value.
        "disabled_optimizers": "type_pushdown",
    }
    with duckdb.connect(config=config) as connection:
        connection.execute(f"set TimeZone = {literal(timezone)}")
        yield connection


def _silent(done: int, total: int, what: str) -> None:
    """No progress is wanted."""
