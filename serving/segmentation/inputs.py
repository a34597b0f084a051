"""What segmentation is made of: features, attributes, and the scores of the night beside them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.arrays import Flags, Floats
from features.catalog import named
from features.definitions import Feature
from features.engine.plan import FeatureSet
from features.families.eligibility import OPTED_OUT
from features.families.segmentation import FEATURES
from serving.scoring.columns import NOWHERE, Codes

Rows = NDArray[np.integer[Any]]

NEEDED_ATTRIBUTES = ("name", "owner", "region", "industry")
"""Columns of the stream accounts that a segmentation carries; what it reckons with are features."""
OF_CATALOG = (
    "purchases_net_amount_sum_365d", "contracts_value_sum", "contracts_in_force_count",
    "purchases_days_since_last", "purchases_days_since_first",
    "purchases_orders_distinct_180d", "purchases_orders_distinct_365d",
    "purchases_amount_trend_180d", "purchases_categories_distinct_365d",
    "account_size_last", "account_strategic_fit_last", "account_influence_last", "account_industry_growth_last",
    "account_market_share_last", "account_willing_to_be_reference_last",
    "surveys_satisfaction_mean_365d", "surveys_effort_mean_365d",
    "service_satisfaction_mean_365d", "service_effort_mean_365d",
    "service_opened_count_365d", "service_open_cases_count", "service_open_complaints_count",
)  # fmt: skip


def needed_features() -> tuple[Feature, ...]:
    """The features that the table of `assign_segments` must hold."""
    return tuple(FeatureSet([*named(OF_CATALOG), *FEATURES, OPTED_OUT]))


@dataclass(frozen=True)
class Kept:
    """A table's columns without the rows of those who are not to be looked at; taken out anew each time, to save memory."""

    table: pd.DataFrame
    rows: Flags

    def __getitem__(self, name: str) -> Floats:
        return self.table[name].to_numpy(dtype=np.float64)[self.rows]


@dataclass(frozen=True)
class ScoreRows:
    """The scores of a night, found by target: each answer in the place of its account in the table, NaN without one."""

    scores: pd.DataFrame
    rows: Rows
    """Of each score, where in the table its account is; a score that is NOWHERE is not looked at."""
    accounts: int

    @classmethod
    def of(cls, scores: pd.DataFrame, account_ids: pd.Index) -> "ScoreRows":
        """ValueError if there is a score of an account that the table does not have."""
        rows = places(scores["account_id"], account_ids)
        if (rows == NOWHERE).any():
            stranger = scores["account_id"].iloc[int(np.argmin(rows))]
            raise ValueError(f"account '{stranger}' has a score and no row in the table of features")
        return cls(scores, rows, len(account_ids))

    def only(self, kept: Flags) -> "ScoreRows":
        """The scores of some of the accounts, in their places among these."""
        places = np.where(kept, np.cumsum(kept, dtype=np.int32) - 1, NOWHERE)
        return ScoreRows(self.scores, places[self.rows], int(kept.sum()))

    def of_target(self, target: str, name: str) -> Floats:
        """A number of the scores of one target, (accounts,)."""
        its, found = self.its(target), np.full(self.accounts, np.nan)
        found[self.rows[its]] = self.scores[name].to_numpy(dtype=np.float64)[its]
        return found

    def codes_of_target(self, target: str, name: str, words: Sequence[str]) -> Codes:
        """A text of the scores of one target, (accounts,)."""
        its, found = self.its(target), np.full(self.accounts, NOWHERE, dtype=np.int8)
        found[self.rows[its]] = codes_of(self.scores[name].iloc[its], words)
        return found

    def its(self, target: str) -> Rows:
        """Which of the scores are of a target."""
        return self._by_target.get(target, np.empty(0, dtype=np.intp))

    @cached_property
    def _by_target(self) -> Mapping[str, Rows]:
        codes, targets = pd.factorize(self.scores["target"])
        there = self.rows != NOWHERE
        return {str(target): np.flatnonzero((codes == code) & there) for code, target in enumerate(targets)}


def places(values: Any, among: Any) -> Rows:
    """Of each of some texts its place among others, which are all different; NOWHERE where it is not there."""
    found = pc.index_in(_strings(values), value_set=_strings(among))
    return np.asarray(found.fill_null(NOWHERE))


def codes_of(words: Any, names: Sequence[str]) -> Codes:
    """Words as codes."""
    return places(words, list(names)).astype(np.int8)


def words_of(codes: Codes, names: Sequence[str]) -> Any:
    """Codes as a column of words; NOWHERE is null."""
    coded = pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes == NOWHERE), pa.array(names, pa.large_string()))
    return pd.array(coded.cast(pa.large_string()), dtype="str")


def _strings(values: Any) -> pa.Array:
    found = pa.array(values, pa.large_string(), from_pandas=True)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def texts_at(values: Any, rows: Rows) -> Any:
    """Some texts in the order of rows, as a column; null where the row is NOWHERE."""
    return pd.array(_strings(values).take(pa.array(rows, mask=rows == NOWHERE)), dtype="str")


def mean_of(parts: Iterable[Floats], rows: int, weights: Iterable[float] | None = None) -> Floats:
    """The weighted mean of what is there in each row; NaN where nothing is, or where all that is there weighs nothing."""
    parts = list(parts)
    total, weight = np.zeros(rows), np.zeros(rows)
    for part, counts in zip(parts, weights or [1.0] * len(parts), strict=True):
        there = ~np.isnan(part)
        total += np.where(there, counts * part, 0.0)
        weight += counts * there
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight)
