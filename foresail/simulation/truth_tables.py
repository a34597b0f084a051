"""Reading a company's truth: the tables that `truth` wrote, at one moment."""

from datetime import datetime
from pathlib import Path

import pandas as pd


class TruthError(Exception):
    """The truth cannot be read as asked; the message says what is there."""


def read(folder: Path, table: str, as_of: datetime) -> pd.DataFrame:
    """The rows of a table that speak for a moment, by account_id; TruthError that lists the moments if it is none of them."""
    path = folder / f"{table}.parquet"
    if not path.is_file():
        raise TruthError(
            f"{folder} holds no truth ({path.name} is missing); foresail simulate writes it beside the company"
        )
    rows = pd.read_parquet(path)
    there = rows[rows["as_of"] == pd.Timestamp(as_of)]
    if there.empty:
        told = ", ".join(f"{moment:%Y-%m-%d}" for moment in sorted(rows["as_of"].unique()))
        raise TruthError(
            f"the truth in {folder} is not told for {as_of:%Y-%m-%d %H:%M} UTC, but for {told}: take one of these, or simulate "
            "with other truth.days_before_end"
        )
    return there.drop(columns="as_of").set_index("account_id")
