"""A feature table as a Parquet file, written a slice of rows at a time."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.arrays import Array

KEYS = ("account_id", "as_of")
SLICE_BYTES = 64 << 20
"""Of numbers in a row group: turned from rows into columns in one piece, which fits beside the caches of two cores."""


def write_parquet(table: pd.DataFrame, path: Path) -> None:
    """Write a feature table: its index as the columns account_id and as_of, then its features, one row group a slice.

    A table lies in memory row by row, a Parquet file column by column. Handed over whole, every column would be
    gathered from all over the table; a slice is turned round once and let go.
    """
    matrix = table.to_numpy()
    rows = max(SLICE_BYTES // (8 * max(matrix.shape[1], 1)), 1)
    schema = pa.schema([*_keys(table.iloc[:0]).schema, *((name, pa.float64()) for name in table.columns)])
    with pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=list(KEYS)) as writer:
        for begin in range(0, len(table), rows):
            part = slice(begin, begin + rows)
            writer.write_table(_columns(_keys(table.iloc[part]), matrix[part], schema))


def _keys(part: pd.DataFrame) -> pa.Table:
    account, as_of = (part.index.get_level_values(name) for name in KEYS)
    moments = pa.array(pd.DatetimeIndex(as_of).as_unit("us").asi8).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({"account_id": pa.array(account, pa.string()), "as_of": moments})


def _columns(keys: pa.Table, rows: Array, schema: pa.Schema) -> pa.Table:
    # NaN is a feature's absence; a null mask would cost a pass over every value, and readers see NaN either way.
    features = [pa.array(column, pa.float64()) for column in np.ascontiguousarray(rows.T)]
    return pa.table([*keys.columns, *features], schema=schema)
