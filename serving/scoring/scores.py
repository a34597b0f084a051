"""Feature values in, scores out. Pure, vectorised, and row by row: one account alone scores as it does among a million."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.arrays import Floats
from features.catalog import named
from features.definitions import Feature
from features.engine.feature_names import Names
from features.percentiles import percentile_in, percentile_of
from registry.loader import LoadedModel, Target
from serving.scoring.reason_words import PHRASE_FEATURES
from serving.scoring.reasons import Reason, reasons_of

Band = Literal["low", "medium", "high"]
LOW: Band = "low"
MEDIUM: Band = "medium"
HIGH: Band = "high"
DAYS = "days"
COLUMNS = (
    "account_id",
    "target",
    "as_of",
    "horizon_days",
    "probability",
    "amount",
    "days",
    "days_low",
    "days_high",
    "percentile",
    "band",
    "model_version",
    "grade",
    "reasons",
    "why_not",
)


@dataclass(frozen=True)
class Rows:
    """Features of some accounts: `matrix` is (rows, features) float64, NaN where absent, its columns called `names`.

    What a frame is, without what a frame costs: picking columns of one row takes pandas longer than scoring it.
    """

    names: Names
    matrix: Floats

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Rows":
        """The rows of a feature table."""
        return cls(Names(map(str, table.columns)), table.to_numpy(dtype=np.float64))

    def columns(self, names: Names) -> Floats:
        """(rows, names), each row contiguous; not a copy if they are all there is. KeyError if a feature is not there."""
        if names == self.names:
            return np.ascontiguousarray(self.matrix)
        return self.matrix.take(_places(names, self.names), axis=1)

    def values(self) -> list[dict[str, float]]:
        """Each row's values by name."""
        return [dict(zip(self.names, values, strict=True)) for values in self.matrix.tolist()]

    def at(self, rows: NDArray[np.intp]) -> "Rows":
        """Some of the rows, in the order given."""
        return Rows(self.names, self.matrix[rows])


@lru_cache(maxsize=256)
def _places(names: Names, among: Names) -> NDArray[np.intp]:
    """Where some features stand; the same few questions are asked by every request."""
    position = {name: number for number, name in enumerate(among)}
    return np.array([position[name] for name in names], dtype=np.intp)


@dataclass(frozen=True)
class Scores:
    """One entry per row: answers and percentile are NaN and band None where `why_not` says why."""

    answers: Floats
    """Probability, amount, or median of days, (n,)."""
    bounds: Floats | None
    """Of days: between which 80 % should lie, (n, 2); infinite beyond the horizon."""
    percentile: Floats
    band: list[Band | None]
    why_not: list[str | None]


def needed_features(models: Sequence[LoadedModel]) -> tuple[Feature, ...]:
    """What a feature table must hold to score these models: what they read, who is eligible, what reasons tell of."""
    wanted = [*(feature for loaded in models for feature in (*loaded.features, *loaded.target.population.features))]
    return tuple({feature.name: feature for feature in (*wanted, *named(PHRASE_FEATURES))}.values())


def score_rows(loaded: LoadedModel, rows: Rows) -> Scores:
    """The scores of some accounts, in their order. KeyError if a feature of the model is not among theirs."""
    if len(rows.matrix) == 1:
        return _score_row(loaded, rows)
    why_not = _why_not(loaded.target, rows)
    eligible = np.array([reason is None for reason in why_not], dtype=np.bool_)
    matrix = rows.columns(loaded.reads)
    found = loaded.answers(matrix if eligible.all() else matrix[eligible])
    answers = np.full((len(why_not), *found.shape[1:]), np.nan)
    answers[eligible] = found
    main = answers[:, 0] if answers.ndim == 2 else answers
    percentile = percentile_in(loaded.reference_scores, main)
    if answers.ndim == 1:
        return Scores(main, None, percentile, bands(percentile, loaded.target), why_not)
    # Nobody was followed beyond the horizon: what a model says of the time after it is not known to be true.
    answers[answers > loaded.target.horizon_days] = np.inf
    return Scores(answers[:, 0], answers[:, 1:], percentile, bands(percentile, loaded.target), why_not)


def _score_row(loaded: LoadedModel, rows: Rows) -> Scores:
    """One account's scores, to the last bit those of `score_rows`, without what numpy costs for each call on one number."""
    target = loaded.target
    why_not = target.population.first_unmet(dict(zip(target.asks, rows.columns(target.asks)[0].tolist(), strict=True)))
    if why_not:
        none = np.full((1, 2), np.nan)
        return Scores(none[:, 0], none if target.answer == DAYS else None, none[:, 0], [None], [why_not])
    found = loaded.answers(rows.columns(loaded.reads))
    main = found[:, 0] if found.ndim == 2 else found
    percentile = percentile_of(loaded.ranks, float(main[0]))
    ranked = np.array([percentile])
    if found.ndim == 1:
        return Scores(main, None, ranked, [band(percentile, target)], [None])
    found[found > target.horizon_days] = np.inf
    return Scores(found[:, 0], found[:, 1:], ranked, [band(percentile, target)], [None])


def score_table(loaded: LoadedModel, table: pd.DataFrame, explain_top: int = 0, *, currency: str = "") -> pd.DataFrame:
    """The scores of a feature table, one row per row, in its order, with the columns of `COLUMNS`.

    `table` is indexed by (account_id, as_of) and holds `needed_features([loaded])`. The `explain_top` rows with the highest
    answer get reasons (a list of records, empty where nothing stands out); the others have None. Rows outside
    the eligible population have null scores, and `why_not` in plain words.
    """
    rows = Rows.of(table)
    scores = score_rows(loaded, rows)
    reasons: list[list[dict[str, Any]] | None] = [None] * len(table)
    explained = riskiest(scores.answers, explain_top)
    for row, found in zip(explained, reasons_for(loaded, rows.at(explained), currency), strict=True):
        reasons[row] = [vars(reason) for reason in found]
    return pd.DataFrame(
        {
            "account_id": table.index.get_level_values("account_id"),
            "target": loaded.target.name,
            "as_of": table.index.get_level_values("as_of"),
            "horizon_days": loaded.target.horizon_days,
            **answer_columns(loaded.target.answer, scores),
            "percentile": scores.percentile,
            "band": pd.array(scores.band, dtype="str"),
            "model_version": loaded.version,
            "grade": pd.array([loaded.grade] * len(table), dtype="str"),
            "reasons": pd.Series(reasons, dtype=object),
            "why_not": pd.array(scores.why_not, dtype="str"),
        },
        columns=list(COLUMNS),
    )


def answer_columns(answer: str, scores: Scores) -> dict[str, Floats]:
    """The answer in the column of its kind, NaN in the others; of days also what lies beyond the horizon is NaN."""
    none = np.full(len(scores.answers), np.nan)
    columns = dict.fromkeys(("probability", "amount", "days", "days_low", "days_high"), none)
    if scores.bounds is None:
        return columns | {answer: scores.answers}
    within = np.column_stack([scores.answers, scores.bounds])
    within[np.isinf(within)] = np.nan
    return columns | dict(zip(("days", "days_low", "days_high"), within.T, strict=True))


def reasons_for(loaded: LoadedModel, rows: Rows, currency: str = "") -> list[list[Reason]]:
    """The reasons of each row, in their order. Costs milliseconds a row on the LightGBM rung: ask for few."""
    if not len(rows.matrix):
        return []
    contributions = loaded.model.contributions(rows.columns(loaded.reads))
    explained = zip(contributions.tolist(), rows.values(), strict=True)
    return [reasons_of(loaded.features, of_one, values, currency=currency) for of_one, values in explained]


def riskiest(probability: Floats, top: int) -> NDArray[np.intp]:
    """The positions of the `top` highest answers, highest first; equal ones in their order, NaN never."""
    order = np.argsort(-probability, kind="stable")  # NaN sorts last
    return order[: min(top, int((~np.isnan(probability)).sum()))]


def bands(percentile: Floats, target: Target) -> list[Band | None]:
    """low, medium or high by the target's percentile cuts; at a cut the higher one; None for NaN."""
    cuts = np.searchsorted([target.band_medium, target.band_high], percentile, side="right")
    words = (LOW, MEDIUM, HIGH)
    return [None if absent else words[cut] for cut, absent in zip(cuts, np.isnan(percentile), strict=True)]


def band(percentile: float, target: Target) -> Band:
    """`bands` of one percentile that is not NaN."""
    if percentile < target.band_medium:
        return LOW
    return MEDIUM if percentile < target.band_high else HIGH


def _why_not(target: Target, rows: Rows) -> list[str | None]:
    return target.population.why_not(dict(zip(target.asks, rows.columns(target.asks).T, strict=True)))
