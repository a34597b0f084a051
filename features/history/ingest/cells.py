"""Python values → an Arrow column, for Excel's cells and a database's rows.

A column takes the narrowest type that holds all its values: whole numbers, numbers, truth values, times with a zone,
times without, else text. In a column of text every value stands as its own text, so that an id keeps its zeros beside
ids that are numbers.
"""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

TYPES = {
    frozenset({"whole"}): pa.int64(),
    frozenset({"number"}): pa.float64(),
    frozenset({"whole", "number"}): pa.float64(),
    frozenset({"truth"}): pa.bool_(),
    frozenset({"moment"}): pa.timestamp("us", tz="UTC"),
    frozenset({"time"}): pa.timestamp("us"),
}


def column_of(values: Sequence[Any]) -> pa.Array:
    """The values as one Arrow array, None as null; without any value at all its type is null."""
    kinds = frozenset(_kind(value) for value in values if value is not None)
    if not kinds:
        return pa.nulls(len(values))
    kind = TYPES.get(kinds)
    if kind is None:
        return pa.array([None if value is None else as_text(value) for value in values], pa.string())
    return pa.array([None if value is None else _typed(value, kind) for value in values], kind)


def as_text(value: Any) -> str:
    """A value as it would stand in a CSV."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date):
        return value.isoformat(" ") if isinstance(value, datetime) else value.isoformat()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, Decimal) and _is_whole(value):
        value = int(value)
    if isinstance(value, int):
        return "whole" if -(2**63) <= value < 2**63 else "text"
    if isinstance(value, float | Decimal):
        return "number"
    if isinstance(value, date):
        return "moment" if getattr(value, "tzinfo", None) else "time"
    return "text"


def _is_whole(value: Decimal) -> bool:
    """Whether a number is of a kind that has no decimals: 5 is, 5.00 is not, so that a column's type is its own."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= 0


def _typed(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, Decimal):
        return int(value) if pa.types.is_integer(kind) else float(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001  read in the project's timezone, as all such are
    return value
