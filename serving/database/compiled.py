"""What every request asks of the database: compiled once for each database, and handed to the driver as it is.

SQLAlchemy's own way takes a quarter of a millisecond for a query that SQLite answers in thirty microseconds.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from serving.database.lookups import Lookups

Row = tuple[Any, ...]
Converted = Callable[[Any], Any]


class Compiled:
    """A select, asked for some values of one column at a time. It may have bindparams of its own."""

    def __init__(self, statement: sa.Select[Any], column: sa.Column[Any]) -> None:
        self.statement = statement
        self.column = column

    def rows(self, lookups: Lookups, wanted: Sequence[str], **others: Any) -> list[Row]:
        """The rows with one of these values, converted as SQLAlchemy would. Raises DatabaseUnavailable."""
        spoken = _spoken(self, len(wanted), lookups.engine.dialect)
        given = others | {_place(number): value for number, value in enumerate(wanted)}
        rows = lookups.rows(spoken.sql, spoken.parameters(given))
        return [spoken.converted(row) for row in rows]

    def of(self, count: int) -> sa.Select[Any]:
        """The select for so many values."""
        places = [sa.bindparam(_place(number), type_=self.column.type) for number in range(count)]
        return self.statement.where(self.column.in_(places))


class _Spoken(NamedTuple):
    """A statement for one number of values, in the words of one database."""

    sql: str
    binds: dict[str, Converted]
    order: Sequence[str] | None
    """The names of the parameters in their order; None for a driver that takes them by name."""
    columns: Sequence[tuple[int, Converted]]
    """The places in a row of what comes from the driver in another shape, and what brings it into ours."""

    def parameters(self, given: dict[str, Any]) -> Any:
        bound = {name: convert(given[name]) for name, convert in self.binds.items()}
        return bound if self.order is None else [bound[name] for name in self.order]

    def converted(self, row: Row) -> Row:
        values = list(row)
        for place, convert in self.columns:
            values[place] = convert(values[place])
        return tuple(values)


@lru_cache(maxsize=256)
def _spoken(asked: Compiled, count: int, dialect: sa.Dialect) -> _Spoken:
    statement = asked.of(count)
    compiled: Any = statement.compile(dialect=dialect)
    binds = {name: _to_driver(parameter.type, dialect) for name, parameter in compiled.binds.items()}
    columns = [
        (place, convert)
        for place, column in enumerate(statement.selected_columns)
        if (convert := _from_driver(column.type, dialect))
    ]
    return _Spoken(str(compiled), binds, compiled.positiontup if compiled.positional else None, columns)


def _place(number: int) -> str:
    return f"wanted_{number}"


def _to_driver(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Converted:
    return (_is_ours(kind) and kind.dialect_impl(dialect).bind_processor(dialect)) or _as_it_is


def _from_driver(kind: sa.types.TypeEngine[Any], dialect: sa.Dialect) -> Converted | None:
    """What turns the driver's value into ours; None where it is ours already."""
    return kind.dialect_impl(dialect).result_processor(dialect, None) if _is_ours(kind) else None


def _is_ours(kind: sa.types.TypeEngine[Any]) -> bool:
    """Whether it is a type of `tables`; text and numbers come from either driver as they are."""
    return isinstance(kind, sa.types.TypeDecorator)


def _as_it_is(value: Any) -> Any:
    return value
