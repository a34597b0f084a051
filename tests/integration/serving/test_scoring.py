"""Percentiles, bands and the score table, with numbers that can be checked by hand."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from serving_company import AS_OF

from features.percentiles import percentile_in
from registry.loader import LoadedModel, Target
from serving.scoring.scores import COLUMNS, bands, needed_features, riskiest, score_table
from training.data.targets import ChurnTarget

TARGET = Target(
    "churn", "churn", 90, 0.7, 0.9, "churned: no order", settings={"kind": "churn", "active_within_days": 365}
)
CARD = {
    "format": 1, "rung": "recency", "features": ["purchases_days_since_last"], "calibration": {"method": "none"},
    "target": ChurnTarget("churn", 90, 365).to_json(), "trained_as_of": AS_OF.isoformat(), "fingerprint": "of no catalog",
    "reference": {"scores": [0.3, 0.1, 0.2, 0.2]},
}  # fmt: skip


@dataclass
class DaysOver1000:
    """Stands for a registered model: the probability is recency / 1000, contributed by recency alone."""

    features: tuple[str, ...] = ("purchases_days_since_last",)
    card: dict[str, Any] = field(default_factory=lambda: CARD)

    def probability(self, matrix):
        return matrix[:, 0] / 1000

    def contributions(self, matrix):
        return matrix / 100


LOADED = LoadedModel("wholesaler-churn", "7", DaysOver1000(), TARGET)


def table(**days_since_last):
    """A feature table; None is an account that never bought, and half of the days is the usual gap."""
    index = pd.MultiIndex.from_product([list(days_since_last), [pd.Timestamp(AS_OF)]], names=["account_id", "as_of"])
    days = np.array([np.nan if days is None else days for days in days_since_last.values()], dtype=float)
    values = {"purchases_days_since_last": days, "population_order_lines_count_365d": np.where(days <= 365, 1.0, 0.0)}
    values["population_opted_out"] = np.zeros(len(days))
    return pd.DataFrame(values | {"purchases_gap_days_mean": days / 2}, index=index)


def test__percentile__equal_scores__share_their_mid_rank():
    """Of 0.1, 0.2, 0.2, 0.3: below 0.2 is one, up to it three, so 0.2 is at (1 + 3) / 8; outside lie 0 and 1."""
    found = percentile_in(np.array([0.1, 0.2, 0.2, 0.3]), np.array([0.2, 0.25, 0.0, 0.9, np.nan]))
    np.testing.assert_array_equal(found, [0.5, 0.75, 0.0, 1.0, np.nan])


def test__bands__exactly_at_a_cut__take_the_higher_band():
    """Bands are percentile cuts: from 0.7 medium, from 0.9 high."""
    below_cut = np.nextafter(0.7, 0)
    assert bands(np.array([0.0, below_cut, 0.7, 0.9, 1.0, np.nan]), TARGET) == [
        "low",
        "low",
        "medium",
        "high",
        "high",
        None,
    ]


def test__riskiest__ties_and_absent__keep_their_order_and_stay_out():
    """Who gets reasons does not depend on how a sort happens to treat ties."""
    probability = np.array([0.2, np.nan, 0.9, 0.2, 0.9])
    assert riskiest(probability, 3).tolist() == [2, 4, 0]
    assert riskiest(probability, 10).tolist() == [2, 4, 0, 3]
    assert riskiest(np.full(1000, 0.5), 1000).tolist() == list(range(1000))
    mixed = np.tile([0.2, 0.5, 0.9, 0.5, 0.2], 200)
    assert riskiest(mixed, 1000).tolist() == sorted(range(1000), key=lambda row: -mixed[row])


def test__score_table__every_row_is_there__scored_or_with_the_reason_why_not():
    """One row per account, in the table's order, with the documented columns."""
    scores = score_table(LOADED, table(a=100, b=None, c=400, d=300), explain_top=1)
    assert tuple(scores.columns) == COLUMNS
    assert scores["account_id"].tolist() == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(scores["probability"], [0.1, np.nan, np.nan, 0.3])
    np.testing.assert_array_equal(scores["percentile"], [0.125, np.nan, np.nan, 0.875])
    assert scores["band"].fillna("none").tolist() == ["low", "none", "none", "medium"]
    assert scores["why_not"].fillna("none").tolist()[1:3] == [
        "no purchase on record",
        "no purchase in the last 365 days; the latest was 400 days ago",
    ]
    assert scores["model_version"].tolist() == ["7"] * 4


def test__score_table__grade__is_the_card_s_and_null_without_one():
    """A model from before there were grades is not graded, which is not the grade "none"."""
    for letter in ("A", "none"):
        graded = replace(LOADED, model=DaysOver1000(card=LOADED.model.card | {"grade": {"letter": letter}}))
        assert score_table(graded, table(a=100, b=None), explain_top=0)["grade"].tolist() == [letter] * 2
    assert score_table(LOADED, table(a=100), explain_top=0)["grade"].isna().all()


def test__score_table__explain_top__only_the_riskiest_get_reasons():
    """Reasons cost milliseconds each, so that they go where somebody will act."""
    scores = score_table(LOADED, table(a=100, b=None, d=300), explain_top=1)
    first, second, third = scores["reasons"]
    assert (first, second) == (None, None)
    assert [reason["words"] for reason in third] == ["no order for 300 days, usually every 150"]


def test__score_table__no_accounts__an_empty_table_with_all_columns():
    """A company on its first day breaks nothing."""
    scores = score_table(LOADED, table(), explain_top=5)
    assert tuple(scores.columns) == COLUMNS
    assert scores.empty


def test__score_table__written_as_parquet__keeps_nulls_and_records(tmp_path):
    """What the command line writes can be read by others: null is null, reasons are records."""
    score_table(LOADED, table(a=100, b=None), explain_top=5).to_parquet(tmp_path / "scores.parquet")
    read = pd.read_parquet(tmp_path / "scores.parquet")
    assert read["why_not"].isna().tolist() == [True, False]
    assert read["reasons"][0][0]["feature"] == "purchases_days_since_last"


def test__needed_features__several_models__each_feature_once():
    """Targets share most features, and one pass computes them all."""
    names = [feature.name for feature in needed_features([LOADED, LOADED])]
    assert names == [
        "purchases_days_since_last",
        "population_opted_out",
        "population_order_lines_count_365d",
        "purchases_gap_days_mean",
    ]
