"""Where every account stands tonight: in one pass over the table of features and the scores of the night."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.population import OPTED_OUT
from serving.standing.inputs import NEEDED_ATTRIBUTES, Array, Floats, ScoreRows, Words, column, none_for_null, texts
from serving.standing.moves import Why, moves_of
from serving.standing.night import Night
from serving.standing.settings import SCHEMES, StandingSettings
from serving.standing.value import severity_of, value_at_stake

COLUMNS = (
    "account_id", "as_of", "name", "owner", "region", "industry", "value", "potential", "quadrant", "tier", "segment",
    "health", "satisfaction", "contribution", "exposure", "risk", "band", "value_at_stake", "severity",
)  # fmt: skip


@dataclass(frozen=True)
class Stood:
    """What a night says of standings, as the tables of these names declare it."""

    standings: pd.DataFrame
    """One row per account of the table, in its order."""
    moves: pd.DataFrame
    """One row per account and scheme in which it moved."""
    scores: pd.DataFrame
    """The scores as they were given, with value_at_stake and severity."""
    cuts: pd.DataFrame
    """One row per threshold of the night: name, value, as_of."""


def stand(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    attributes: pd.DataFrame,
    previous: pd.DataFrame,
    as_of: datetime,
    settings: StandingSettings,
) -> Stood:
    """The standing of every account.

    `table` has one row per account (index level account_id) with `needed_features()`; `scores` the columns of
    serving.scoring.COLUMNS, one row per account and target; `attributes` those of NEEDED_ATTRIBUTES by account_id, where
    any are known; `previous` is the frame of standings of the night before: empty, and everybody stands for the first time.

    Who opted out has a row with the attributes alone, takes part in no rank or quantile, and moves to nowhere. An account
    of the night before that is not in the table any more was forgotten or merged: nothing is told of it. ValueError for
    a score of an account that is not in the table.
    """
    ids = pd.Index(table.index.get_level_values("account_id"))
    profiled = column(table, OPTED_OUT.name) == 0
    rows, before = ScoreRows.of(scores, ids), _standings_before(previous, ids)
    its_own = {scheme: words[profiled] for scheme, words in before.items()}
    night = Night(table.loc[profiled], rows.only(profiled), its_own, settings)
    figures = {name: _among_all(values, profiled) for name, values in night.columns.items()}
    moment = pd.Timestamp(as_of).as_unit("us")
    return Stood(
        _standings(ids, moment, attributes, figures),
        moves_of(ids.to_numpy(dtype=object), before, _schemes(figures), _of_all(night.why, profiled), moment),
        _with_stakes(rows, figures["value"], night.cuts, settings),
        pd.DataFrame({"name": texts(list(night.cuts)), "value": list(night.cuts.values()), "as_of": moment}),
    )


def _standings_before(previous: pd.DataFrame, ids: pd.Index) -> dict[str, Words]:
    """By scheme, where each account stood; None where it did not."""
    if previous.empty:
        return {scheme: np.full(len(ids), None, dtype=object) for scheme in SCHEMES}
    its = previous.set_index("account_id").reindex(ids)
    return {scheme: none_for_null(its[scheme].to_numpy(dtype=object)) for scheme in SCHEMES}


def _standings(
    ids: pd.Index, moment: pd.Timestamp, attributes: pd.DataFrame, figures: Mapping[str, Array]
) -> pd.DataFrame:
    known = attributes.reindex(ids)
    named = {name: known[name].to_numpy(dtype=object) for name in NEEDED_ATTRIBUTES}
    columns = {name: texts(each) if each.dtype == object else each for name, each in {**named, **figures}.items()}
    return pd.DataFrame({"account_id": ids, "as_of": moment, **columns})[list(COLUMNS)]


def _with_stakes(rows: ScoreRows, value: Floats, cuts: Mapping[str, float], settings: StandingSettings) -> pd.DataFrame:
    """Each score with its own value at stake: of one account different risks may put different amounts at stake."""
    probability, at_stake = rows.scores["probability"].to_numpy(dtype=np.float64), np.full(len(rows.scores), np.nan)
    for target in settings.risks:
        its = rows.its(target)
        at_stake[its] = value_at_stake(settings.targets[target].kind, probability[its], value[rows.rows[its]])
    return rows.scores.assign(value_at_stake=at_stake, severity=texts(severity_of(at_stake, cuts)))


def _among_all(values: Array, profiled: NDArray[np.bool_]) -> Array:
    """Values of those who are profiled in their places among all; null for the others."""
    spread = np.full(len(profiled), None if values.dtype == object else np.nan, dtype=values.dtype)
    spread[profiled] = values
    return spread


def _schemes(figures: Mapping[str, Array]) -> dict[str, Words]:
    return {scheme: np.asarray(figures[scheme], dtype=object) for scheme in SCHEMES}


def _of_all(why: Mapping[str, Why], profiled: NDArray[np.bool_]) -> dict[str, Why]:
    """Asked by the row among all, where those who tell count those who are profiled."""
    place = np.cumsum(profiled) - 1
    return {scheme: _moved(tell, place) for scheme, tell in why.items()}


def _moved(tell: Why, place: NDArray[np.intp]) -> Why:
    return lambda row: tell(int(place[row]))
