"""Many rows at once: Arrow tables into the operational database, by the fastest way that each driver has."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import sqlalchemy as sa

from serving.database.engine import unavailable

_NULL = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")


Write = Callable[[sa.Connection], None]
"""Rows that are ready: what remains to be done within a transaction."""


def add(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows whose keys are not there yet. Their columns are some of the table's; NaN is written as null."""
    adding(table, rows, connection.dialect)(connection)


def put(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows, each in the place of the one that has its primary key."""
    putting(table, rows, connection.dialect)(connection)


def adding(table: sa.Table, rows: pa.Table, dialect: sa.Dialect) -> Write:
    """`add`, with the rows converted now, so that the transaction is short."""
    if not rows.num_rows:
        return _nothing
    if dialect.name != "postgresql":
        return _inserting(table, rows, dialect, "")
    content = _csv(rows)
    return lambda connection: _copy(connection, table.name, rows.column_names, content)


def putting(table: sa.Table, rows: pa.Table, dialect: sa.Dialect) -> Write:
    """`put`, with the rows converted now."""
    if not rows.num_rows:
        return _nothing
    if dialect.name != "postgresql":
        return _inserting(table, rows, dialect, _replacing(table, rows))
    content = _csv(rows)
    return lambda connection: _merge(connection, table, rows, content)


def _nothing(connection: sa.Connection) -> None:
    """There are no rows."""


def _merge(connection: sa.Connection, table: sa.Table, rows: pa.Table, content: memoryview) -> None:
    incoming, names = f"incoming_{table.name}", ", ".join(rows.column_names)
    connection.exec_driver_sql(f"create temp table {incoming} (like {table.name}) on commit drop")
    _copy(connection, incoming, rows.column_names, content)
    insert = f"insert into {table.name} ({names}) select {names} from {incoming} {_replacing(table, rows)}"  # noqa: S608  our own names
    connection.exec_driver_sql(insert)


def _replacing(table: sa.Table, rows: pa.Table) -> str:
    keys = [column.name for column in table.primary_key]
    others = ", ".join(f"{name} = excluded.{name}" for name in rows.column_names if name not in keys)
    return f"on conflict ({', '.join(keys)}) do update set {others}"


def _csv(rows: pa.Table) -> memoryview:
    text = io.BytesIO()
    pa_csv.write_csv(_plain(rows), text, _NULL)
    return text.getbuffer()


def _copy(connection: sa.Connection, into: str, names: Sequence[str], content: memoryview) -> None:
    statement = f"copy {into} ({', '.join(names)}) from stdin (format csv)"
    with driver_of(connection) as driver, driver.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(content)


@contextmanager
def driver_of(connection: sa.Connection) -> Iterator[Any]:
    """The driver's own connection; what it raises is told as SQLAlchemy's errors are by `available`, without any row."""
    try:
        yield connection.connection.driver_connection
    except (connection.dialect.dbapi.OperationalError, connection.dialect.dbapi.InternalError) as error:  # type: ignore[union-attr]
        raise unavailable(connection.engine, getattr(error.diag, "message_primary", None) or error) from error


def _plain(rows: pa.Table) -> pa.Table:
    """Without dictionaries, which no CSV can hold, and with null for NaN, which PostgreSQL would keep."""
    return pa.table({name: _without_nan(_decoded(rows[name])) for name in rows.column_names})


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _inserting(table: sa.Table, rows: pa.Table, dialect: sa.Dialect, end: str) -> Write:
    names = rows.column_names
    values = list(zip(*(_python(table.c[name], rows[name], dialect) for name in names), strict=True))
    marks = ", ".join("?" * len(names))
    statement = f"insert into {table.name} ({', '.join(names)}) values ({marks}) {end}"  # noqa: S608  our own names
    return lambda connection: _execute(connection, statement, values)


def _execute(connection: sa.Connection, statement: str, values: list[tuple[Any, ...]]) -> None:
    connection.exec_driver_sql(statement, values)


def _python(column: sa.Column[Any], values: pa.ChunkedArray, dialect: sa.Dialect) -> list[Any]:
    """The values as the driver takes them, in its own types: SQLite would keep numpy's as bytes. It writes NaN as null."""
    if pa.types.is_floating(values.type):
        return list(values.to_numpy(zero_copy_only=False).tolist())
    if pa.types.is_timestamp(values.type):
        return _taken(values.dictionary_encode(), column.type.dialect_impl(dialect).bind_processor(dialect))
    return _taken(values, None) if pa.types.is_dictionary(values.type) else list(values.to_pylist())


def _taken(values: pa.ChunkedArray, written: Any) -> list[Any]:
    """Few distinct values of many, each converted once."""
    whole = values.unify_dictionaries().combine_chunks()
    distinct = [written(value) if written else value for value in whole.dictionary.to_pylist()]
    objects = np.array([*distinct, None], dtype=object)
    return list(objects[whole.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)].tolist())
