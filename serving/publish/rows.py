"""Rows on their way into a published table: given the declared columns and types, and put in the order of the key."""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.locked_duckdb import locked_duckdb
from serving.publish.errors import PublishError
from serving.publish.tables import PublishedTable

GROUP = 131_072
"""Rows of a row group: fixed, so that the same rows make the same bytes however they come."""
MEMORY_LIMIT = "1GB"
"""What sorting may take before it goes to disk; four million scores need about half of it."""


def declared(table: PublishedTable, rows: pa.Table) -> pa.Table:
    """The rows with exactly the columns of the table, in its types.

    A column that may be null may be left out. PublishError for one that may not, for one that the table does not have,
    and for a value that is of another type or missing where it must not be.
    """
    unknown = [name for name in rows.column_names if name not in table.schema.names]
    if unknown:
        raise PublishError(
            f"table {table.name} has no column {', '.join(unknown)}; it has {', '.join(table.schema.names)}"
        )
    return pa.table([_column(table, field, rows) for field in table.schema], schema=table.schema)


def _column(table: PublishedTable, field: pa.Field, rows: pa.Table) -> pa.ChunkedArray:
    given = field.name in rows.column_names
    column = rows[field.name] if given else pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
    if column.null_count and not field.nullable:
        raise PublishError(f"{table.name}.{field.name} must be filled, and {column.null_count:,} rows have none")
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as other:
        raise PublishError(
            f"{table.name}.{field.name} must be {field.type}, and it is {column.type}: {other}"
        ) from other


def in_key_order(table: PublishedTable, parts: Iterable[pa.Table], spill: Path | None = None) -> Iterator[pa.Table]:
    """All rows in the order of the table's key, GROUP rows at a time (fewer in the last); one empty table where there are none.

    Sorted by DuckDB, which moves to the folder `spill` (else the system's own for a while) what memory cannot hold. PublishError where two rows have one key; what the
    parts raise goes on to the caller.
    """
    failures: list[Exception] = []
    batches = _noting((batch for part in parts for batch in declared(table, part).to_batches()), failures)
    with _sorter(spill) as connection:
        connection.register("rows", pa.RecordBatchReader.from_batches(table.schema, batches))
        try:
            ordered = connection.sql(f"from rows order by {', '.join(table.key)}").to_arrow_reader(GROUP)
            yield from _checked(table, _groups(table, ordered))
        except duckdb.Error as error:
            # DuckDB wraps what the parts raised into text: the original says more.
            raise (
                failures[0] if failures else PublishError(f"table {table.name} cannot be put in order: {error}")
            ) from error


@contextmanager
def _sorter(spill: Path | None) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        tempfile.TemporaryDirectory(prefix="foresail-publish-", dir=spill) as folder,
        locked_duckdb(temp_directory=folder, memory_limit=MEMORY_LIMIT) as connection,
    ):
        yield connection


def _noting(batches: Iterable[pa.RecordBatch], failures: list[Exception]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as failure:
        failures.append(failure)
        raise


def _groups(table: PublishedTable, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows, GROUP of them at a time, each column in one piece."""
    waiting = table.schema.empty_table()
    for batch in batches:
        waiting = pa.concat_tables([waiting, pa.table(batch).cast(table.schema)])
        while waiting.num_rows >= GROUP:
            yield waiting.slice(0, GROUP).combine_chunks()
            waiting = waiting.slice(GROUP)
    yield waiting.combine_chunks()


def _checked(table: PublishedTable, groups: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The groups as they are; PublishError at the first key that two rows have."""
    before = table.schema.empty_table()
    for group in groups:
        keys = pa.concat_tables([before, group]).select(table.key)
        if keys.num_rows > 1:
            _check_distinct(table, keys)
        before = group.slice(max(group.num_rows - 1, 0))
        yield group


def _check_distinct(table: PublishedTable, keys: pa.Table) -> None:
    """Of rows in order, equal ones stand beside each other."""
    upper, lower = keys.slice(0, keys.num_rows - 1), keys.slice(1)
    same = reduce(pc.and_, (pc.equal(upper[name], lower[name]) for name in table.key))
    if pc.any(same).as_py():
        twice = lower.filter(same).slice(0, 1).to_pylist()[0]
        raise PublishError(
            f"table {table.name} has two rows for {', '.join(f'{name} {twice[name]}' for name in table.key)}"
        )
