"""The night before, as this one must see it: taken from the database before anything of this night is in it.

Also of a database that holds part of this night already: its rows then say themselves what stood before them.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from features.history.store import History
from serving.database.engine import reading
from serving.database.tables import account_segments, scores, tier_moves
from serving.nightly.night.columns import TIME
from serving.segmentation.settings import SCHEMES

ROWS_AT_ONCE = 100_000
SCORES_BEFORE = pa.schema(
    [("account_id", pa.string()), ("target", pa.string()), ("previous_as_of", TIME), ("previous", pa.float64())]
)
"""Grain: one row per account and target that was scored before."""
STANDINGS_BEFORE = pa.schema([("account_id", pa.string()), *((scheme, pa.string()) for scheme in SCHEMES)])
"""Grain: one row per account that stood somewhere before; null in a scheme in which it did not."""


def scores_before(engine: sa.Engine, as_of: datetime) -> Iterator[pa.RecordBatch]:
    """The answers of the last night before `as_of`, in batches."""
    of_this = scores.c.as_of == as_of
    answer = sa.func.coalesce(scores.c.probability, scores.c.amount, scores.c.days)
    query = sa.select(
        scores.c.account_id,
        scores.c.target,
        sa.case((of_this, scores.c.previous_as_of), else_=scores.c.as_of),
        sa.case((of_this, scores.c.previous), else_=answer),
    )
    return _batches(engine, query, SCORES_BEFORE)


def standings_before(engine: sa.Engine, as_of: datetime) -> Iterator[pa.RecordBatch]:
    """Where accounts stood in each scheme after the last night before `as_of`, in batches."""
    joined: sa.FromClause = account_segments
    columns: list[Any] = [account_segments.c.account_id]
    for scheme in SCHEMES:
        moved = tier_moves.alias(scheme)
        is_own = (moved.c.account_id == account_segments.c.account_id, moved.c.scheme == scheme, moved.c.as_of == as_of)
        joined = joined.outerjoin(moved, sa.and_(*is_own))
        columns.append(sa.case((moved.c.account_id.is_not(None), moved.c.before), else_=account_segments.c[scheme]))
    return _batches(engine, sa.select(*columns).select_from(joined), STANDINGS_BEFORE)


def _batches(engine: sa.Engine, query: sa.Select[Any], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    with reading(engine) as connection:
        result = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE).execute(query)
        for rows in result.partitions():
            yield _batch(rows, schema)


def _batch(rows: Iterable[Any], schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def by_bucket(batches: Iterator[pa.RecordBatch], history: History, schema: pa.Schema) -> Iterator[pa.Table]:
    """The rows of each bucket of the history, from bucket 0 on; all of them are held meanwhile."""
    rows = pa.Table.from_batches(list(batches), schema)
    buckets = history.buckets_of(rows["account_id"])
    for bucket in range(history.buckets):
        yield rows.filter(pa.array(buckets == bucket))
