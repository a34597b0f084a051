"""Who stands elsewhere than the night before, and why."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from serving.scoring.columns import NOWHERE, Codes
from serving.segmentation.inputs import Rows, words_of
from serving.segmentation.settings import SCHEMES

FIRST, LEFT = "first segmentation", "the account opted out of profiling"

Why = Callable[[int], str]
"""In words, of the account in a row."""


def moves_of(
    account_ids: pd.Index,
    before: Mapping[str, Codes],
    after: Mapping[str, Codes],
    why: Mapping[str, Why],
    as_of: datetime,
) -> pd.DataFrame:
    """One row per account and scheme in which it moved, the columns of the table tier_moves, scheme after scheme.

    A first segmentation has no `before`; an account that stands nowhere any more has no `after`.
    """
    moment = pd.Timestamp(as_of).as_unit("us")
    parts = [_of_scheme(scheme, moment, account_ids, before[scheme], after[scheme], why[scheme]) for scheme in after]
    return pd.concat(parts, ignore_index=True)


def _of_scheme(
    scheme: str, moment: pd.Timestamp, account_ids: pd.Index, before: Codes, after: Codes, why: Why
) -> pd.DataFrame:
    moved, names = np.flatnonzero(before != after), SCHEMES[scheme]
    return pd.DataFrame({
        "account_id": account_ids[moved],
        "scheme": words_of(np.zeros(len(moved), dtype=np.int8), [scheme]),
        "as_of": moment,
        "before": words_of(before[moved], names),
        "after": words_of(after[moved], names),
        "why": _why(before[moved], after[moved], moved, why),
    })  # fmt: skip


def _why(before: Codes, after: Codes, rows: Rows, why: Why) -> Any:
    """The words of each; only those of accounts that stood and stand are worked out, for the first night moves everybody."""
    told = np.where(after == NOWHERE, LEFT, FIRST).astype(object)
    between = np.flatnonzero((before != NOWHERE) & (after != NOWHERE))
    told[between] = [why(row) for row in rows[between].tolist()]
    return pd.array(told, dtype="str")
