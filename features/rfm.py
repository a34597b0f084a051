"""RFM: each account's recency, frequency and monetary value as a score of 1 (worst fifth) to 5 (best fifth)."""

import numpy as np
import pandas as pd

SCORED = {
    "rfm_recency": ("purchases_days_since_last", -1.0),
    "rfm_frequency": ("purchases_orders_distinct_365d", 1.0),
    "rfm_monetary": ("purchases_amount_sum_365d", 1.0),
}
"""Score → the feature it ranks, and the sign that makes more of it better."""


def rfm_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Quintile scores 1-5 within each as_of, on the table's own rows; NaN for an account that never ordered.

    Scores compare accounts, so they belong to a population and not to one account: they describe and
    rank, and are no inputs of a model. Accounts with equal values share a score, that of their average
    rank, so fifths can be uneven. Raises KeyError if the table lacks one of the ranked features.
    """
    bought = table["purchases_days_since_last"].notna()
    return pd.DataFrame(
        {name: _quintiles((table[feature] * sign).where(bought)) for name, (feature, sign) in SCORED.items()},
        index=table.index,
    )


def _quintiles(better: "pd.Series[float]") -> "pd.Series[float]":
    share = better.groupby(level="as_of").rank(method="average", pct=True)
    return share.mul(5).apply(np.ceil).clip(1, 5)
