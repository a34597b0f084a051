"""What was known of accounts beside their numbers: industry, region, segment, as of a moment."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import pyarrow.compute as pc

from features.history import History


def attributes_as_of(history: History, as_of: datetime, columns: Sequence[str]) -> pd.DataFrame:
    """The attributes of every account that has any, as was known by as_of. Grain: one row per account_id (the index).

    Seen is what holds and is known: occurred_at ≤ as_of and known_at ≤ as_of. The newest value wins, and what a row
    leaves out stays as it was; None where nothing was ever recorded. `columns` are those of the stream accounts.
    """
    parts = [_of_bucket(history, bucket, as_of, columns) for bucket in range(history.buckets)]
    return pd.concat(parts).sort_index()


def _of_bucket(history: History, bucket: int, as_of: datetime, columns: Sequence[str]) -> pd.DataFrame:
    rows = history.read("accounts", bucket, ["account_id", "known_at", "occurred_at", *columns])
    seen = rows.filter(pc.and_(pc.less_equal(rows["known_at"], as_of), pc.less_equal(rows["occurred_at"], as_of)))
    frame = seen.sort_by([("occurred_at", "ascending"), ("known_at", "ascending")]).to_pandas()
    frame["account_id"] = frame["account_id"].astype("str")
    for column in columns:
        frame[column] = frame[column].astype("object")
    newest: pd.DataFrame = frame.groupby("account_id")[
        list(columns)
    ].last()  # the last that is there, not the last row's
    return newest
