"""The step `load`: a night's files into the operational database, a slice of accounts in one transaction, each slice once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from serving.database.bulk import Write, add, adding, putting, remove
from serving.database.engine import writing
from serving.database.tables import account_segments, cuts, score_history, scores, tier_moves
from serving.nightly.night.columns import as_text, whole
from serving.nightly.night.journal import AGAIN
from serving.nightly.night.night import Night
from serving.nightly.steps.score import answer_of

ACCOUNTS_AT_ONCE = {"sqlite": 5_000, "postgresql": 20_000}
"""In one transaction. While it lasts nobody else can write to SQLite, and the service must be able to post events."""

LOADERS = {"sqlite": 1, "postgresql": 2}
"""Buckets at a time: while PostgreSQL writes the rows of one, those of another are converted. SQLite has one writer."""


def load(night: Night) -> None:
    """Scores, their history, segments and moves into the database, some thousand accounts in a transaction."""
    oldest = night.as_of - timedelta(days=night.plan.keep_scores_days)
    keep_from = oldest if night.journal.has_night_before(oldest) else None
    at_once = LOADERS[night.engine.dialect.name]
    night.spread(partial(_load_bucket, night, keep_from), night.buckets, "loading", at_once)
    with writing(night.engine) as connection:
        finish(connection, night.folder.read("cuts", "all"), night.as_of)
        if night.journal.has(AGAIN):
            drop_vanished(connection, night.as_of)


def _load_bucket(night: Night, keep_from: datetime | None, bucket: int) -> None:
    tables = scores_of(night, bucket), night.folder.read("account_segments", bucket), night.folder.read("moves", bucket)
    for number, own in enumerate(slices(*tables, ACCOUNTS_AT_ONCE[night.engine.dialect.name])):
        part = f"{bucket}.{number}"
        if night.journal.has("load", part):
            continue
        again = night.as_of if night.journal.has(AGAIN) else None
        writes = ready(own, keep_from, night.engine.dialect, again)
        # Each commit waits for the disk. With `synchronous_commit = off` a server that crashed between two slices would
        # lose the last one with its note; a night that is connected anew holds it for done, and `finish` leaves no scores.
        with writing(night.engine) as connection:
            for write in writes:
                write(connection)
            night.journal.note("load", part, within=connection)


def scores_of(night: Night, bucket: int) -> pa.Table:
    """The scores of a bucket with all that was found out after they were given."""
    rows = night.folder.read("scores", bucket)
    for more in (night.folder.read("stakes", bucket), night.folder.read("reasons", bucket)):
        for name in more.column_names:
            rows = rows.append_column(name, more[name])
    return rows


@dataclass(frozen=True)
class Slice:
    """Some accounts of a bucket: their rows of each table."""

    accounts: pa.Array
    scores: pa.Table
    account_segments: pa.Table
    moves: pa.Table


def slices(scores: pa.Table, account_segments: pa.Table, moves: pa.Table, at_once: int) -> Iterator[Slice]:
    """A bucket in parts of `at_once` accounts.

    `account_segments` has a row for each account, `scores` as many for each target, target by target in the same order.
    """
    accounts = whole(account_segments["account_id"])
    targets = scores.num_rows // max(len(accounts), 1)
    for start in range(0, len(accounts), at_once):
        own = accounts[start : start + at_once]
        parts = [scores.slice(number * len(accounts) + start, len(own)) for number in range(targets)]
        moved = moves.filter(pc.is_in(as_text(moves["account_id"]), own))
        yield Slice(own, pa.concat_tables(parts), account_segments.slice(start, len(own)), moved)


def ready(own: Slice, keep_from: datetime | None, dialect: sa.Dialect, again: datetime | None = None) -> list[Write]:
    """What is to be done in one transaction, with all rows converted beforehand.

    Rows take the place of those of the night before, or are added to what only grows; history before `keep_from` goes.
    `again` is the moment of a night that is repeated: what its earlier run added goes with the slice that is written
    anew, because where the others stood before is told by the moves of that run alone.
    """
    before: list[Write] = [] if again is None else [partial(_drop_night, own.accounts, again)]
    writes = [
        *before,
        *putting(scores, _with_reasons_as_text(own.scores), dialect),
        adding(score_history, history_of(own.scores), dialect),
        *putting(account_segments, own.account_segments, dialect),
        adding(tier_moves, own.moves, dialect),
    ]
    return writes if keep_from is None else [*writes, partial(_drop_history, own.accounts, keep_from)]


def drop_vanished(connection: sa.Connection, as_of: datetime) -> None:
    """Of a repeated night: what its earlier run added of accounts that have been merged or erased since."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("set local statement_timeout = 0")
    for table in (score_history, tier_moves):
        vanished = table.c.account_id.not_in(sa.select(account_segments.c.account_id))
        connection.execute(sa.delete(table).where(table.c.as_of == as_of, vanished))


def finish(connection: sa.Connection, drawn: pa.Table, as_of: datetime) -> None:
    """Leave no score or segmentation of an account or target that is not there any more, and put the night's cuts in their place."""
    for table in (scores, account_segments):
        connection.execute(sa.delete(table).where(table.c.as_of != as_of))
    connection.execute(sa.delete(cuts))
    add(connection, cuts, drawn)


def _with_reasons_as_text(rows: pa.Table) -> pa.Table:
    reasons = [
        None if found is None else json.dumps(found, ensure_ascii=False) for found in rows["reasons"].to_pylist()
    ]
    return rows.set_column(rows.column_names.index("reasons"), "reasons", pa.array(reasons, pa.string()))


def history_of(rows: pa.Table) -> pa.Table:
    """The rows of score_history that scores leave behind."""
    kept = rows.select(["account_id", "target", "as_of", "percentile", "band", "model_version"])
    return kept.append_column("answer", answer_of(rows))


def _drop_night(accounts: pa.Array, as_of: datetime, connection: sa.Connection) -> None:
    for table in (score_history, tier_moves):
        remove(connection, table, accounts.to_pylist(), table.c.as_of == as_of)


def _drop_history(accounts: pa.Array, before: datetime, connection: sa.Connection) -> None:
    remove(connection, score_history, accounts.to_pylist(), score_history.c.as_of < before)
