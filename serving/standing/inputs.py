"""What standings are made of: features, attributes, and the scores of the night beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.catalog import named
from features.definitions import Feature
from features.plan import FeatureSet
from features.population import OPTED_OUT, Columns
from features.standing import FEATURES

Floats = NDArray[np.float64]
Words = NDArray[np.object_]
Array = np.ndarray[Any, Any]

NEEDED_ATTRIBUTES = ("name", "owner", "region", "industry")
"""Columns of the stream accounts that a standing carries; what it reckons with are features."""
OF_CATALOG = (
    "purchases_net_amount_sum_365d", "contracts_value_sum", "contracts_in_force_count",
    "purchases_days_since_last", "purchases_days_since_first",
    "purchases_orders_distinct_180d", "purchases_orders_distinct_365d",
    "purchases_amount_trend_180d", "purchases_categories_distinct_365d",
    "engagement_count_trend_90d",
    "account_size_last", "account_strategic_fit_last", "account_influence_last", "account_industry_growth_last",
    "account_market_share_last", "account_willing_to_be_reference_last",
    "surveys_satisfaction_mean_365d", "surveys_effort_mean_365d",
    "service_satisfaction_mean_365d", "service_effort_mean_365d",
    "service_opened_count_365d", "service_open_cases_count", "service_open_complaints_count",
)  # fmt: skip


def needed_features() -> tuple[Feature, ...]:
    """What the table of `stand` must hold."""
    return tuple(FeatureSet([*named(OF_CATALOG), *FEATURES, OPTED_OUT]))


def column(table: Columns, name: str) -> Floats:
    """A column of a table, or of one row's values by name, as numbers, (rows,)."""
    return np.asarray(table[name], dtype=np.float64)


@dataclass(frozen=True)
class ScoreRows:
    """The scores of a night, found by target: each answer in the place of its account in the table, NaN without one."""

    scores: pd.DataFrame
    rows: NDArray[np.intp]
    """Of each score, where in the table its account is."""
    accounts: int

    @classmethod
    def of(cls, scores: pd.DataFrame, account_ids: pd.Index) -> "ScoreRows":
        """ValueError if there is a score of an account that the table does not have."""
        rows = account_ids.get_indexer(pd.Index(scores["account_id"]))
        if (rows < 0).any():
            stranger = scores["account_id"].to_numpy()[rows < 0][0]
            raise ValueError(f"account '{stranger}' has a score and no row in the table of features")
        return cls(scores, rows, len(account_ids))

    def only(self, kept: NDArray[np.bool_]) -> "ScoreRows":
        """The scores of some of the table's accounts, which keep their order."""
        its = kept[self.rows]
        return ScoreRows(self.scores.loc[its], (np.cumsum(kept) - 1)[self.rows[its]], int(kept.sum()))

    def of_target(self, target: str, name: str) -> Floats:
        """A number of the scores of one target, (accounts,)."""
        its = self.its(target)
        found = np.full(self.accounts, np.nan)
        found[self.rows[its]] = self.scores[name].to_numpy(dtype=np.float64)[its]
        return found

    def words_of_target(self, target: str, name: str) -> Words:
        """A text of the scores of one target, (accounts,); None where there is none."""
        its = self.its(target)
        found = np.full(self.accounts, None, dtype=object)
        found[self.rows[its]] = none_for_null(self.scores[name].to_numpy(dtype=object)[its])
        return found

    def mean_of(self, targets: Iterable[str], name: str) -> Floats:
        """The mean over targets, (accounts,); NaN where none has it."""
        return mean_of([self.of_target(target, name) for target in targets], self.accounts)

    def its(self, target: str) -> NDArray[np.bool_]:
        """Which of the scores are of a target."""
        return (self.scores["target"] == target).to_numpy(dtype=bool)


def mean_of(parts: list[Floats], rows: int, weights: list[float] | None = None) -> Floats:
    """The weighted mean of what is there in each row; NaN where nothing is, or where all that is there weighs nothing."""
    total, weight = np.zeros(rows), np.zeros(rows)
    for part, counts in zip(parts, weights or [1.0] * len(parts), strict=True):
        there = ~np.isnan(part)
        total[there] += counts * part[there]
        weight[there] += counts
    with np.errstate(invalid="ignore"):
        return np.asarray(total / weight)


def none_for_null(words: Words) -> Words:
    """Words in which whatever pandas takes for null is None."""
    plain = words.copy()
    plain[pd.isna(words)] = None
    return plain


def texts(words: Array | list[Any]) -> pd.api.extensions.ExtensionArray:
    """Words as a column; None is null."""
    return pd.array(words, dtype="str")
