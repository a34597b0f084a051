"""Any table → checked rows → history; what was refused, and why.

A source's files are read together, mapped by its `select`, checked row by row, sorted once, and committed bucket by
bucket. Every row that the select returned ends in exactly one of four places:

    kept         in the stream's table
    duplicate    nowhere: the stream has that event already
    quarantined  in the quarantine table, with one plain reason
    forgotten    nowhere: it speaks of an account that was erased

read = kept + duplicates + quarantined + forgotten holds at every run, or nothing is committed.

What has been read is not read again (`features.history.ingest.progress`): files that are still the same, and rows of a database
below its cursor. Files are passed over one by one where the select takes rows singly; a select that counts, ranks or
sums over all files is given all of them as soon as one is new. Rows that lay in the future keep their files and their
cursor from being noted, because a later ingest may accept them.

An event is identified within its stream by (account_id, event_id), so that the bucket of its account knows all it
needs: the same event_id at another account is another event. What is stored stays; among rows of one ingest that
share an identity the first in canonical order stays, so the order of files and rows does not matter. Without an
event_id of their own, rows are identified by a hash of their content (`checked_rows.content_hash`).

Account ids are text and taken as they are: a column of floats gives '17850.0' (cast it in the select), and a CSV
column keeps its leading zeros.
"""

# ruff: noqa: S608  built from declared columns and quoted literals
import dataclasses
import difflib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.history import arrivals, quarantine
from features.history.identities import identities
from features.history.ingest import mapping as mappings
from features.history.ingest import progress as bookmarks
from features.history.ingest import sql_source
from features.history.ingest.mapping import mapping_of
from features.history.ingest.sources import (
    ONE_COLUMN,
    POSTED,
    IngestError,
    Source,
    create_mapped_view,
    create_source_views,
    leave_out,
    literal,
    lock,
    looks_unsplit,
    reading_error,
    takes_rows_singly,
)
from features.history.ingest.validation import FORGOTTEN, FUTURE, REFUSED, Bounds, accounts_query, staging_query
from features.history.quarantine import quarantined
from features.history.store import TEXT, TIME, History, canonical_order, one_batch, stored_schema
from features.history.streams import STREAMS, Stream
from features.progress import StepProgress
from features.timestamps import moment

__all__ = ["IngestError", "IngestReport", "Source", "ingest", "quarantined"]


MEMORY_LIMIT = "1GB"
MOST_ROWS = 1 << 31


@dataclass(frozen=True)
class IngestReport:
    """What became of the rows of one source. read = kept + duplicates + quarantined + forgotten.

    `repeated` are those duplicates that stand twice in what was read now, the others were stored before. `changed` are
    those duplicates that say something else than the event that is stored: what was stored stays, so a correction has
    not been taken up (`replace` does that, or an event_id of its own). `reasons` counts the quarantined by kind of
    reason, and `examples` has the reason of one row of each kind, with its value; `released` are rows refused before
    that have left the quarantine, being accepted now. `unchanged` counts files that were not read, because they were
    before. `oldest` and `newest` are the span of occurred_at among the kept, None where none was; `versions` are those
    of the history afterwards.
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
    changed: int = 0
    forgotten: int = 0
    released: int = 0
    unchanged: int = 0

    @property
    def is_all_refused(self) -> bool:
        """Whether there were rows, and none of them could be used."""
        return self.quarantined > 0 and self.quarantined == self.read

    @property
    def is_no_news(self) -> bool:
        """Whether nothing could be used, and no time will heal it: data is then as old as it was before."""
        return self.is_all_refused and not all(kind.endswith(FUTURE) for kind in self.reasons)


def ingest(
    history: History,
    source: Source,
    *,
    as_of: datetime,
    timezone: str,
    earliest: datetime,
    replace: bool = False,
    everything: bool = False,
    progress: StepProgress | None = None,
) -> IngestReport:
    """Bring a source's rows into the history.

    Times without an offset are read in `timezone`; of an hour that occurs twice when clocks go back the later one
    is meant, and one that clocks skip is moved forward. Times before `earliest` or after `as_of` (both aware) are
    refused. What does not fit into memory for sorting is spilled to disk beside the history.

    A source whose rows have no event_id of their own is refused if its select, options or timezone have changed since
    it was last ingested: the same rows would be stored a second time. With `replace` all that the source has brought
    into the stream before makes room for what it brings now, in the same commit; not if every row is refused.
    `everything` reads again what was read before; so does `replace`.

    The quarantine is committed first, then the stream, each atomically: killed at any moment, the ingest leaves the
    versions before it readable, and another run completes it. Where nothing is new, no version is written.
    IngestError if the source cannot be read or mapped, HistoryError if another ingest is writing.
    """
    if source.stream not in STREAMS:
        raise source.error(f"there is no stream '{source.stream}'; the streams are {', '.join(STREAMS)}")
    bounds, report = Bounds(earliest, as_of, timezone), progress or _silent
    try:
        with history.lock(), _scratch(history) as scratch, _connection(scratch, timezone) as connection:
            batch = _Batch(history, source, STREAMS[source.stream], connection, replace)
            outcome = _ingested(batch, scratch, bounds, report, again=replace or everything)
            if not outcome.is_no_news:
                # With the history still locked: an erasure or a vacuum would take a file that is about to be noted.
                arrivals.note(history, source.name, source.stream, as_of, outcome.read, outcome.kept)
            return outcome
    except sql_source.DatabaseError as error:
        raise source.error(str(error)) from None


def _ingested(batch: "_Batch", scratch: Path, bounds: Bounds, report: StepProgress, *, again: bool) -> IngestReport:
    """Read what is new, commit it, and note that it has been read."""
    history, source, mapping = batch.history, batch.source, mapping_of(batch.source, bounds.timezone)
    portion = _portion(history, source, mapping, bounds, again=again)
    if portion.is_nothing:
        return _nothing_new(history, source, portion)
    report(0, 1, "reading and checking")
    batch.stage(scratch, bounds, mapping, portion)
    report(1, 1, "reading and checking")
    batch.drop_duplicates(report)
    outcome = dataclasses.replace(batch.commit(bounds.as_of, report), unchanged=portion.passed_over)
    # Afterwards: killed in between, the next ingest is refused once too often and not once too seldom.
    mappings.note(history, source, mapping)
    portion.note(history, source, mapping, bounds, outcome)
    return outcome


@dataclass
class _Portion:
    """What of a source is read now: files by the marks they have, the unchanged among them, or what a cursor has not reached."""

    lookups: bookmarks.Lookups
    files: Sequence[Path] = ()
    marks: Sequence[tuple[str, str]] = ()
    """Taken before anything is read, as `lookups` are: what is written to a file meanwhile is read next time."""
    unchanged: Sequence[Path] = ()
    since: sql_source.Reached | None = None
    passed_over: int = 0

    @property
    def is_nothing(self) -> bool:
        return bool(self.files) and len(self.unchanged) == len(self.files)

    @property
    def is_whole(self) -> bool:
        """Whether all that the source has is read."""
        return not self.passed_over and self.since is None

    def note(self, history: History, source: Source, mapping: str, bounds: Bounds, outcome: IngestReport) -> None:
        """Keep what has been read now, unless a later ingest may accept rows of it, or it was of no use at all.

        Passed over the next time, a source of which nothing could be used would look as if it had nothing new.
        """
        if not outcome.is_no_news and not any(kind.endswith(FUTURE) for kind in outcome.reasons):
            reading = bookmarks.reading_of(history, source, mapping, bounds.earliest, self.lookups)
            bookmarks.note(history, source, reading, self.marks)


def _portion(history: History, source: Source, mapping: str, bounds: Bounds, *, again: bool) -> _Portion:
    lookups = bookmarks.lookups_of(source)
    reading = bookmarks.reading_of(history, source, mapping, bounds.earliest, lookups)
    known = {} if again else bookmarks.marks(history, source, reading)
    if source.database is not None:
        reached = known.get(bookmarks.cursor_name(source))
        return _Portion(lookups, since=sql_source.from_stored(reached) if reached else None)
    files = source.files()
    marks = [(bookmarks.name_of(source, path), bookmarks.mark_of(path)) for path in files]
    return _Portion(lookups, files, marks, bookmarks.unchanged(source, files, known))


def _nothing_new(history: History, source: Source, portion: _Portion) -> IngestReport:
    versions, unchanged = history.versions(), len(portion.unchanged)
    return IngestReport(source.name, source.stream, 0, 0, 0, 0, 0, {}, {}, None, None, versions, unchanged=unchanged)


@dataclass
class _Batch:
    """The rows of one ingest, staged in DuckDB's table `staged`: sorted by place (hence bucket), known_at, occurred_at.

    Rows that agree in these stand in any order until a bucket is written (`_new_rows`): most never do, and to sort all
    by all columns costs more than to sort those few again.
    """

    history: History
    source: Source
    stream: Stream
    connection: duckdb.DuckDBPyConnection
    replace: bool
    read: int = 0
    duplicates: int = 0
    repeated: int = 0
    changed: int = 0
    has_ids: bool = False
    """Whether the source says itself what identifies an event: only then can two of one identity differ."""
    is_mapped_anew: bool = False
    """Whether what was refused before was refused under another mapping, and says nothing any more."""
    accepted: frozenset[str] = frozenset()
    """Rows, as the quarantine has them, that are accepted now and may have been refused before."""

    def stage(self, scratch: Path, bounds: Bounds, mapping: str, portion: _Portion) -> None:
        """Read, map, check and sort every row."""
        fetched = self._fetch(scratch, portion, bounds.as_of) if self.source.database else []
        files, readable = portion.files, create_source_views(self.connection, self.source, scratch, fetched)
        if portion.unchanged and takes_rows_singly(self.connection, self.source):
            same = set(portion.unchanged)
            leave_out(self.connection, [copy for copy, path in zip(readable, files, strict=True) if path in same])
            portion.passed_over = len(same)
        lock(self.connection)
        given = create_mapped_view(self.connection, self.source, files)
        _check_columns(self.source, self.stream, given)
        self.has_ids = "event_id" in {name.lower() for name in given}
        self._refuse_changed_mapping(mapping)
        self._register_identities()
        try:
            self._stage_rows(given, bounds)
        except duckdb.Error as error:
            raise reading_error(self.source, files, error) from error
        if not self.read and portion.is_whole:
            raise self._nothing_read(files)

    def _stage_rows(self, given: Mapping[str, str], bounds: Bounds) -> None:
        awaited = not self.is_mapped_anew and quarantine.register_waiting(
            self.history, self.connection, self.source.name, self.source.stream
        )
        self.connection.execute(
            f"create table foresail_accounts as {accounts_query(self.stream, given, self.history.buckets)}"
        )
        query = staging_query(self.stream, given, bounds, awaited=awaited)
        order = "place nulls first, known_at nulls first, occurred_at nulls first"
        self.connection.execute(f"create table staged as {query} order by {order}")
        self.read = self._count("select count(*) from staged")
        if awaited:
            rows = self.connection.execute("select distinct row from staged where bucket >= 0 and row is not null")
            self.accepted = frozenset(row for (row,) in rows.fetchall())
        if self._count("select count(*) from staged where place is null"):
            raise self.source.error(
                "its select returns other rows each time it is run; give it an order before its limit, or a fixed sample"
            )

    def _fetch(self, scratch: Path, portion: _Portion, as_of: datetime) -> list[Path]:
        """The new rows of a database as files, and the cursor that they have reached as the portion's mark."""
        assert self.source.database is not None  # noqa: S101  the caller asked
        folder = scratch / "fetched"
        folder.mkdir()
        reached = sql_source.fetch(self.source.database, self.source.folder, portion.since, folder, as_of)
        portion.marks = (
            [(bookmarks.cursor_name(self.source), sql_source.as_stored(reached))] if reached is not None else []
        )
        return sorted(folder.iterdir())

    def _register_identities(self) -> None:
        """The tables `foresail_merged` and `foresail_forgotten`, empty where nobody was."""
        known = identities(self.history)
        merged = [(absorbed, survivor, moment) for absorbed, (survivor, moment) in known.merged.items()]
        absorbed, survivors, moments = zip(*merged, strict=True) if merged else ((), (), ())
        columns = {"absorbed": (absorbed, TEXT), "survivor": (survivors, TEXT), "merged_at": (moments, TIME)}
        table = pa.table({name: pa.array(*column) for name, column in columns.items()})
        self.connection.register("foresail_merged", table)
        forgotten = pa.array(sorted(known.forgotten), TEXT)
        self.connection.register("foresail_forgotten", pa.table({"fingerprint": forgotten}))

    def drop_duplicates(self, progress: StepProgress) -> None:
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

    def commit(self, as_of: datetime, progress: StepProgress) -> IngestReport:
        """Write the quarantine, then the buckets that gained rows."""
        fresh, (reasons, examples) = self._rows_by_bucket(), self._reasons()
        kept, refused = sum(fresh.values()), sum(reasons.values())
        forgotten = self._count(f"select count(*) from staged where bucket = {FORGOTTEN}")
        self._assert_conserved(kept, refused, forgotten)
        replaced = self._buckets_to_clear()
        if replaced:
            self._refuse_to_replace_by_nothing(refused, examples)
            bookmarks.forget_others(self.history, self.source)
        oldest, newest = self._span()
        if self.is_mapped_anew and self.source.name != POSTED:
            quarantine.clear(self.history, self.source.name, self.stream.name)
        if refused:
            quarantine.add(self.history, self.connection, self._refused(as_of))
        touched = {bucket: fresh.get(bucket, 0) for bucket in sorted({*fresh, *replaced})}
        if touched:
            self.history.replace(self.stream.name, list(touched), self._batches(touched, progress))
        # Last of all: an event is never out of the quarantine and not yet in the stream.
        released = quarantine.release(self.history, self.source.name, self.source.stream, self.accepted)
        name, versions = self.source.name, self.history.versions()
        return IngestReport(
            name, self.stream.name, self.read, kept, self.duplicates, self.repeated, refused, reasons, examples,
            oldest, newest, versions, self.changed, forgotten, released,
        )  # fmt: skip

    def _refuse_changed_mapping(self, mapping: str) -> None:
        before = mappings.in_force(self.history, self.source)
        self.is_mapped_anew = self.replace or before not in (None, mapping)
        if self.is_mapped_anew and not self.has_ids and not self.replace and self._has_stored_rows():
            raise self.source.error(
                "its select, options or timezone have changed since it was last ingested, and its rows have no event_id: "
                "they would be stored a second time. Put the new rows in the place of the old ones: "
                f"foresail ingest {self.source.name} --replace"
            )

    def _refuse_to_replace_by_nothing(self, refused: int, examples: Mapping[str, str]) -> None:
        if refused == self.read:
            raise self.source.error(
                f"each of its {refused:,} rows would be refused ({'; '.join(examples.values())}), so nothing was put in the "
                "place of what it brought before. Correct the select, or the file"
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
        if self.source.database is not None and not rows:
            return self.source.error("the database gives no rows; correct its table or query")
        if not rows:
            return self.source.error(f"{names} has columns but no rows; export it again, or correct the pattern")
        where = names or "the database"
        return self.source.error(f"no row is left after its select, of {rows:,} in {where}; correct its where or join")

    def _rows_by_bucket(self) -> dict[int, int]:
        query = "select bucket, count(*) from staged where bucket >= 0 group by bucket order by bucket"
        return dict(self.connection.execute(query).fetchall())

    def _stored_rows(self) -> dict[int, int]:
        snapshot = self.history.snapshot(self.stream.name)
        rows: dict[int, int] = {}
        for file in snapshot.files if snapshot else ():
            rows[file.bucket] = rows.get(file.bucket, 0) + file.rows
        return rows

    def _buckets_with_repetitions(self) -> set[int]:
        # Equal hashes are suspects only; telling them apart exactly is for the few buckets that have any.
        query = """select min(bucket) from staged where bucket >= 0
            group by hash(account_id, event_id) having count(*) > 1"""
        return {bucket for (bucket,) in self.connection.execute(query).fetchall()}

    def _delete_repetitions(self, bucket: int) -> int:
        """Delete all but the first of each identity in canonical order; how many were deleted."""
        order = ", ".join(f"{name} nulls first" for name in canonical_order(self.stream))
        self.connection.execute(f"""create or replace temp table repetitions as
            with repeated as (select account_id, event_id from staged where bucket = {bucket} group by all having count(*) > 1),
            numbered as (select s.rowid as row_number_staged, row_number() over identity as place_in_line,
                {_content("s", self.stream)} is distinct from first_value({_content("s", self.stream)}) over identity as differs
                from staged s semi join repeated r on s.account_id = r.account_id and s.event_id = r.event_id
                where s.bucket = {bucket} window identity as (partition by s.account_id, s.event_id order by {order}))
            select row_number_staged, differs from numbered where place_in_line > 1""")
        self.changed += self._count("select count(*) from repetitions where differs")
        return self._count("delete from staged where rowid in (select row_number_staged from repetitions)")

    def _delete_stored(self, bucket: int) -> int:
        """Delete what the stream has already; how many were deleted."""
        columns = [column.name for column in self.stream.columns]
        # Ids made from the content have the same content.
        self.connection.register(
            "stored", self._stored(bucket, columns if self.has_ids else ["account_id", "event_id"])
        )
        same = "s.account_id = staged.account_id and s.event_id = staged.event_id"
        if self.has_ids:
            differs = f"{_content('s', self.stream)} is distinct from {_content('staged', self.stream)}"
            self.changed += self._count(
                f"select count(*) from staged join stored s on {same} where bucket = {bucket} and {differs}"
            )
        deleted = self._count(
            f"delete from staged where bucket = {bucket} and exists (select 1 from stored s where {same})"
        )
        self.connection.unregister("stored")
        return deleted

    def _reasons(self) -> tuple[dict[str, int], dict[str, str]]:
        """Refused rows by kind of reason: how many, and what is said of one of them."""
        query = f"""select refused_kind, count(*), min(refused_reason) from staged where bucket = {REFUSED}
            group by all order by all"""
        found = self.connection.execute(query).fetchall()
        return {kind: count for kind, count, _ in found}, {kind: example for kind, _, example in found}

    def _span(self) -> tuple[datetime | None, datetime | None]:
        query = "select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from staged where bucket >= 0"
        oldest, newest = self.connection.execute(query).fetchall()[0]
        return (None, None) if oldest is None else (moment(oldest), moment(newest))

    def _refused(self, as_of: datetime) -> str:
        """The refused rows as the quarantine's columns; equal rows are told apart by counting them."""
        return f"""select {literal(self.source.name)} as source, {literal(self.stream.name)} as stream,
            refused_kind as kind, refused_reason as reason, row,
            md5(row_number() over (partition by row) || ':' || row) as row_id,
            timestamptz {literal(as_of.isoformat())} as as_of
            from staged where bucket = {REFUSED}"""

    def _batches(self, fresh: Mapping[int, int], progress: StepProgress) -> Iterator[pa.RecordBatch]:
        """Every touched bucket as one batch: what is stored and what is new, in canonical order."""
        stored, schema = self._stored_rows(), stored_schema(self.stream)
        for number, (bucket, new) in enumerate(fresh.items()):
            progress(number, len(fresh), "writing buckets")
            old = stored.get(bucket, 0)
            if old and self.replace:
                old = self._stored(bucket, ["source"]).num_rows
            rows = self._merged_rows(bucket) if old else self._new_rows(bucket)
            if rows.num_rows != old + new:
                raise self.source.error(f"bucket {bucket} would have {rows.num_rows} rows instead of {old} + {new}")
            if rows.num_rows:
                yield one_batch(rows.cast(schema))
        progress(len(fresh), len(fresh), "writing buckets")

    def _new_rows(self, bucket: int) -> pa.Table:
        """A bucket's new rows in canonical order: as they are staged, where they agree in account and times sorted again."""
        rows = self._as_one_chunk(self._staged_rows(bucket, "place"))
        tied = _tied(rows)
        rows = rows.drop_columns(["place"])
        if not tied.any():
            return rows
        positions = np.flatnonzero(tied)
        order = ", ".join(f"{name} nulls first" for name in canonical_order(self.stream))
        self.connection.register("tied", rows.take(positions).append_column("position", pa.array(positions)))
        sorted_again = self.connection.sql(f"select position from tied order by {order}").to_arrow_table()
        self.connection.unregister("tied")
        places = np.arange(rows.num_rows)
        places[positions] = sorted_again["position"].to_numpy()
        return rows.take(places)

    def _as_one_chunk(self, query: str) -> pa.Table:
        # In pieces the rows of a bucket would have to be copied once more before they are written.
        return self.connection.sql(query).to_arrow_table(batch_size=MOST_ROWS)

    def _staged_rows(self, bucket: int, *more: str) -> str:
        names = ", ".join(column.name for column in self.stream.columns)
        further = "".join(f", {name}" for name in more)
        # Scans of `staged` follow the order of insertion.
        return f"select {names}, {literal(self.source.name)} as source, bucket{further} from staged where bucket = {bucket}"

    def _merged_rows(self, bucket: int) -> pa.Table:
        names = [*(column.name for column in self.stream.columns), "source"]
        self.connection.register("stored", self._stored(bucket, names))
        old = f"select {', '.join(names)}, {bucket}::integer as bucket from stored"
        order = ", ".join(f"{name} nulls first" for name in canonical_order(self.stream))
        query = f"{old} union all {self._staged_rows(bucket)} order by {order}"
        rows = self._as_one_chunk(query)
        self.connection.unregister("stored")
        return rows

    def _assert_conserved(self, kept: int, refused: int, forgotten: int) -> None:
        if self.read != kept + self.duplicates + refused + forgotten:
            raise self.source.error(
                f"read {self.read} rows, but kept {kept} + duplicates {self.duplicates} + quarantined {refused} + forgotten "
                f"{forgotten}: nothing was committed; this is a fault of Foresail, please report it"
            )

    def _count(self, query: str) -> int:
        return int(self.connection.execute(query).fetchall()[0][0])


def _content(table: str, stream: Stream) -> str:
    """What a row says, as one SQL value."""
    return f"row({', '.join(f'{table}.{column.name}' for column in stream.columns)})"


def _tied(rows: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows agree with a neighbour in place, known_at and occurred_at."""
    keys = [rows[name].cast(pa.int64()).to_numpy() for name in ("place", "known_at", "occurred_at")]
    tied = np.zeros(rows.num_rows, np.bool_)
    as_the_next = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    tied[:-1] |= as_the_next
    tied[1:] |= as_the_next
    return tied


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
def _connection(scratch: Path, timezone: str) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(scratch / "spilled"),
        "memory_limit": MEMORY_LIMIT,
        # DuckDB 2.0 hands a lone try_cast on to its CSV reader as a cast, which then fails on the first dirty value.
        "disabled_optimizers": "type_pushdown",
    }
    with duckdb.connect(config=config) as connection:
        connection.execute(f"set TimeZone = {literal(timezone)}")
        yield connection


def _silent(done: int, total: int, what: str) -> None:
    """No progress is wanted."""
