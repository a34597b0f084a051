"""Who stands elsewhere than the night before, and why."""

from collections.abc import Callable, Mapping
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from serving.standing.inputs import Words, texts

FIRST, LEFT = "first standing", "the account opted out of profiling"
COLUMNS = ("account_id", "scheme", "as_of", "before", "after", "why")

Why = Callable[[int], str]
"""In words, of the account in a row."""


def moves_of(
    account_ids: Words, before: Mapping[str, Words], after: Mapping[str, Words], why: Mapping[str, Why], as_of: datetime
) -> pd.DataFrame:
    """One row per account and scheme in which it moved, the columns of the table tier_moves, scheme after scheme.

    A first standing has no `before`; an account that stands nowhere any more has no `after`.
    """
    parts = [_of_scheme(scheme, account_ids, before[scheme], after[scheme], why[scheme]) for scheme in after]
    found = pd.concat(parts, ignore_index=True)
    return found.assign(as_of=pd.Timestamp(as_of).as_unit("us"))[list(COLUMNS)]


def _of_scheme(scheme: str, account_ids: Words, before: Words, after: Words, why: Why) -> pd.DataFrame:
    # None is equal to None here: who stood nowhere and stands nowhere has not moved.
    moved = np.flatnonzero(before != after)
    told = _why(before[moved], after[moved], moved, why)
    return pd.DataFrame({
        "account_id": account_ids[moved],
        "scheme": texts([scheme] * len(moved)),
        "before": texts(before[moved]),
        "after": texts(after[moved]),
        "why": texts(told),
    })  # fmt: skip


def _why(before: Words, after: Words, rows: NDArray[np.intp], why: Why) -> Words:
    """The words of each; only those of accounts that stood and stand are worked out, for the first night moves everybody."""
    first, left = pd.isna(before), pd.isna(after)
    told = np.where(left, LEFT, FIRST).astype(object)
    between = np.flatnonzero(~first & ~left)
    told[between] = [why(row) for row in rows[between].tolist()]
    return told
