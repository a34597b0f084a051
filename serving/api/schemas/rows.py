"""Answers that are rows: made from the declared tables and streams, so that each column is described in one place."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, create_model

from features.history.streams import Column, Stream
from serving.database.tables import Moment

_STREAM_TYPES: dict[str, Any] = {"text": str, "time": datetime, "number": float}


def table_row(
    name: str, table: sa.Table, example: Mapping[str, Any], *, without: tuple[str, ...] = (), **more: Any
) -> type[BaseModel]:
    """The model of a row of a table; `more` are further members, or others in the place of columns."""
    columns = {column.name: _of_table(column) for column in table.columns if column.name not in without}
    return _model(name, str(table.comment), {**columns, **more}, example)


def stream_row(name: str, stream: Stream, example: Mapping[str, Any], **more: Any) -> type[BaseModel]:
    """The model of a stream's own columns; null where nothing is recorded."""
    columns = {column.name: _of_stream(column) for column in stream.own_columns}
    return _model(name, f"Grain: {stream.grain}.", {**columns, **more}, example)


def _model(name: str, meaning: str, members: Any, example: Mapping[str, Any]) -> type[BaseModel]:
    shown = ConfigDict(json_schema_extra={"example": dict(example)}, from_attributes=True)
    return create_model(name, __config__=shown, __doc__=meaning, **members)


def _of_table(column: sa.Column[Any]) -> tuple[Any, Any]:
    kind: Any = datetime if isinstance(column.type, Moment) else column.type.python_type
    return (kind | None if column.nullable else kind), Field(description=column.comment)


def _of_stream(column: Column) -> tuple[Any, Any]:
    unit = f" ({column.unit})" if column.unit else ""
    return _STREAM_TYPES[column.type] | None, Field(default=None, description=f"{column.meaning}{unit}")
