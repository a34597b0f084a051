"""The segments of every account, in one pass over the table of features and the scores of a night."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from features.arrays import Array, Flags, Floats
from features.families.eligibility import OPTED_OUT
from serving.scoring.columns import NOWHERE, Codes, column
from serving.scoring.value_at_stake import severity_codes, value_at_stake
from serving.scoring.value_terms import SEVERITIES
from serving.segmentation.figures import Night
from serving.segmentation.inputs import NEEDED_ATTRIBUTES, Kept, Rows, ScoreRows, codes_of, places, texts_at, words_of
from serving.segmentation.moves import Why, moves_of
from serving.segmentation.settings import SCHEMES, SegmentationSettings

COLUMNS = (
    "account_id", "as_of", "name", "owner", "region", "industry", "value", "potential", "quadrant", "tier", "segment",
    "health", "satisfaction", "contribution", "exposure", "risk", "band", "value_at_stake", "severity",
)  # fmt: skip


@dataclass(frozen=True)
class Segmentation:
    """The result of `assign_segments`: rows of the database tables of the same names."""

    account_segments: pd.DataFrame
    """One row per account of the table, in its order."""
    moves: pd.DataFrame
    """One row per account and scheme in which it moved."""
    scores: pd.DataFrame
    """The scores as they were given, with value_at_stake and severity."""
    cuts: pd.DataFrame
    """One row per threshold of the night: name, value, as_of."""


def assign_segments(
    table: pd.DataFrame,
    scores: pd.DataFrame,
    attributes: pd.DataFrame,
    previous: pd.DataFrame,
    as_of: datetime,
    settings: SegmentationSettings,
) -> Segmentation:
    """Quadrant, tier, segment, health, value and value at stake of every account, and every move since the previous night.

    `table` has one row per account (index level account_id) with `needed_features()`; `scores` the columns of
    serving.scoring.scores.COLUMNS, one row per account and target; `attributes` those of NEEDED_ATTRIBUTES by account_id, where
    any are known; `previous` is the frame `account_segments` of the previous night, empty before the first night.

    An account that opted out has a row with the attributes alone, takes part in no rank or quantile, and has no move. An
    account of the previous night that the table lacks was erased or merged: the result lacks it, too. ValueError for
    a score of an account that is not in the table.
    """
    ids = pd.Index(table.index.get_level_values("account_id"))
    profiled = column(table, OPTED_OUT.name) == 0
    rows, before = ScoreRows.of(scores, ids), _standings_before(previous, ids)
    its_own = {scheme: codes[profiled] for scheme, codes in before.items()}
    night = Night(Kept(table, profiled), rows.only(profiled), its_own, settings)
    moment = pd.Timestamp(as_of).as_unit("us")
    account_segments = _standings(ids, moment, attributes, night, profiled)
    after = {scheme: _among_all(codes, profiled, NOWHERE) for scheme, codes in night.after.items()}
    return Segmentation(
        account_segments,
        moves_of(ids, before, after, _of_all(night.why, profiled), moment),
        _with_stakes(rows, account_segments["value"].to_numpy(), night.cuts, settings),
        pd.DataFrame({"name": list(night.cuts), "value": list(night.cuts.values()), "as_of": moment}),
    )


def _standings_before(previous: pd.DataFrame, ids: pd.Index) -> dict[str, Codes]:
    """By scheme, where each account stood."""
    if previous.empty:
        return {scheme: np.full(len(ids), NOWHERE, dtype=np.int8) for scheme in SCHEMES}
    rows = places(ids, previous["account_id"])
    # NOWHERE takes the last one, which is none.
    return {
        scheme: np.append(codes_of(previous[scheme], names), np.int8(NOWHERE))[rows]
        for scheme, names in SCHEMES.items()
    }


def _standings(
    ids: pd.Index, moment: pd.Timestamp, attributes: pd.DataFrame, night: Night, profiled: Flags
) -> pd.DataFrame:
    rows = places(ids, attributes.index)
    named = {name: texts_at(attributes[name], rows) for name in NEEDED_ATTRIBUTES}
    numbers = {name: _among_all(values, profiled, np.nan) for name, values in night.numbers.items()}
    words = {
        name: words_of(_among_all(codes, profiled, NOWHERE), among) for name, (codes, among) in night.words.items()
    }
    columns = {"account_id": ids, "as_of": moment, **named, **numbers, **words}
    return pd.DataFrame({name: columns[name] for name in COLUMNS})


def _with_stakes(
    rows: ScoreRows, value: Floats, cuts: Mapping[str, float], settings: SegmentationSettings
) -> pd.DataFrame:
    """Each score with its own value at stake: of one account different risks may put different amounts at stake."""
    probability, at_stake = rows.scores["probability"].to_numpy(dtype=np.float64), np.full(len(rows.scores), np.nan)
    for target in settings.risks:
        its = rows.its(target)
        at_stake[its] = value_at_stake(settings.targets[target].kind, probability[its], value[rows.rows[its]])
    severity = words_of(severity_codes(at_stake, cuts), SEVERITIES)
    return rows.scores.assign(value_at_stake=at_stake, severity=severity)


def _among_all(values: Array, profiled: Flags, otherwise: float) -> Array:
    """Values of those who are profiled in their places among all, and of the others what stands for none."""
    spread = np.full(len(profiled), otherwise, dtype=values.dtype)
    spread[profiled] = values
    return spread


def _of_all(why: Mapping[str, Why], profiled: Flags) -> dict[str, Why]:
    """Asked by the row among all, where those who tell count those who are profiled."""
    place = np.cumsum(profiled) - 1
    return {scheme: _at(tell, place) for scheme, tell in why.items()}


def _at(tell: Why, place: Rows) -> Why:
    return lambda row: tell(int(place[row]))
