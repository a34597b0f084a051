"""Any table → checked rows → history, with a report of the refused rows.

Three steps over one table: `stage` reads a source's files together, maps them by its `select`, checks row by row and
sorts once; `deduplicate` drops what the history has already; `commit` writes bucket by bucket. Every row that the select
returned ends in exactly one of four places:

    kept         in the stream's table
    duplicate    nowhere: the stream has that event already
    quarantined  in the quarantine table, with one plain reason
    forgotten    nowhere: its account was erased

read = kept + duplicates + quarantined + forgotten holds at every run, or nothing is committed.

Files that are still the same and rows of a database below its cursor are not read again
(`features.history.ingest.progress`). Files are passed over one by one where the select takes rows singly; a select that counts, ranks or
sums over all files is given all of them as soon as one is new. Rows that lay in the future keep their files and their
cursor from being noted, because a later ingest may accept them.

An event is identified within its stream by (account_id, event_id), so that the bucket of its account knows all it
needs: the same event_id at another account is another event. A stored event stays; among rows of one ingest that
share an identity the first in canonical order stays, so the order of files and rows does not matter. Without an
event_id of their own, rows are identified by a hash of their content (`validation.content_hash`).

Account ids are text and taken as they are: a column of floats gives '17850.0' (cast it in the select), and a CSV
column keeps its leading zeros.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import duckdb

from features.history import arrivals
from features.history.ingest import sql_source
from features.history.ingest.commit import commit
from features.history.ingest.deduplication import deduplicate
from features.history.ingest.progress import ReadingPlan, note_mapping, note_reading, plan_reading
from features.history.ingest.report import IngestReport
from features.history.ingest.sources import IngestError, Source, literal
from features.history.ingest.staged_table import StagedTable
from features.history.ingest.staging import stage
from features.history.ingest.validation import Bounds
from features.history.quarantine import quarantined
from features.history.store import History
from features.history.streams import STREAMS
from features.locked_duckdb import locked_duckdb
from features.progress import StepProgress

__all__ = ["IngestError", "IngestReport", "Source", "ingest", "quarantined"]

MEMORY_LIMIT = "1GB"


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
    refused. Rows that do not fit into memory for sorting are spilled to disk beside the history.

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
    bounds, progress = Bounds(earliest, as_of, timezone), progress or _silent
    try:
        with history.lock(), _scratch(history) as scratch, _connection(scratch, timezone) as connection:
            plan = plan_reading(history, source, bounds, again=replace or everything)
            if plan.is_empty:
                report = _nothing_new(history, source, plan)
            else:
                progress(0, 1, "reading and checking")
                staged = stage(history, source, connection, scratch, plan, bounds, replace=replace)
                progress(1, 1, "reading and checking")
                duplicates = deduplicate(staged, progress)
                report = commit(staged, duplicates, as_of, progress)
                _note_progress(staged, plan, report)
            if not report.is_no_news:
                # With the history still locked: an erasure or a vacuum would take a file that is about to be noted.
                arrivals.note(history, source.name, source.stream, as_of, report.read, report.kept)
            return report
    except sql_source.DatabaseError as error:
        raise source.error(str(error)) from None


def _nothing_new(history: History, source: Source, plan: ReadingPlan) -> IngestReport:
    versions, unchanged = history.versions(), len(plan.unchanged)
    return IngestReport(source.name, source.stream, 0, 0, 0, 0, 0, {}, {}, None, None, versions, unchanged=unchanged)


def _note_progress(staged: StagedTable, plan: ReadingPlan, report: IngestReport) -> None:
    """Keep the mapping and, unless a later ingest may accept more of these rows, how far the source has been read.

    After the commit: killed in between, the next ingest is refused once too often and not once too seldom. A source of
    which nothing could be used is read again as well: passed over, it would look as if it had nothing new.
    """
    note_mapping(staged.history, staged.source, plan.mapping)
    if not report.is_no_news and not report.has_future_rows:
        note_reading(staged.history, staged.source, plan, staged.marks)


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
    with locked_duckdb(
        open_until_lock=True,
        temp_directory=str(scratch / "spilled"),
        memory_limit=MEMORY_LIMIT,
        # DuckDB 2.0 hands a lone try_cast on to its CSV reader as a cast, which then fails on the first dirty value.
        disabled_optimizers="type_pushdown",
    ) as connection:
        connection.execute(f"set TimeZone = {literal(timezone)}")
        yield connection


def _silent(done: int, total: int, step: str) -> None:
    """No progress is wanted."""
