"""Whether two answers to the same question say the same: every value of every row, before a time is printed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from peers.training_shape import ZERO_WHEN_EMPTY, Question

RELATIVE, ABSOLUTE = 1e-7, 1e-6
"""Floats are added in another order by others; amounts have two decimals."""


class Disagreement(AssertionError):
    """Two answers differ; the message names a value."""


def assert_agree(ours: Path, theirs: Path, question: Question, who: str) -> None:
    """Rows that only they have must be of accounts not known yet: empty in all columns. Over no events a sum may be null."""
    mine, other = _keys(ours), _keys(theirs)
    place = _matched(mine, other, who)
    extra = np.setdiff1d(np.arange(len(other[0])), place)
    for column in question.columns:
        a, b = _values(ours, column), _values(theirs, column)
        if np.nan_to_num(b[extra]).any():
            raise Disagreement(f"{who} has rows with {column} that we do not have: {b[extra][:3]}")
        _assert_equal(a, b[place], column, mine, who)


def _keys(path: Path) -> tuple[pa.Array, np.ndarray]:
    keys = pq.read_table(path, columns=["account_id", "as_of"])
    moments = keys["as_of"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    return pc.cast(keys["account_id"], pa.string()).combine_chunks(), moments


def _matched(mine: tuple[pa.Array, np.ndarray], other: tuple[pa.Array, np.ndarray], who: str) -> np.ndarray:
    """For each of our rows the place of theirs."""
    accounts, moments = pc.unique(mine[0]), np.unique(mine[1])
    wanted, given = (_numbers(keys, accounts, moments) for keys in (mine, other))
    order = np.argsort(given, kind="stable")
    place = np.minimum(np.searchsorted(given[order], wanted), len(given) - 1)
    missing = np.flatnonzero(given[order][place] != wanted)
    if missing.size:
        raise Disagreement(f"{who} has no row for {missing.size:,} of ours, such as {mine[0][missing[0]]}")
    return order[place]


def _numbers(keys: tuple[pa.Array, np.ndarray], accounts: pa.Array, moments: np.ndarray) -> np.ndarray:
    """Each row's account and date as one number; −1 for those that we do not have."""
    account = pc.index_in(keys[0], accounts).fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.where(account < 0, -1, account * len(moments) + np.searchsorted(moments, keys[1]))


def _values(path: Path, column: str) -> np.ndarray:
    """As floats; where there are no events, 0 for what is counted or summed and NaN for the rest."""
    values = pq.read_table(path, columns=[column])[column].cast(pa.float64()).to_numpy()
    return np.nan_to_num(values) if column.rsplit("_", 1)[0] in ZERO_WHEN_EMPTY else values


def _assert_equal(a: np.ndarray, b: np.ndarray, column: str, rows: tuple[pa.Array, np.ndarray], who: str) -> None:
    differ = np.flatnonzero(~np.isclose(a, b, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True))
    if differ.size:
        row = differ[0]
        moment = np.datetime64(int(rows[1][row]), "us")
        raise Disagreement(
            f"{who}: {column} of {rows[0][row]} at {moment} is {b[row]!r}, with us {a[row]!r}; "
            f"{differ.size:,} of {a.size:,} differ"
        )
