"""Commit: the staged rows are written, the refused to the quarantine and the good to their buckets."""

# ruff: noqa: S608  built from declared columns and quoted literals

from collections.abc import Iterator, Mapping
from datetime import datetime

import numpy as np
import pyarrow as pa

from features.arrays import Flags
from features.history import quarantine
from features.history.ingest.deduplication import Duplicates
from features.history.ingest.progress import forget_other_sources
from features.history.ingest.report import IngestReport
from features.history.ingest.sources import POSTED, literal
from features.history.ingest.staged_table import StagedTable
from features.history.ingest.validation import FORGOTTEN, REFUSED
from features.history.store import canonical_order, one_batch, stored_schema
from features.progress import StepProgress
from features.timestamps import moment

MOST_ROWS = 1 << 31


def commit(staged: StagedTable, duplicates: Duplicates, as_of: datetime, progress: StepProgress) -> IngestReport:
    """Write the quarantine, then the buckets that gained rows, each in one atomic commit."""
    history, source, stream = staged.history, staged.source, staged.stream
    fresh, (reasons, examples) = staged.rows_by_bucket(), _reasons(staged)
    kept, refused = sum(fresh.values()), sum(reasons.values())
    forgotten = staged.count(f"select count(*) from staged where bucket = {FORGOTTEN}")
    _assert_conserved(staged, kept, duplicates, refused, forgotten)
    replaced = _buckets_to_clear(staged)
    if replaced:
        _refuse_to_replace_by_nothing(staged, refused, examples)
        forget_other_sources(history, source)
    oldest, newest = _span(staged)
    if staged.is_mapped_anew and source.name != POSTED:
        quarantine.clear(history, source.name, stream.name)
    if refused:
        quarantine.add(history, staged.connection, _refused_query(staged, as_of))
    touched = {bucket: fresh.get(bucket, 0) for bucket in sorted({*fresh, *replaced})}
    if touched:
        history.replace(stream.name, list(touched), _batches(staged, touched, progress))
    # Last of all: an event is never out of the quarantine and not yet in the stream.
    released = quarantine.release(history, source.name, stream.name, staged.accepted)
    return IngestReport(
        source.name, stream.name, staged.read, kept, duplicates.total, duplicates.repeated, refused, reasons, examples,
        oldest, newest, history.versions(), duplicates.changed, forgotten, released, staged.unchanged,
    )  # fmt: skip


def _assert_conserved(staged: StagedTable, kept: int, duplicates: Duplicates, refused: int, forgotten: int) -> None:
    if staged.read != kept + duplicates.total + refused + forgotten:
        raise staged.source.error(
            f"read {staged.read} rows, but kept {kept} + duplicates {duplicates.total} + quarantined {refused} + "
            f"forgotten {forgotten}: nothing was committed; this is a fault of Foresail, please report it"
        )


def _buckets_to_clear(staged: StagedTable) -> list[int]:
    """The buckets with rows of the source that make room."""
    if not staged.replace:
        return []
    stored = staged.stored_by_bucket().items()
    return [bucket for bucket, rows in stored if staged.stored(bucket, ["source"]).num_rows < rows]


def _refuse_to_replace_by_nothing(staged: StagedTable, refused: int, examples: Mapping[str, str]) -> None:
    if refused == staged.read:
        raise staged.source.error(
            f"each of its {refused:,} rows would be refused ({'; '.join(examples.values())}), so nothing was put in the "
            "place of what it brought before",
            "Correct the select, or the file",
        )


def _reasons(staged: StagedTable) -> tuple[dict[str, int], dict[str, str]]:
    """Refused rows by kind of reason: their number, and the full reason of one of them."""
    query = f"""select refused_kind, count(*), min(refused_reason) from staged where bucket = {REFUSED}
        group by all order by all"""
    rows = staged.connection.execute(query).fetchall()
    return {kind: number for kind, number, _ in rows}, {kind: example for kind, _, example in rows}


def _span(staged: StagedTable) -> tuple[datetime | None, datetime | None]:
    query = "select epoch_us(min(occurred_at)), epoch_us(max(occurred_at)) from staged where bucket >= 0"
    oldest, newest = staged.connection.execute(query).fetchall()[0]
    return (None, None) if oldest is None else (moment(oldest), moment(newest))


def _refused_query(staged: StagedTable, as_of: datetime) -> str:
    """The refused rows as the quarantine's columns; equal rows are told apart by counting them."""
    return f"""select {literal(staged.source.name)} as source, {literal(staged.stream.name)} as stream,
        refused_kind as kind, refused_reason as reason, row,
        md5(row_number() over (partition by row) || ':' || row) as row_id,
        timestamptz {literal(as_of.isoformat())} as as_of
        from staged where bucket = {REFUSED}"""


def _batches(staged: StagedTable, touched: Mapping[int, int], progress: StepProgress) -> Iterator[pa.RecordBatch]:
    """Every touched bucket as one batch: stored and new rows together, in canonical order."""
    stored, schema = staged.stored_by_bucket(), stored_schema(staged.stream)
    for number, (bucket, new) in enumerate(touched.items()):
        progress(number, len(touched), "writing buckets")
        old = stored.get(bucket, 0)
        if old and staged.replace:
            old = staged.stored(bucket, ["source"]).num_rows
        rows = _merged_rows(staged, bucket) if old else _new_rows(staged, bucket)
        if rows.num_rows != old + new:
            raise staged.source.error(f"bucket {bucket} would have {rows.num_rows} rows instead of {old} + {new}")
        if rows.num_rows:
            yield one_batch(rows.cast(schema))
    progress(len(touched), len(touched), "writing buckets")


def _new_rows(staged: StagedTable, bucket: int) -> pa.Table:
    """A bucket's new rows in canonical order: as they are staged, where they agree in account and times sorted again."""
    rows = _as_one_chunk(staged, _staged_query(staged, bucket, "place"))
    tied = _tied(rows)
    rows = rows.drop_columns(["place"])
    if not tied.any():
        return rows
    positions = np.flatnonzero(tied)
    order = ", ".join(f"{name} nulls first" for name in canonical_order(staged.stream))
    staged.connection.register("tied", rows.take(positions).append_column("position", pa.array(positions)))
    sorted_again = staged.connection.sql(f"select position from tied order by {order}").to_arrow_table()
    staged.connection.unregister("tied")
    places = np.arange(rows.num_rows)
    places[positions] = sorted_again["position"].to_numpy()
    return rows.take(places)


def _merged_rows(staged: StagedTable, bucket: int) -> pa.Table:
    """A bucket's stored and new rows in canonical order."""
    names = [*(column.name for column in staged.stream.columns), "source"]
    staged.connection.register("stored", staged.stored(bucket, names))
    old = f"select {', '.join(names)}, {bucket}::integer as bucket from stored"
    order = ", ".join(f"{name} nulls first" for name in canonical_order(staged.stream))
    rows = _as_one_chunk(staged, f"{old} union all {_staged_query(staged, bucket)} order by {order}")
    staged.connection.unregister("stored")
    return rows


def _staged_query(staged: StagedTable, bucket: int, *further: str) -> str:
    names = ", ".join(column.name for column in staged.stream.columns)
    more = "".join(f", {name}" for name in further)
    # Scans of `staged` follow the order of insertion.
    return f"select {names}, {literal(staged.source.name)} as source, bucket{more} from staged where bucket = {bucket}"


def _as_one_chunk(staged: StagedTable, query: str) -> pa.Table:
    # In pieces the rows of a bucket would have to be copied once more before they are written.
    return staged.connection.sql(query).to_arrow_table(batch_size=MOST_ROWS)


def _tied(rows: pa.Table) -> Flags:
    """Which rows agree with a neighbour in place, known_at and occurred_at."""
    keys = [rows[name].cast(pa.int64()).to_numpy() for name in ("place", "known_at", "occurred_at")]
    tied = np.zeros(rows.num_rows, np.bool_)
    as_the_next = np.logical_and.reduce([key[1:] == key[:-1] for key in keys])
    tied[:-1] |= as_the_next
    tied[1:] |= as_the_next
    return tied
