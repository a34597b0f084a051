"""A feature table written to Parquet is the same table when it is read."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.engine import table_file
from features.engine.table_file import write_parquet

START = datetime(2020, 1, 1, tzinfo=UTC)


def made_up(rows, columns):
    numbers = np.random.default_rng(0).normal(size=(rows, columns))
    numbers[::3, 0] = np.nan
    index = pd.MultiIndex.from_product(
        [
            [f"a{number}" for number in range(rows // 2)],
            pd.DatetimeIndex([START, START + timedelta(days=30)]).as_unit("us"),
        ],
        names=["account_id", "as_of"],
    )
    return pd.DataFrame(numbers, index=index, columns=[f"feature_{number}" for number in range(columns)])


@pytest.mark.parametrize("slice_bytes", [1, 8 * 5 * 7, 64 << 20])
def test__write_parquet__slices_of_any_size__same_table(tmp_path, monkeypatch, slice_bytes):
    """A row a slice, seven rows, or all at once: nothing lost at the seams, NaN stays NaN, moments keep their zone."""
    monkeypatch.setattr(table_file, "SLICE_BYTES", slice_bytes)
    table = made_up(rows=40, columns=5)
    write_parquet(table, tmp_path / "table.parquet")
    read = pd.read_parquet(tmp_path / "table.parquet").set_index(["account_id", "as_of"])
    pd.testing.assert_frame_equal(read, table, check_index_type=False)
    assert pq.read_metadata(tmp_path / "table.parquet").num_row_groups == -(-40 // max(slice_bytes // 40, 1))


def test__write_parquet__no_rows__columns_are_there(tmp_path):
    """Nobody known yet is a table too."""
    write_parquet(made_up(rows=0, columns=2), tmp_path / "table.parquet")
    assert pq.read_table(tmp_path / "table.parquet").column_names == ["account_id", "as_of", "feature_0", "feature_1"]
