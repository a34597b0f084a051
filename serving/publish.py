"""Scores as a file that other tools read: documented columns with fixed types."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

REASON = pa.struct(
    [
        pa.field("feature", pa.string()),
        pa.field("value", pa.float64()),
        pa.field("direction", pa.string()),
        pa.field("size", pa.float64()),
        pa.field("words", pa.string()),
    ]
)
SCORES = pa.schema(
    [
        pa.field("account_id", pa.string(), nullable=False),
        pa.field("target", pa.string(), nullable=False),
        pa.field("as_of", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("horizon_days", pa.int32(), nullable=False),
        pa.field("probability", pa.float64()),
        pa.field("amount", pa.float64()),
        pa.field("days", pa.float64()),
        pa.field("days_low", pa.float64()),
        pa.field("days_high", pa.float64()),
        pa.field("percentile", pa.float64()),
        pa.field("band", pa.string()),
        pa.field("model_version", pa.string(), nullable=False),
        pa.field("grade", pa.string()),
        pa.field("reasons", pa.list_(REASON)),
        pa.field("why_not", pa.string()),
    ]
)
"""Grain: one row per account and target. Of probability, amount and days the one that the target asks for is filled; it,
percentile and band are null where why_not says why, and days also where they lie beyond the horizon; reasons
are null where none were asked for, and an empty list where nothing stands out. Grade is that of the model (A, B, C or
none, null for one that was never graded), the same in all its rows."""


def write_scores(scores: pd.DataFrame, path: Path) -> None:
    """Write scores as Parquet with the schema `SCORES`, whatever happens to be in them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pandas(scores, schema=SCORES, preserve_index=False), path)
