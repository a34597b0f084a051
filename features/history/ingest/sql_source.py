"""Rows of a database → Parquet files that ingest reads: streamed in portions, and only those that are new.

New are the rows whose cursor column is at or beyond the value reached before; the rows without a value in it; and the
rows that may have been committed late, after rows with a larger cursor: of times those within `late_days` before, of
numbers the last LATE_NUMBERS. Rows read a second time are recognised, so reading too much costs time and nothing else.
"""

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import ExitCode, ForesailError
from features.history.ingest.cells import as_text, column_of
from features.history.ingest.sources import Database

if TYPE_CHECKING:
    import sqlalchemy as sa

ROWS_AT_ONCE = 50_000
LATE_NUMBERS = 10_000
"""A number is drawn before its row is committed, so that others can come first; a long transaction draws many."""
SECRET = re.compile(r"pass|pwd|secret|token|key", re.IGNORECASE)
"""In the name of a URL's parameter: its value is not for other eyes."""
VARIABLE = re.compile(r"\$\{(\w+)\}")

Reached = datetime | date | int | str
"""How far a cursor has come."""


class DatabaseError(ForesailError):
    """A database cannot be read; the message says which, why and what to do, and never holds a password."""

    exit_code = ExitCode.DATA


def address(database: Database, folder: Path) -> "sa.URL":
    """Where the database is; a SQLite file is one of `folder`. DatabaseError if a variable or the file is missing."""
    import sqlalchemy as sa

    try:
        url = sa.make_url(_expanded(database.url))
    except (sa.exc.ArgumentError, ValueError):
        raise DatabaseError(
            "database is no URL; write kind+driver://user:${PASSWORD}@host/name, like "
            "postgresql+psycopg://reader:${SHOP_PASSWORD}@db.example.com/shop, or sqlite:///data/shop.db"
        ) from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        path = folder / url.database
        if not path.is_file():
            # SQLite itself would make an empty database of that name.
            raise DatabaseError(f"there is no SQLite file {path}; correct database")
        return url.set(database=str(path))
    return url


def identity(database: Database, folder: Path) -> str:
    """Which database it is, without the password that opens it."""
    return address(database, folder).set(password=None).render_as_string()


def fetch(database: Database, folder: Path, since: Reached | None, into: Path, as_of: datetime) -> Reached | None:
    """Write the rows that are new since `since` (None: all) as Parquet files into the folder `into`, in portions.

    Gives how far the cursor has come, never beyond `as_of`: one row dated into the next century would otherwise hide
    all that comes until then. At least one file is written, which has the columns though it may have no rows.
    """
    import sqlalchemy as sa

    url = address(database, folder)
    try:
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    except sa.exc.NoSuchModuleError:
        raise DatabaseError(f"SQLAlchemy knows no database '{url.drivername}'; install its dialect") from None
    except ModuleNotFoundError as error:
        raise DatabaseError(_driver_missing(url, error)) from None
    try:
        with engine.connect() as connection:
            streaming = connection.execution_options(yield_per=ROWS_AT_ONCE)
            result = streaming.execute(_statement(database, since))
            return _written(database, result, since, into, as_of)
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseError(_reason(url, error)) from None


def as_stored(reached: Reached) -> str:
    """How far a cursor has come, as text that keeps its type."""
    if isinstance(reached, datetime):
        return f"time {reached.isoformat()}"
    if isinstance(reached, date):
        return f"date {reached.isoformat()}"
    return f"number {reached}" if isinstance(reached, int) else f"text {reached}"


def from_stored(text: str) -> Reached:
    """The cursor that `as_stored` made this text of."""
    kind, _, value = text.partition(" ")
    readers = {"time": datetime.fromisoformat, "date": date.fromisoformat, "number": int, "text": str}
    return readers[kind](value)  # type: ignore[no-any-return, operator]


def _expanded(url: str) -> str:
    """The URL with its variables. Before the @ they are quoted: a password may hold any character."""
    if VARIABLE.fullmatch(url.strip()):
        return _variable(url.strip())
    head, at, tail = url.rpartition("@")
    inside = VARIABLE.sub(lambda reference: quote(_variable(reference[0]), safe=""), head)
    return inside + at + VARIABLE.sub(lambda reference: _variable(reference[0]), tail)


def _variable(reference: str) -> str:
    name = reference[2:-1]
    if not os.environ.get(name):
        raise DatabaseError(f"its database needs the environment variable {name}, which is not set: export {name}=...")
    return os.environ[name]


def _statement(database: Database, since: Reached | None) -> "sa.Select[Any]":
    import sqlalchemy as sa

    rows = _rows(database)
    query = sa.select(sa.text("*")).select_from(rows)
    beginning = None if since is None else _from(since, database.late_days)
    if database.cursor is None or beginning is None:
        return query
    cursor: sa.ColumnClause[Any] = sa.column(database.cursor)
    return query.where(sa.or_(cursor >= beginning, cursor.is_(None)))


def _rows(database: Database) -> "sa.FromClause":
    import sqlalchemy as sa

    if database.table is not None:
        schema, _, name = database.table.rpartition(".")
        return sa.table(name, schema=schema or None)
    # A colon is the user's own, as in '12:30' or ::date, and no parameter.
    text = (database.query or "").strip().rstrip(";").replace(":", r"\:")
    return sa.text(text).columns().subquery("rows_read")


def _from(since: Reached, late_days: int) -> Reached | None:
    """Where reading begins again; None for the very beginning."""
    if isinstance(since, int):
        return since - LATE_NUMBERS
    try:
        if isinstance(since, str):
            # ISO texts have the order of time, and the day alone comes before all its moments, whatever stands after it.
            return (date.fromisoformat(since[:10]) - timedelta(days=late_days)).isoformat()
        return since - timedelta(days=late_days)
    except OverflowError:
        # Many a program writes the year 1 where it has no time.
        return None


def _written(
    database: Database, result: "sa.CursorResult[Any]", since: Reached | None, into: Path, as_of: datetime
) -> Reached | None:
    names = list(result.keys())
    _check_names(database, names)
    reached, types = since, dict.fromkeys(names, pa.null())
    for number, rows in enumerate(result.partitions()):
        columns = dict(zip(names, zip(*rows, strict=True), strict=True))
        if database.cursor is not None:
            reached = _further(database, reached, columns[_name_of(database.cursor, names)], as_of)
        arrays = {name: column_of(values) for name, values in columns.items()}
        types |= {name: array.type for name, array in arrays.items() if not pa.types.is_null(array.type)}
        pq.write_table(pa.table(arrays), into / f"{number:06}.parquet")
    shape = [(name, pa.string() if pa.types.is_null(kind) else kind) for name, kind in types.items()]
    pq.write_table(pa.schema(shape).empty_table(), into / "columns.parquet")
    return reached


def _check_names(database: Database, names: Sequence[str]) -> None:
    doubled = sorted({name for name in names if [other.lower() for other in names].count(name.lower()) > 1})
    if doubled:
        raise DatabaseError(f"its query returns two columns named '{doubled[0]}'; rename one with `as`")
    if database.cursor is not None and _name_of(database.cursor, names) not in names:
        raise DatabaseError(f"there is no cursor column '{database.cursor}'; found {names}")


def _name_of(cursor: str, names: Sequence[str]) -> str:
    return next((name for name in names if name.lower() == cursor.lower()), cursor)


def _further(database: Database, reached: Reached | None, values: Sequence[Any], as_of: datetime) -> Reached | None:
    """How far the cursor has come with these rows."""
    positions = list(_believed((_position(database, value) for value in values if value is not None), as_of))
    if reached is not None:
        positions.append(reached)
    try:
        return max(positions) if positions else None
    except TypeError:
        raise DatabaseError(f"its cursor column '{database.cursor}' mixes types; cast it in a query") from None


def _position(database: Database, value: Any) -> Reached:
    if isinstance(value, bool) or not isinstance(value, datetime | date | int | str | Decimal):
        raise DatabaseError(
            f"its cursor column '{database.cursor}' holds {value!r}: it must hold times or whole numbers"
        )
    if isinstance(value, Decimal):
        return int(value)
    if isinstance(value, str):
        try:
            date.fromisoformat(value[:10])
        except ValueError:
            raise DatabaseError(
                f"its cursor column '{database.cursor}' holds '{value}', and text has not the order of time; "
                "name a column of times or whole numbers, or make one in a query"
            ) from None
    return value


def _believed(values: Iterator[Reached], as_of: datetime) -> Iterator[Reached]:
    for value in values:
        if isinstance(value, datetime):
            bound: Reached = as_of if value.tzinfo else as_of.astimezone(UTC).replace(tzinfo=None)
        elif isinstance(value, date):
            bound = as_of.astimezone(UTC).date()
        elif isinstance(value, str):
            bound = as_text(as_of.astimezone(UTC).date())
        else:
            bound = value
        yield min(value, bound)


def _driver_missing(url: "sa.URL", error: ModuleNotFoundError) -> str:
    if url.drivername == "postgresql+psycopg":
        return "PostgreSQL needs a driver that is not installed: pip install 'foresail[postgres]'"
    if url.get_backend_name() == "postgresql":
        return f"the driver {error.name} is not installed; write postgresql+psycopg:// and pip install 'foresail[postgres]'"
    return f"the driver {error.name} of {url.drivername} is not installed: pip install {error.name}"


def _reason(url: "sa.URL", error: Exception) -> str:
    """The message of a database in one line, without SQLAlchemy's own advice and without the password."""
    message = " ".join(str(getattr(error, "orig", None) or error).split())
    for secret in filter(None, (url.password, *_secret_parameters(url))):
        message = message.replace(str(secret), "***")
    return f"{url.set(query={}).render_as_string(hide_password=True)} cannot be read: {message}"


def _secret_parameters(url: "sa.URL") -> Iterator[str]:
    for name, values in url.normalized_query.items():
        if SECRET.search(name):
            yield from values
