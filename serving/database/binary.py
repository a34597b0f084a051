"""Rows as PostgreSQL copies them in binary, put together column by column: no value becomes a Python object.

A row is its number of fields, a field its number of bytes (-1 for null) and its value, all with the highest byte first.
PostgreSQL's manual has it under COPY, "Binary Format".
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from numpy.typing import NDArray

from serving.database.tables import Moment

_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\x00" + bytes(8), b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_EPOCH = 946_684_800_000_000
"""2000-01-01 UTC, from which PostgreSQL counts microseconds, in those of Arrow."""


def binary(table: sa.Table, rows: pa.Table) -> list[Any]:
    """All that `copy ... from stdin (format binary)` is to be sent, in buffers; NaN is written as null."""
    fields = [_fields(table.c[name].type, rows[name]) for name in rows.column_names]
    count = pa.scalar(len(fields).to_bytes(2, "big"))
    joined = pc.binary_join_element_wise(
        count, *fields, pa.scalar(b""), null_handling="replace", null_replacement=_NULL
    )
    return [_HEADER, memoryview(joined.buffers()[2]), _TRAILER]


def _fields(kind: sa.types.TypeEngine[Any], column: pa.ChunkedArray) -> pa.Array:
    values = column.unify_dictionaries().combine_chunks()
    if pa.types.is_dictionary(values.type):
        return _fields(kind, pa.chunked_array([values.dictionary])).take(values.indices)
    if isinstance(kind, Moment):
        return _numbers(pc.subtract(values.cast(pa.int64()), _EPOCH), ">i8")
    if isinstance(kind, sa.Float):
        return _numbers(values, ">f8")
    if isinstance(kind, sa.Integer):
        return _numbers(values, ">i4")
    return _texts(values.cast(pa.binary()))


def _numbers(values: pa.Array, kind: str) -> pa.Array:
    written = values.fill_null(0).to_numpy(zero_copy_only=False).astype(kind)
    return pc.if_else(values.is_null(nan_is_null=True), pa.scalar(None, pa.binary()), _sized(written))


def _sized(written: NDArray[Any]) -> pa.Array:
    fields = np.empty(len(written), [("size", ">i4"), ("value", written.dtype)])
    fields["size"], fields["value"] = written.itemsize, written
    return _as_binary(fields)


def _texts(values: pa.Array) -> pa.Array:
    sizes = pc.binary_length(values).fill_null(0).to_numpy().astype(">i4")
    return pc.binary_join_element_wise(_as_binary(sizes), values, pa.scalar(b""))


def _as_binary(written: NDArray[Any]) -> pa.Array:
    buffers = [None, pa.py_buffer(written.view(np.uint8))]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(written.itemsize), len(written), buffers).cast(pa.binary())
