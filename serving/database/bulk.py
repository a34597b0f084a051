"""Many rows at once: Arrow tables into the operational database, by the fastest way that each driver has."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import sqlalchemy as sa

from serving.database.engine import DatabaseUnavailable, shown

_NULL = pa_csv.WriteOptions(include_header=False, quoting_style="all_valid")


def add(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows whose keys are not there yet. Their columns are some of the table's; NaN is written as null."""
    if not rows.num_rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table.name, rows)
    else:
        _insert(connection, table, rows, f"insert into {table.name}", "")


def put(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows, each in the place of the one that has its primary key."""
    if not rows.num_rows:
        return
    if connection.dialect.name == "postgresql":
        incoming = f"incoming_{table.name}"
        connection.exec_driver_sql(f"create temp table {incoming} (like {table.name}) on commit drop")
        _copy(connection, incoming, rows)
        names = ", ".join(rows.column_names)
        insert = f"insert into {table.name} ({names}) select {names} from {incoming} {_replacing(table, rows)}"  # noqa: S608  our own names
        connection.exec_driver_sql(insert)
    else:
        _insert(connection, table, rows, f"insert into {table.name}", _replacing(table, rows))


def _replacing(table: sa.Table, rows: pa.Table) -> str:
    keys = [column.name for column in table.primary_key]
    others = ", ".join(f"{name} = excluded.{name}" for name in rows.column_names if name not in keys)
    return f"on conflict ({', '.join(keys)}) do update set {others}"


def _copy(connection: sa.Connection, into: str, rows: pa.Table) -> None:
    with _driver(connection) as driver, driver.cursor() as cursor:
        text = io.BytesIO()
        pa_csv.write_csv(_plain(rows), text, _NULL)
        with cursor.copy(f"copy {into} ({', '.join(rows.column_names)}) from stdin (format csv)") as copy:
            copy.write(text.getbuffer())


@contextmanager
def _driver(connection: sa.Connection) -> Iterator[Any]:
    """The driver's own connection; what it raises is told as SQLAlchemy's errors are by `available`."""
    try:
        yield connection.connection.driver_connection
    except (connection.dialect.dbapi.OperationalError, connection.dialect.dbapi.InternalError) as error:  # type: ignore[union-attr]
        raise DatabaseUnavailable(f"the database {shown(connection.engine.url)} cannot be used: {error}") from error


def _plain(rows: pa.Table) -> pa.Table:
    """Without dictionaries, which no CSV can hold, and with null for NaN, which PostgreSQL would keep."""
    return pa.table({name: _without_nan(_decoded(rows[name])) for name in rows.column_names})


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _without_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)


def _insert(connection: sa.Connection, table: sa.Table, rows: pa.Table, begin: str, end: str) -> None:
    names = rows.column_names
    values = zip(*(_python(table.c[name], rows[name], connection.dialect) for name in names), strict=True)
    marks = ", ".join("?" * len(names))
    connection.exec_driver_sql(f"{begin} ({', '.join(names)}) values ({marks}) {end}", list(values))


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
