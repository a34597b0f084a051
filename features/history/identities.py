"""Identities: which account a row belongs to after merges, and which accounts were erased.

A merge is correct in time: every event of the absorbed account belongs to the surviving one, from the moment on at
which it was known that the two are one. Every row of the absorbed account moves, in every stream, with
known_at = the later of its own and the merge's, so that no feature at an earlier as_of sees the joined history. Only
account_id names the account: columns that mention another id (a parent company, a referrer) stay as they are.

Ingest applies `identities(history)` to each row after the row has its event_id: a row without an event_id of its own is
identified by its content as the source gives it, absorbed id included; otherwise the same file ingested again would be
stored a second time.

Erased accounts are kept as SHA-256 of their id, so that an ingest can refuse their rows although their ids cannot be
read. (A person with a list of ids can try them. Without such a list nothing is learnt.)
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from features.history.store import TEXT, TIME, History, HistoryError, in_canonical_order, one_batch, stored_schema
from features.history.streams import STREAMS, Stream
from features.locked_duckdb import locked_duckdb
from features.progress import StepProgress
from features.timestamps import microseconds

MERGES, FORGOTTEN = "merges", "forgotten"
MERGES_SCHEMA = pa.schema([("absorbed", TEXT), ("into", TEXT), ("known_at", TIME)])
"""One row per merge, as it was requested: the surviving account may itself have been absorbed later."""
FORGOTTEN_SCHEMA = pa.schema([("fingerprint", TEXT)])


class IdentityError(HistoryError):
    """An account cannot be merged or forgotten; the message says which, why, and what to do."""


@dataclass(frozen=True)
class Identities:
    """The ids absorbed by other accounts, and the fingerprints of erased accounts."""

    merged: Mapping[str, tuple[str, datetime]]
    """Absorbed id → the account that survives in the end, and when the last merge on the way became known."""
    forgotten: frozenset[str]

    def knows_forgotten(self, account_id: str) -> bool:
        """Whether the account has been erased."""
        return fingerprint_of(account_id) in self.forgotten

    def absorbed_by(self, account_id: str) -> list[str]:
        """Every id that is this account today, itself not among them."""
        return sorted(absorbed for absorbed, (into, _) in self.merged.items() if into == account_id)


@dataclass(frozen=True)
class Merged:
    """The result of a merge. `moved` counts rows by stream, `duplicates` those that the surviving account had already."""

    absorbed: str
    into: str
    known_at: datetime
    moved: Mapping[str, int]
    duplicates: int
    versions: Mapping[str, int]


def fingerprint_of(account_id: str) -> str:
    """The SHA-256 of an account's id, in hex; the same in SQL: sha256(account_id)."""
    return hashlib.sha256(account_id.encode()).hexdigest()


def identities(history: History) -> Identities:
    """The identities of a history now; empty, at no cost, where no account was ever merged or erased."""
    forgotten = _stored(history, FORGOTTEN)
    return Identities(_resolved(_stored(history, MERGES)), frozenset(row["fingerprint"] for row in forgotten))


def merge(
    history: History, absorbed: str, into: str, known_at: datetime, progress: StepProgress | None = None
) -> Merged:
    """Make `absorbed` the same account as `into`, as known from `known_at` on.

    The merge is noted first, then each stream is moved in one commit. Killed at any moment, the streams are readable;
    the same merge repeated completes it, with the moment first given. Of rows with the same event_id the first
    in canonical order stays. Two histories of attributes become one: the value that began to hold last counts, as always.

    IdentityError if either id is unknown, erased, or absorbed by another account already, or if both are one.
    HistoryError if another process is writing.
    """
    microseconds(known_at)  # a naive moment is refused here, before anything is written
    with history.lock():
        known_at = _noted(history, absorbed, into, known_at)
        moved, duplicates = dict[str, int](), 0
        for done, stream in enumerate(STREAMS.values()):
            if progress:
                progress(done, len(STREAMS), "moving streams")
            rows, doubled = _move(history, stream, absorbed, into, known_at)
            moved |= {stream.name: rows} if rows else {}
            duplicates += doubled
        if progress:
            progress(len(STREAMS), len(STREAMS), "moving streams")
        return Merged(absorbed, into, known_at, moved, duplicates, history.versions())


def rows_of(history: History, stream: str, account_id: str, columns: Sequence[str]) -> pa.Table:
    """The rows of one account in a stream, in canonical order."""
    names = list(dict.fromkeys(["account_id", *columns]))
    rows = history.read(stream, history.bucket_of(account_id), names)
    return rows.filter(_is(rows, account_id)).select(list(columns))


def without(rows: pa.Table, account_id: str) -> pa.Table:
    """The rows of a bucket that are not of this account."""
    return rows.filter(pc.invert(_is(rows, account_id)))


def stored_columns(stream: Stream) -> list[str]:
    """All that is stored of a row but its bucket."""
    return [name for name in stored_schema(stream).names if name != "bucket"]


def whole_bucket(rows: pa.Table, stream: Stream, bucket: int) -> Iterator[pa.RecordBatch]:
    """Rows as `History.replace` takes them: one batch, or none where the bucket is left empty."""
    if rows.num_rows:
        numbered = rows.append_column("bucket", pa.repeat(pa.scalar(bucket, pa.int32()), rows.num_rows))
        yield one_batch(numbered.cast(stored_schema(stream)))


def refuse_unknown(history: History, account_id: str) -> None:
    """IdentityError, with the nearest ids there are, if no stream has a row of this account."""
    if not any(rows_of(history, stream, account_id, ["known_at"]).num_rows for stream in history.versions()):
        nearest = ", ".join(f"'{name}'" for name in _nearest(history, account_id))
        hint = f"the nearest ids are {nearest}" if nearest else "the history is empty"
        raise IdentityError(f"the history knows no account '{account_id}'; {hint}")


def _noted(history: History, absorbed: str, into: str, known_at: datetime) -> datetime:
    """Note the merge if it is new, and give the moment from which it is known."""
    before = {row["absorbed"]: row for row in _stored(history, MERGES)}.get(absorbed)
    if before is not None and before["into"] == into:
        return before["known_at"]  # type: ignore[no-any-return]
    _refuse(history, absorbed, into)
    row = {"absorbed": absorbed, "into": into, "known_at": known_at}
    history.append(MERGES, pa.Table.from_pylist([row], schema=MERGES_SCHEMA))
    return known_at


def _refuse(history: History, absorbed: str, into: str) -> None:
    """IdentityError for a new merge that is not possible. Cycles cannot arise: neither account may be absorbed already."""
    if absorbed == into:
        raise IdentityError(f"'{into}' cannot be merged into itself; name two accounts")
    known = identities(history)
    for account_id in (absorbed, into):
        if known.knows_forgotten(account_id):
            raise IdentityError(f"account '{account_id}' was erased: nothing can be merged with it")
        if account_id in known.merged:
            survivor, _ = known.merged[account_id]
            raise IdentityError(f"'{account_id}' was already merged into '{survivor}'; use that id")
        refuse_unknown(history, account_id)


def _move(history: History, stream: Stream, absorbed: str, into: str, known_at: datetime) -> tuple[int, int]:
    """Move the absorbed account's rows of one stream: how many, and how many the surviving account had already."""
    names, source, target = stored_columns(stream), history.bucket_of(absorbed), history.bucket_of(into)
    moving = rows_of(history, stream.name, absorbed, names)
    if not moving.num_rows:
        return 0, 0
    joined = _joined(rows_of(history, stream.name, into, names), _renamed(moving, into, known_at), stream)
    doubled = rows_of(history, stream.name, into, []).num_rows + moving.num_rows - joined.num_rows
    buckets = sorted({source, target})
    batches = _moved_buckets(history, stream, buckets, absorbed, (into, joined))
    history.replace(stream.name, buckets, batches)
    return moving.num_rows, doubled


def _moved_buckets(
    history: History, stream: Stream, buckets: Sequence[int], absorbed: str, surviving: tuple[str, pa.Table]
) -> Iterator[pa.RecordBatch]:
    into, joined = surviving
    for bucket in buckets:
        rows = without(history.read(stream.name, bucket, stored_columns(stream)), absorbed)
        if bucket == history.bucket_of(into):
            rows = _put(without(rows, into), into, joined)
        yield from whole_bucket(rows, stream, bucket)


def _renamed(rows: pa.Table, into: str, known_at: datetime) -> pa.Table:
    """Rows of the absorbed account as rows of the surviving one, known no earlier than the merge."""
    names, merge, known = pa.repeat(into, rows.num_rows), pa.scalar(known_at, TIME), rows["known_at"]
    renamed = rows.set_column(rows.schema.get_field_index("account_id"), "account_id", names)
    later = pc.if_else(pc.less(known, merge), merge, known)
    renamed = renamed.set_column(rows.schema.get_field_index("known_at"), "known_at", later)
    return renamed.cast(rows.schema)


def _joined(surviving: pa.Table, moved: pa.Table, stream: Stream) -> pa.Table:
    """Both accounts' rows in canonical order, the first of equal event_ids."""
    rows = in_canonical_order(pa.concat_tables([surviving, moved]), stream)
    numbered = pa.table({"event_id": rows["event_id"].cast(TEXT), "place": pa.array(range(rows.num_rows))})
    first = numbered.group_by("event_id").aggregate([("place", "min")])["place_min"]
    return rows.take(first.take(pc.sort_indices(first)))


def _put(others: pa.Table, account_id: str, rows: pa.Table) -> pa.Table:
    """A bucket with one account's rows put where its id belongs."""
    ids = others["account_id"].cast(TEXT)
    before, after = others.filter(pc.less(ids, account_id)), others.filter(pc.greater(ids, account_id))
    return pa.concat_tables([before, rows, after]).unify_dictionaries().combine_chunks()


def _is(rows: pa.Table, account_id: str) -> pa.ChunkedArray:
    return pc.equal(rows["account_id"].cast(TEXT), account_id)


def _nearest(history: History, account_id: str) -> list[str]:
    """The three ids most like this one, bucket by bucket."""
    nearest: set[str] = set()
    for stream in history.versions():
        for bucket in range(history.buckets):
            ids = history.read(stream, bucket, ["account_id"])["account_id"].chunk(0).dictionary
            nearest |= set(_most_like(account_id, [*nearest, *ids.to_pylist()]))
    return _most_like(account_id, sorted(nearest))


def _most_like(account_id: str, names: Sequence[str]) -> list[str]:
    query = "select distinct name from names order by damerau_levenshtein(name, ?), name limit 3"
    with locked_duckdb() as connection:
        connection.register("names", pa.table({"name": pa.array(names, TEXT)}))
        return [name for (name,) in connection.execute(query, [account_id]).fetchall()]


def _resolved(merges: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, datetime]]:
    """Chains followed to their end; they have an end, because no absorbed account is merged again."""
    steps = {row["absorbed"]: (row["into"], row["known_at"]) for row in merges}
    return {absorbed: _end(steps, *step) for absorbed, step in steps.items()}


def _end(steps: Mapping[str, tuple[str, datetime]], into: str, known_at: datetime) -> tuple[str, datetime]:
    while into in steps:
        into, later = steps[into]
        known_at = max(known_at, later)
    return into, known_at


def _stored(history: History, table: str) -> list[dict[str, Any]]:
    rows = history.rows_of(table)
    return [] if rows is None else rows.to_pylist()
