"""Many rows at once: Arrow tables into the operational database, by the fastest way that each driver has."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from serving.database.binary import binary
from serving.database.engine import unavailable

Write = Callable[[sa.Connection], None]
"""Rows that are ready: what remains to be done within a transaction."""


def add(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows whose keys are not there yet. Their columns are some of the table's; NaN is written as null."""
    adding(table, rows, connection.dialect)(connection)


def put(connection: sa.Connection, table: sa.Table, rows: pa.Table) -> None:
    """Insert rows in the place of all that their accounts have in the table; others read either, never neither."""
    for write in putting(table, rows, connection.dialect):
        write(connection)


def remove(connection: sa.Connection, table: sa.Table, accounts: Sequence[str], *where: sa.ColumnElement[bool]) -> None:
    """Delete the rows of these accounts, any number but none, of which also `where` is true."""
    if connection.dialect.name == "postgresql":
        # Of a table that has just grown the server knows so little that it would read all of it for each call.
        connection.exec_driver_sql("set local enable_seqscan = off")
        # One parameter: thousands would take longer to be written down than to be looked up.
        named = table.c.account_id == sa.any_(sa.bindparam(None, accounts, ARRAY(sa.Text)))
        connection.execute(sa.delete(table).where(named, *where))
        return
    one = sa.delete(table).where(table.c.account_id == sa.bindparam("account"), *where)
    connection.execute(one, [{"account": account} for account in accounts])


def adding(table: sa.Table, rows: pa.Table, dialect: sa.Dialect) -> Write:
    """`add`, with the rows converted now, so that the transaction is short."""
    if not rows.num_rows:
        return _nothing
    if dialect.name != "postgresql":
        return _inserting(table, rows, dialect)
    content = binary(table, rows)
    return lambda connection: _copy(connection, table.name, rows.column_names, content)


def putting(table: sa.Table, rows: pa.Table, dialect: sa.Dialect) -> list[Write]:
    """`put`, with the rows converted now."""
    if not rows.num_rows:
        return []
    accounts = pc.unique(rows["account_id"].cast(pa.string())).to_pylist()
    return [partial(remove, table=table, accounts=accounts), adding(table, rows, dialect)]


def _nothing(connection: sa.Connection) -> None:
    """There are no rows."""


def _copy(connection: sa.Connection, into: str, names: Sequence[str], content: list[Any]) -> None:
    statement = f"copy {into} ({', '.join(names)}) from stdin (format binary)"
    with driver_of(connection) as driver, driver.cursor() as cursor, cursor.copy(statement) as copy:
        for part in content:
            copy.write(part)


@contextmanager
def driver_of(connection: sa.Connection) -> Iterator[Any]:
    """The driver's own connection; what it raises is told as SQLAlchemy's errors are by `available`, without any row."""
    try:
        yield connection.connection.driver_connection
    except (connection.dialect.dbapi.OperationalError, connection.dialect.dbapi.InternalError) as error:  # type: ignore[union-attr]
        raise unavailable(connection.engine, getattr(error.diag, "message_primary", None) or error) from error


def _inserting(table: sa.Table, rows: pa.Table, dialect: sa.Dialect) -> Write:
    names = rows.column_names
    values = list(zip(*(_python(table.c[name], rows[name], dialect) for name in names), strict=True))
    marks = ", ".join("?" * len(names))
    statement = f"insert into {table.name} ({', '.join(names)}) values ({marks})"  # noqa: S608  our own names
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
