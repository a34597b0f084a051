"""Published rows for places that have no column of lists: reasons become JSON text."""

import json

import pyarrow as pa

from serving.publish.tables import PublishedTable


def plain_schema(table: PublishedTable) -> pa.Schema:
    """The table's schema with text in the place of reasons."""
    return pa.schema(
        [field.with_type(pa.string()) if pa.types.is_list(field.type) else field for field in table.schema]
    )


def plain(table: PublishedTable, batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows in `plain_schema`."""
    columns = [_as_text(column) if pa.types.is_list(column.type) else column for column in batch.columns]
    return pa.record_batch(columns, schema=plain_schema(table))


def _as_text(lists: pa.Array) -> pa.Array:
    values = (None if value is None else json.dumps(value, ensure_ascii=False) for value in lists.to_pylist())
    return pa.array(values, pa.string())
