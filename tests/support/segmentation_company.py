"""Frames that segments are made from, small enough to be reckoned by hand: what is left out is as of an account at rest."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd

from serving.segmentation.assign import assign_segments
from serving.segmentation.inputs import needed_features
from serving.segmentation.settings import SegmentationSettings, TargetOf

AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
CHURN = {"churn": TargetOf("churn", 90)}
SHORT = {
    "net": "purchases_net_amount_sum_365d",
    "contract": "contracts_value_sum",
    "contracts": "contracts_in_force_count",
    "since": "purchases_days_since_last",
    "first": "purchases_days_since_first",
    "lately": "purchases_orders_distinct_180d",
    "earlier": "standing_orders_distinct_180d_lag180d",
    "year": "purchases_orders_distinct_365d",
    "known": "standing_days_known",
    "served": "standing_days_served",
    "trend": "purchases_amount_trend_180d",
    "fit": "account_strategic_fit_last",
    "growth": "account_industry_growth_last",
    "reference": "account_willing_to_be_reference_last",
    "nps": "standing_nps_mean_365d",
    "csat": "surveys_satisfaction_mean_365d",
    "complaints": "service_open_complaints_count",
    "cases": "service_open_cases_count",
    "opened": "service_opened_count_365d",
    "out": "population_opted_out",
}
AT_REST = {
    "net": 0.0, "contract": 0.0, "contracts": 0.0, "since": 30.0, "first": 800.0, "lately": 6.0, "earlier": 6.0,
    "year": 12.0, "known": 800.0, "served": 800.0, "complaints": 0.0, "cases": 0.0, "opened": 0.0, "out": 0.0,
}  # fmt: skip
"""Buys monthly, for years; nothing is on record of what it thinks of us, nor of what it could become."""


def table(**columns):
    """A table with one row per value of the columns; accounts are a, b, c ... or what `ids` says."""
    given = dict(columns)
    ids = given.pop("ids", None)
    rows = max(np.size(values) for values in given.values())
    rows = 0 if any(np.size(values) == 0 for values in given.values()) else rows
    ids = ids or [chr(ord("a") + row) for row in range(rows)]
    full = {name: np.broadcast_to(value, rows) for name, value in (AT_REST | given).items()}
    by_name = {SHORT.get(name, name): np.asarray(values, dtype=float) for name, values in full.items()}
    nothing = np.full(rows, np.nan)
    data = {feature.name: by_name.get(feature.name, nothing) for feature in needed_features()}
    return pd.DataFrame(data, index=pd.Index(ids, name="account_id", dtype="str"))


def scores(target="churn", ids="abcdefghij", horizon_days=90, **columns):
    """The scores of one target; `probability` is its percentile too, unless that is given."""
    rows = len(next(iter(columns.values())))
    given = {"percentile": columns.get("probability", [np.nan] * rows)} | columns
    percentile = np.asarray(given["percentile"], dtype=float)
    band = np.select([percentile >= 0.9, percentile >= 0.7, percentile >= 0], ["high", "medium", "low"], "")
    return pd.DataFrame({
        "account_id": pd.array(list(ids)[:rows], dtype="str"), "target": target, "horizon_days": horizon_days,
        "probability": np.nan, "amount": np.nan, **given, "band": pd.array(np.where(band == "", None, band), dtype="str"),
    })  # fmt: skip


NO_SCORES = scores(probability=[])


def attributes(**rows):
    index = pd.Index(list(rows), name="account_id", dtype="str")
    return pd.DataFrame(list(rows.values()), index, ["name", "owner", "region", "industry"], dtype=object)


def segmentation(of, its_scores=NO_SCORES, previous=None, settings=None, known=None):
    """`stand` with what a test leaves out."""
    return assign_segments(
        of,
        its_scores,
        attributes() if known is None else known,
        pd.DataFrame() if previous is None else previous,
        AS_OF,
        settings or SegmentationSettings(CHURN, margin=0.05),
    )


def by_account(frame, column):
    """{account: value}, null as None."""
    values = frame[column].astype(object).where(frame[column].notna(), None)
    return dict(zip(frame["account_id"], values, strict=True))


def moves(stood, scheme):
    """{account: (before, after, why)} of one scheme."""
    own = stood.moves[stood.moves["scheme"] == scheme]
    told = own[["before", "after", "why"]].astype(object).where(own[["before", "after", "why"]].notna(), None)
    return dict(zip(own["account_id"], told.itertuples(index=False, name=None), strict=True))
