"""Accounts worth a call: those with the most value at stake, not those with the highest risk."""

import pandas as pd

from features.arrays import Floats
from registry.loader import LoadedModel
from serving.scoring.scores import Rows, reasons_for, riskiest


def worth_a_call(
    loaded: LoadedModel, table: pd.DataFrame, scores: pd.DataFrame, values: Floats, top: int, *, currency: str = ""
) -> pd.DataFrame:
    """The `top` eligible accounts with the most at stake, most first, each with its reasons.

    at_stake = probability × value, what each account should bring in a year (`value_at_stake.predicted_values`). `scores` are those
    of `score_table`; `table`, `scores` and `values` have the same rows in the same order. Equal stakes keep the order of the rows.
    """
    ranked = scores.assign(value=values, at_stake=scores["probability"].to_numpy() * values)
    order = riskiest(ranked["at_stake"].to_numpy(), top)
    reasons = reasons_for(loaded, Rows.of(table.iloc[order]), currency)
    calls = ranked.iloc[order].reset_index(drop=True)
    return calls.assign(
        reasons=pd.Series([[vars(reason) for reason in of_account] for of_account in reasons], dtype=object)
    )
