"""Stage: a source's rows are read, mapped by its select, checked one by one, and sorted."""

import difflib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from features.history import quarantine
from features.history.identities import identities
from features.history.ingest import sql_source
from features.history.ingest.progress import Marks, ReadingPlan, cursor_name, mapping_in_force
from features.history.ingest.sources import (
    ONE_COLUMN,
    IngestError,
    Source,
    create_mapped_view,
    create_source_views,
    leave_out,
    looks_unsplit,
    reading_error,
    takes_rows_singly,
)
from features.history.ingest.staged_table import StagedTable, count, stored_by_bucket
from features.history.ingest.validation import Bounds, accounts_query, staging_query
from features.history.store import TEXT, TIME, History
from features.history.streams import STREAMS, Stream
from features.locked_duckdb import lock


def stage(
    history: History,
    source: Source,
    connection: duckdb.DuckDBPyConnection,
    scratch: Path,
    plan: ReadingPlan,
    bounds: Bounds,
    *,
    replace: bool,
) -> StagedTable:
    """Create the table `staged` with every row of the plan, good or refused."""
    fetched, marks = _fetch(source, scratch, plan.since, bounds.as_of) if source.database else ([], plan.marks)
    unchanged = _create_views(connection, source, scratch, plan, fetched)
    lock(connection)
    select_types = create_mapped_view(connection, source, plan.files)
    _check_columns(source, STREAMS[source.stream], select_types)
    has_event_ids = "event_id" in {name.lower() for name in select_types}
    is_mapped_anew = replace or mapping_in_force(history, source) not in (None, plan.mapping)
    if is_mapped_anew and not has_event_ids and not replace:
        _refuse_second_storing(history, source)
    _register_identities(connection, history)
    try:
        accepted = _create_staged(connection, history, source, select_types, bounds, is_mapped_anew=is_mapped_anew)
    except duckdb.Error as error:
        raise reading_error(source, plan.files, error) from error
    read = count(connection, "select count(*) from staged")
    is_whole = not unchanged and plan.since is None
    if not read and is_whole:
        raise _nothing_read(connection, source, plan.files)
    return StagedTable(
        history, source, connection, replace, read, has_event_ids, is_mapped_anew, accepted, marks, unchanged
    )


def _fetch(
    source: Source, scratch: Path, since: sql_source.Reached | None, as_of: datetime
) -> tuple[list[Path], Marks]:
    """The new rows of a database as files, and the mark of the cursor that they have reached."""
    assert source.database is not None  # noqa: S101  for the type checker
    folder = scratch / "fetched"
    folder.mkdir()
    reached = sql_source.fetch(source.database, source.folder, since, folder, as_of)
    marks = [] if reached is None else [(cursor_name(source), sql_source.as_stored(reached))]
    return sorted(folder.iterdir()), marks


def _create_views(
    connection: duckdb.DuckDBPyConnection, source: Source, scratch: Path, plan: ReadingPlan, fetched: Sequence[Path]
) -> int:
    """Create the views of the source and its further tables; how many files are passed over, being unchanged."""
    readable = create_source_views(connection, source, scratch, fetched)
    if not plan.unchanged or not takes_rows_singly(connection, source):
        return 0
    unchanged = set(plan.unchanged)
    leave_out(connection, [copy for copy, path in zip(readable, plan.files, strict=True) if path in unchanged])
    return len(unchanged)


def _create_staged(
    connection: duckdb.DuckDBPyConnection,
    history: History,
    source: Source,
    select_types: Mapping[str, str],
    bounds: Bounds,
    *,
    is_mapped_anew: bool,
) -> frozenset[str]:
    """Create `staged`; the rows, as the quarantine has them, that are good and may have been refused before."""
    stream = STREAMS[source.stream]
    awaited = not is_mapped_anew and quarantine.register_waiting(history, connection, source.name, stream.name)
    connection.execute(f"create table foresail_accounts as {accounts_query(stream, select_types, history.buckets)}")
    query = staging_query(stream, select_types, bounds, awaited=awaited)
    order = "place nulls first, known_at nulls first, occurred_at nulls first"
    connection.execute(f"create table staged as {query} order by {order}")
    if count(connection, "select count(*) from staged where place is null"):
        raise source.error(
            "its select returns other rows each time it is run; give it an order before its limit, or a fixed sample"
        )
    if not awaited:
        return frozenset()
    rows = connection.execute("select distinct row from staged where bucket >= 0 and row is not null")
    return frozenset(row for (row,) in rows.fetchall())


def _register_identities(connection: duckdb.DuckDBPyConnection, history: History) -> None:
    """The tables `foresail_merged` and `foresail_forgotten`, empty where no account was merged or erased."""
    known = identities(history)
    merged = [(absorbed, survivor, moment) for absorbed, (survivor, moment) in known.merged.items()]
    absorbed, survivors, moments = zip(*merged, strict=True) if merged else ((), (), ())
    columns = {"absorbed": (absorbed, TEXT), "survivor": (survivors, TEXT), "merged_at": (moments, TIME)}
    table = pa.table({name: pa.array(*column) for name, column in columns.items()})
    connection.register("foresail_merged", table)
    forgotten = pa.array(sorted(known.forgotten), TEXT)
    connection.register("foresail_forgotten", pa.table({"fingerprint": forgotten}))


def _refuse_second_storing(history: History, source: Source) -> None:
    buckets = stored_by_bucket(history, source.stream)
    columns = (history.read(source.stream, bucket, ["source"])["source"] for bucket in buckets)
    if any(source.name in column.chunk(0).dictionary.to_pylist() for column in columns):
        raise source.error(
            "its select, options or timezone have changed since it was last ingested, and its rows have no event_id: "
            "they would be stored a second time",
            f"Put the new rows in the place of the old ones: foresail ingest {source.name} --replace",
        )


def _nothing_read(connection: duckdb.DuckDBPyConnection, source: Source, files: Sequence[Path]) -> IngestError:
    rows = count(connection, "select count(*) from source")
    names = ", ".join(path.name for path in files[:3]) + (" ..." if len(files) > 3 else "")
    if source.database is not None and not rows:
        return source.error("the database gives no rows; correct its table or query")
    if not rows:
        return source.error(f"{names} has columns but no rows; export it again, or correct the pattern")
    where = names or "the database"
    return source.error(f"no row is left after its select, of {rows:,} in {where}; correct its where or join")


def _check_columns(source: Source, stream: Stream, select_types: Mapping[str, str]) -> None:
    names, known = [name.lower() for name in select_types], [column.name for column in stream.columns]
    if looks_unsplit(names):
        raise source.error(
            f"{ONE_COLUMN}. Its only column is '{names[0]}'; a row with more fields than the header does the same"
        )
    for name in names:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"nearest: {', '.join(nearest)}" if nearest else f"it has {', '.join(known)}"
            raise source.error(
                f"stream '{stream.name}' has no column '{name}' ({hint}); rename it in the select, or leave it out"
            )
    for column in stream.columns:
        if column.required and column.name not in names:
            raise source.error(
                f"stream '{stream.name}' needs a column '{column.name}' ({column.meaning}); its select gives {names}",
                f"Add `... as {column.name}` to the select",
            )
