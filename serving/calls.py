"""Who is most worth a call: not the highest risk, but the most to lose."""

import pandas as pd

from features.catalog import named
from serving.model_store import LoadedModel
from serving.scoring import Rows, reasons_for, riskiest

ORDERED, RETURNED = "purchases_amount_sum_365d", "purchases_returns_amount_sum_365d"
FEATURES = named([ORDERED, RETURNED])
"""What a feature table must hold for `worth_a_call`, besides what scoring needs."""


def worth_a_call(
    loaded: LoadedModel, table: pd.DataFrame, scores: pd.DataFrame, top: int, *, currency: str = ""
) -> pd.DataFrame:
    """The `top` eligible accounts with the most at stake, most first, each with its reasons.

    at_stake = probability × what was ordered less what was returned in the last 365 days (`net_365d`, at least 0): what a
    year of the account is worth, times the risk of losing it. `scores` are those of `score_table` for the same rows in the same order. Equal stakes stand in
    the order of the rows.
    """
    # What is returned is a negative amount.
    year = (table[ORDERED] + table[RETURNED]).clip(lower=0.0).to_numpy()
    ranked = scores.assign(net_365d=year, at_stake=scores["probability"].to_numpy() * year)
    order = riskiest(ranked["at_stake"].to_numpy(), top)
    found = reasons_for(loaded, Rows.of(table.iloc[order]), currency)
    calls = ranked.iloc[order].reset_index(drop=True)
    return calls.assign(reasons=pd.Series([[vars(reason) for reason in each] for each in found], dtype=object))
