"""Erasure: after `forget` no file of the history holds anything of an account, and no ingest brings the account back.

The order makes it safe to be killed at any moment: first the tombstone, so that nothing new can come; then the
rows of every stream, a commit each; then the quarantine; then the past of every table, files and log; last the names of
accounts merged into this one, because they identify the rows. A second `forget` completes the first.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import pyarrow as pa

from features.history import quarantine
from features.history.identities import (
    FORGOTTEN,
    FORGOTTEN_SCHEMA,
    MERGES,
    IdentityError,
    fingerprint_of,
    identities,
    refuse_unknown,
    rows_of,
    stored_columns,
    whole_bucket,
    without,
)
from features.history.retention import Vacuumed, give_up_past, tables
from features.history.store import History, HistoryError
from features.history.streams import BLANK, ISO_TIME, STREAMS, Stream
from features.progress import StepProgress

FIGURE = re.compile(rf"\s*([-+]?[\d.,]+([eE][-+]?\d+)?|{ISO_TIME})\s*")
"""A number or a time, written as they are."""


@dataclass(frozen=True)
class Erased:
    """The removed rows of an account, and of the accounts that had been merged into it (`ids`, itself first).

    `rows` counts events and attributes by stream, `quarantined` refused rows that named it. `tables` says for each
    table how many files went and which versions can no longer be read.
    """

    ids: tuple[str, ...]
    fingerprint: str
    rows: Mapping[str, int]
    quarantined: int
    tables: tuple[Vacuumed, ...]


def forget(history: History, account_id: str, progress: StepProgress | None = None) -> Erased:
    """Remove every trace of an account, for good. Afterwards the SHA-256 of its id identifies it; the id itself is nowhere.

    Every older version of every table is given up: it would bring the account back. Refused rows go if the id occurs in
    them as an account_id, or as a word of any other value but numbers and times that could be read: account 5 loses no
    order of 5 pieces.

    IdentityError if nothing is known of the account, or if it was merged into another account, which must be forgotten.
    HistoryError if another process is writing.
    """
    with history.lock():
        ids = ids_to_forget(history, account_id)
        steps = _Steps(len(STREAMS) + 2 + len(tables(history)), progress)
        _note_forgotten(history, ids)
        rows = {stream.name: _remove(history, stream, ids, steps) for stream in STREAMS.values()}
        steps()
        refused = _remove_refused(history, ids)
        _remove_staged(history)
        past = [*_forget_past(history, steps), *_forget_merges(history, ids)]
        steps()
        removed = {stream: count for stream, count in rows.items() if count}
        return Erased(tuple(ids), fingerprint_of(account_id), removed, refused, tuple(past))


def ids_to_forget(history: History, account_id: str) -> list[str]:
    """The account's id and those of all that were merged into it; IdentityError if it cannot be forgotten by this id."""
    known = identities(history)
    if account_id in known.merged:
        survivor, _ = known.merged[account_id]
        raise IdentityError(
            f"'{account_id}' was merged into '{survivor}' and is one account with it; forget '{survivor}'"
        )
    ids = [account_id, *known.absorbed_by(account_id)]
    # An erasure that was killed is completed, even if no row of the account is left.
    if not known.knows_forgotten(account_id) and not _is_account_of_refused_rows(history, ids):
        refuse_unknown(history, account_id)
    return ids


def _is_account_of_refused_rows(history: History, ids: Collection[str]) -> bool:
    """Whether these accounts have a refused row of their own: a word in some other column is no account."""
    accounts = map(quarantine.account_of, quarantine.stored(history, ["row"])["row"].to_pylist())
    return any(account is not None and account.strip(BLANK) in ids for account in accounts)


def holding(history: History, ids: Collection[str], versions: Mapping[str, int]) -> bool | None:
    """Whether these versions of the history have a row of any of the ids; None if they can no longer be read."""
    try:
        pinned = history.at(versions)
        return any(rows_of(pinned, stream, account_id, []).num_rows for stream in versions for account_id in ids)
    except HistoryError:
        return None


def _note_forgotten(history: History, ids: Sequence[str]) -> None:
    known = identities(history)
    fresh = [fingerprint_of(account_id) for account_id in ids if not known.knows_forgotten(account_id)]
    if fresh:
        history.append(FORGOTTEN, pa.table({"fingerprint": fresh}, schema=FORGOTTEN_SCHEMA))


def _remove(history: History, stream: Stream, ids: Sequence[str], steps: "_Steps") -> int:
    """Write the buckets of these accounts without them: how many rows went."""
    steps()
    counts = {account_id: rows_of(history, stream.name, account_id, []).num_rows for account_id in ids}
    buckets = sorted({history.bucket_of(account_id) for account_id, rows in counts.items() if rows})
    if buckets:
        history.replace(stream.name, buckets, _cleaned(history, stream, buckets, ids))
    return sum(counts.values())


def _cleaned(history: History, stream: Stream, buckets: Sequence[int], ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for bucket in buckets:
        rows = history.read(stream.name, bucket, stored_columns(stream))
        for account_id in ids:
            rows = without(rows, account_id)
        yield from whole_bucket(rows, stream, bucket)


def _remove_refused(history: History, ids: Collection[str]) -> int:
    rows, names = quarantine.stored(history, quarantine.SCHEMA.names), _naming(ids)
    left = rows.filter(pa.array([not names(row) for row in rows.select(["stream", "row"]).to_pylist()], pa.bool_()))
    if left.num_rows < rows.num_rows:
        history.rewrite(quarantine.TABLE, left)
    return int(rows.num_rows - left.num_rows)


def _naming(ids: Collection[str]) -> Callable[[Mapping[str, str]], bool]:
    """Whether a refused row names one of the ids: as its account, or as a word of a value that may be a name.

    The reason holds nothing but its fixed words and one of the row's values.
    """
    words = re.compile("|".join(rf"(?<!\w){re.escape(account_id)}(?!\w)" for account_id in ids))

    def names(row: Mapping[str, str]) -> bool:
        stream = STREAMS[row["stream"]]
        return any(map(words.search, _possible_names(stream, json.loads(row["row"]))))

    return names


def _possible_names(stream: Stream, row: Mapping[str, str | None]) -> Iterator[str]:
    """The values of a refused row, without those read as a number or a time."""
    figures = {column.name for column in stream.columns if column.type != "text"}
    for name, value in row.items():
        if value is not None and not (name.lower() in figures and FIGURE.fullmatch(value)):
            yield value


def _forget_past(history: History, steps: "_Steps") -> Iterator[Vacuumed]:
    for name in tables(history):
        steps()
        if name != MERGES:
            yield give_up_past(history, name)


def _forget_merges(history: History, ids: Collection[str]) -> Iterator[Vacuumed]:
    rows = history.rows_of(MERGES)
    if rows is not None:
        kept = [row for row in rows.to_pylist() if not {row["absorbed"], row["into"]} & set(ids)]
        if len(kept) < rows.num_rows:
            history.rewrite(MERGES, pa.Table.from_pylist(kept, schema=rows.schema))
        yield give_up_past(history, MERGES)


def _remove_staged(history: History) -> None:
    """Remove the rows that killed ingests had read; the lock is held, so that no ingest is running."""
    for folder in Path(history.root).glob(".staging-*") if history.is_local else ():
        rmtree(folder)


class _Steps:
    """Counts steps and reports each."""

    def __init__(self, total: int, progress: StepProgress | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self) -> None:
        self._done += 1
        if self._progress:
            self._progress(min(self._done, self._total), self._total, "forgetting")
