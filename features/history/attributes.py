"""The attributes of accounts as they were known at a moment: industry, region, segment."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.history.store import History


def attributes_as_of(history: History, as_of: datetime, columns: Sequence[str]) -> pd.DataFrame:
    """The attributes of every account that has any, as was known by as_of. Grain: one row per account_id (the index).

    A row is seen if it holds and is known: occurred_at ≤ as_of and known_at ≤ as_of. The newest value wins, and a column
    that a row leaves out keeps its value; None where no value was ever recorded. `columns` are those of the stream accounts.
    """
    parts = [attributes_of_bucket(history, bucket, as_of, columns) for bucket in range(history.buckets)]
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas().set_index("account_id").sort_index().astype("object")
    return frame.where(frame.notna(), None)


def attributes_of_bucket(history: History, bucket: int, as_of: datetime, columns: Sequence[str]) -> pa.Table:
    """The attributes of the accounts of one bucket, ordered by id: account_id and the columns, null where no value was recorded."""
    rows = history.read("accounts", bucket, ["account_id", "known_at", "occurred_at", *columns])
    seen = rows.filter(pc.and_(pc.less_equal(rows["known_at"], as_of), pc.less_equal(rows["occurred_at"], as_of)))
    plain = seen.take(_by_age(seen)).cast(pa.schema([_plain(field) for field in seen.schema])).combine_chunks()
    begins = _beginnings(plain["account_id"])
    newest = {name: _newest(plain[name], begins) for name in columns}
    return pa.table({"account_id": plain["account_id"].take(pa.array(begins)), **newest})


def _plain(field: pa.Field) -> pa.Field:
    return field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field


def _by_age(rows: pa.Table) -> pa.Array:
    """Accounts in their order; in each, the row that holds longest first."""
    keys = [("place", "ascending"), ("occurred_at", "ascending"), ("known_at", "ascending")]
    places = np.cumsum(_changes(rows["account_id"].cast(pa.string())))
    return pc.sort_indices(
        pa.table({"place": places, "occurred_at": rows["occurred_at"], "known_at": rows["known_at"]}), sort_keys=keys
    )


def _changes(accounts: pa.ChunkedArray) -> Array:
    """For each row whether another account begins with it."""
    if not len(accounts):
        return np.empty(0, dtype=np.bool_)
    others = pc.not_equal(accounts[1:], accounts[:-1]).to_numpy()
    return np.concatenate([[True], others])


def _beginnings(accounts: pa.ChunkedArray) -> Array:
    return np.flatnonzero(_changes(accounts))


def _newest(column: pa.ChunkedArray, begins: Array) -> pa.ChunkedArray:
    """Of each account the last value that is present, null where none is."""
    if not len(begins):
        return column.slice(0, 0)
    there = np.where(column.is_valid().to_numpy(), np.arange(len(column)), -1)
    last = np.maximum.reduceat(there, begins)
    # An account's own last value cannot lie before its first row.
    return column.take(pa.array(last, mask=last < begins))
