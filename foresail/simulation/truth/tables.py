"""Reading a company's truth: the tables that `truth` wrote, at one moment."""

import json
from datetime import datetime
from pathlib import Path

import pandas as pd

from features.errors import ExitCode, ForesailError


class TruthError(ForesailError):
    """The truth has no such moment, horizon or account; the message names what it has."""

    exit_code = ExitCode.DATA


ANOTHER = 0.05
"""So many accounts may be active in the history and not in the truth, or the two are of different companies."""


def targets(folder: Path, as_of: datetime, horizon_days: int, scored: pd.Index) -> pd.DataFrame:
    """The true probabilities of the accounts that were scored, by account_id, at a moment and for a horizon.

    Accounts that the truth does not know as active are left out: their last order was entered late or with another's id. TruthError
    if the truth is not told for that moment and horizon, or if too many are left out: then it is another company's.
    """
    told = _horizon(folder)
    if told != horizon_days:
        raise TruthError(f"the truth in {folder} is told for a horizon of {told} days, the model's is {horizon_days}")
    rows = read(folder, "targets", as_of)
    there = rows.index.intersection(scored)
    there = there[rows.loc[there, "active"].to_numpy(dtype=bool)]
    if len(there) < (1.0 - ANOTHER) * len(scored):
        raise TruthError(
            f"of {len(scored):,} accounts that were scored the truth in {folder} knows {len(there):,} as active: is it another company's?"
        )
    return rows.loc[scored[scored.isin(there)]]


def read(folder: Path, table: str, as_of: datetime) -> pd.DataFrame:
    """The rows of a table that speak for a moment, by account_id; TruthError that lists the moments if it is none of them."""
    path = folder / f"{table}.parquet"
    if not path.is_file():
        raise TruthError(
            f"{folder} holds no truth ({path.name} is missing); foresail simulate writes it beside the company"
        )
    rows = pd.read_parquet(path)
    there = rows[rows["as_of"] == pd.Timestamp(as_of)]
    if there.empty and len(rows):
        told = ", ".join(f"{moment:%Y-%m-%d}" for moment in sorted(rows["as_of"].unique()))
        raise TruthError(
            f"the truth in {folder} is not told for {as_of:%Y-%m-%d %H:%M} UTC, but for {told}: take one of these, or simulate "
            "with other truth.days_before_end"
        )
    return there.drop(columns="as_of").set_index("account_id")


def _horizon(folder: Path) -> int:
    path = folder / "company.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["settings"]["truth"]["horizon_days"])
    except FileNotFoundError:
        raise TruthError(
            f"{folder} holds no truth ({path.name} is missing); foresail simulate writes it beside the company"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise TruthError(f"{path} is not what foresail simulate wrote; simulate the company again") from None
