"""Columns that know the answer, found before anything is fitted: an honest feature is never that good.

Six marks of a leak: a column ranks the outcomes nearly alone, is filled for one outcome only, is named after the outcome, is no
longer there when scores are made, has quite other values then, or rows to be judged on are among those learnt from. None of them proves a leak, and
a leak that is weak has none of them; a person decides.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from features.arrays import Floats
from registry.card import SuspectCard
from training.data.dataset import Dataset
from training.metrics.probabilities import Ranking, auroc

TOO_GOOD = 0.90
"""AUROC of one column alone; the field's best models of churn reach 0.85 to 0.90 with all of them."""
SURE = 3.0
"""By so many standard errors of a column that is just at the bound a suspect must be beyond it."""
EXPECTED = 20.0
"""A column never filled for one outcome is suspect where chance alone would have filled so many of its rows."""
THERE, GONE = 0.20, 0.01
"""Shares of rows filled: in what is learnt from at least the one, in what is scored less than the other."""
ELSEWHERE = 0.85
"""AUROC with which a value alone tells an account of today from one of the newest date learnt from; 0.5 if nothing has changed."""
MANIFOLD = 10.0
"""And so many times as large, or as small: ages and sums of a young history move by themselves, but not so far."""
FEWEST_COMPARED = 50
"""Rows on either side, below which nothing is said of a distribution."""
ROWS = 20_000
"""More rows than that tell no more about one column."""
FOLDS = 5
PRIOR_ROWS = 10.0

Mark = Literal[
    "too good",
    "filled for one outcome",
    "named after the outcome",
    "not there when scoring",
    "other when scoring",
    "seen before",
]


@dataclass(frozen=True)
class Suspect:
    """A column, and the mark that it bears."""

    column: str
    mark: Mark
    figure: float
    """AUROC alone, rows, or share of rows, as the mark goes; NaN for a name."""
    words: str


def suspects(
    columns: pd.DataFrame | Dataset,
    labels: ArrayLike | None = None,
    *,
    outcome: Iterable[str] = ("churn",),
    scored: "pd.DataFrame | Dataset | None" = None,
    seed: int = 0,
) -> list[Suspect]:
    """The suspect columns of a table with labels 1 and 0 (those of a `Dataset` are its own), each once, in their order.

    Columns may be numbers, times or words; of words the outcome's rate is taken from other rows, so that an id that
    occurs once says nothing. `outcome` are the words that would give a column away; `scored` is what will be scored, to compare
    with. ValueError if there is not one label a row, or one that is neither 0 nor 1.
    """
    table, y = _table(columns), np.asarray(columns.labels if isinstance(columns, Dataset) else labels, dtype=np.float64)
    if len(table) != len(y) or not np.isin(y, (0.0, 1.0)).all():
        raise ValueError(f"{len(table)} rows need as many labels, each 0 or 1; there are {len(y)}")
    moments = columns.as_of.astype(np.int64) if isinstance(columns, Dataset) else np.zeros(len(y), dtype=np.int64)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(y))[:ROWS])
    rows, known = table.iloc[chosen], _Outcome(y[chosen], moments[chosen], seed)
    today = None if scored is None else _table(scored)
    marked = (next(_marks(name, rows[name], known, tuple(outcome), today), None) for name in table.columns)
    return [suspect for suspect in marked if suspect is not None]


def overlap(learnt: pd.DataFrame, judged: pd.DataFrame) -> list[Suspect]:
    """Whether rows to be judged on are among those learnt from, every column alike: one suspect, or none."""
    same = judged.merge(learnt.drop_duplicates(), how="inner")
    if same.empty:
        return []
    words = f"{len(same):,} of {len(judged):,} rows to be judged on are among those learnt from, every column alike"
    return [Suspect(", ".join(map(str, judged.columns[:3])), "seen before", float(len(same)), words)]


def alone(column: "pd.Series[Any]", labels: Floats, moments: Any = None, seed: int = 0) -> float:
    """AUROC of one column, 0.5 … 1, absent values ranked by the outcome's rate among them; 0.5 where it says nothing.

    Rows are compared with rows of the same moment alone: a column that holds a date would else be blurred by the dates
    on which it is looked at.
    """
    score = _score(column, labels, seed)
    moments = np.zeros(len(labels)) if moments is None else moments
    won, pairs = 0.0, 0.0
    for moment in np.unique(moments):
        there = moments == moment
        churned, stayed = Ranking.of(score[there], labels[there]).masses(np.ones((1, int(there.sum()))))
        own = float(churned.sum() * stayed.sum())
        if own:
            won, pairs = won + own * float(auroc(churned, stayed)[0]), pairs + own
    return max(won / pairs, 1.0 - won / pairs) if pairs else 0.5


@dataclass(frozen=True)
class _Outcome:
    """What happened to each row."""

    labels: Floats
    moments: Any
    seed: int


def _marks(
    name: str, column: "pd.Series[Any]", known: _Outcome, outcome: Sequence[str], scored: pd.DataFrame | None
) -> Iterator[Suspect]:
    yield from _filled_for_one(name, column, known.labels)
    value, ones = alone(column, known.labels, known.moments, known.seed), float(known.labels.sum())
    if value > TOO_GOOD + SURE * _error(TOO_GOOD, ones, len(known.labels) - ones):
        words = f"alone it ranks the outcomes with an AUROC of {value:.3f}; no honest feature comes near that"
        yield Suspect(name, "too good", value, words)
    outcome_word = next((word for word in outcome if word.lower() in _words(name)), None)
    if outcome_word:
        yield Suspect(
            name, "named after the outcome", float("nan"), f"its name says «{outcome_word}», which is the outcome"
        )
    if scored is not None:
        yield from _not_there(name, column, scored)
        yield from _other(name, column[known.moments == known.moments.max()], scored)


def _filled_for_one(name: str, column: "pd.Series[Any]", labels: Floats) -> Iterator[Suspect]:
    filled = column.notna().to_numpy()
    for outcome, other in ((1.0, 0.0), (0.0, 1.0)):
        expected = filled.mean() * (labels == other).sum()
        if filled[labels == outcome].any() and not filled[labels == other].any() and expected >= EXPECTED:
            words = f"it is filled in {int(filled.sum()):,} rows, and in none where the outcome is {other:.0f}"
            yield Suspect(name, "filled for one outcome", float(filled.sum()), words)


def _not_there(name: str, column: "pd.Series[Any]", scored: pd.DataFrame) -> Iterator[Suspect]:
    before = float(column.notna().mean())
    now = float(scored[name].notna().mean()) if name in scored and len(scored) else 0.0
    if before >= THERE and now < GONE:
        words = f"filled in {before:.0%} of the rows learnt from, and in {now:.0%} of those to be scored"
        yield Suspect(name, "not there when scoring", now, words)


def _other(name: str, newest: "pd.Series[Any]", scored: pd.DataFrame) -> Iterator[Suspect]:
    """Numbers ten times as large or as small as at the newest date learnt from, hardly any of them where they were.

    A unit that changed, a source that counts otherwise. What is one number for all accounts of a date, the calendar, is not looked at.
    """
    before = _numbers(newest)
    now = _numbers(scored[name]) if name in scored else None
    if before is None or now is None:
        return
    before, now = before[~np.isnan(before)], now[~np.isnan(now)]
    if min(len(before), len(now)) < FEWEST_COMPARED or np.ptp(before) == 0 or np.ptp(now) == 0:
        return
    is_now = np.repeat([0.0, 1.0], [len(before), len(now)])
    todays, earlier = Ranking.of(np.concatenate([before, now]), is_now).masses(np.ones((1, len(is_now))))
    value = float(auroc(todays, earlier)[0])
    apart = max(value, 1.0 - value)
    then, today = (float(np.median(np.abs(values[values != 0]))) for values in (before, now))
    if max(then, today) >= MANIFOLD * min(then, today) and apart > ELSEWHERE + SURE * _error(
        ELSEWHERE, len(now), len(before)
    ):
        middle = f"half were below {np.median(before):.4g} at the newest date learnt from, and are below {np.median(now):.4g} today"
        yield Suspect(name, "other when scoring", apart, f"its values have moved: {middle}")


def _words(name: str) -> set[str]:
    """The words of a column's name: churn, score for ChurnScore, churn_score and Churn Score."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)}


def telling(outcome: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Those words of an outcome that would give a column away: the ones that no feature of ours has in its name anyway."""
    common = {word for name in names for word in _words(name)}
    return tuple(word for phrase in outcome for word in sorted(_words(phrase)) if word not in common)


def _score(column: "pd.Series[Any]", labels: Floats, seed: int) -> Floats:
    """The column as numbers in its own order; words, and absent values, as the outcome's rate among other rows."""
    numbers = _numbers(column)
    if numbers is None:
        return _rates(pd.factorize(column, use_na_sentinel=False)[0], labels, seed)
    absent = np.isnan(numbers)
    if not absent.any():
        return numbers
    if absent.all():
        return np.zeros(len(labels))
    # Absent values go where rows with about their rate of the outcome stand: not to an end, where they would count as extreme.
    rates = _rates(_fiftieths(numbers), labels, seed)
    return np.asarray(rates, dtype=np.float64)


def _numbers(column: "pd.Series[Any]") -> Floats | None:
    """The column as numbers, if it is one of numbers, truths or times."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return np.where(column.isna(), np.nan, column.astype("int64").to_numpy().astype(np.float64))
    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    return None


def _fiftieths(numbers: Floats) -> Any:
    """Which fiftieth of the values each is in; −1 where absent."""
    cuts = np.unique(np.nanquantile(numbers, np.linspace(0, 1, 51)[1:-1]))
    return np.where(np.isnan(numbers), -1, np.searchsorted(cuts, numbers))


def _rates(codes: Any, labels: Floats, seed: int) -> Floats:
    """For each row the outcome's rate among rows of its code in the other folds, drawn to the mean where they are few."""
    codes = codes - codes.min()
    fold = np.random.default_rng(seed).integers(FOLDS, size=len(codes))
    rates, size = np.empty(len(codes)), int(codes.max()) + 1
    for number in range(FOLDS):
        others = fold != number
        mean = labels[others].mean() if others.any() else 0.5
        sums = np.bincount(codes[others], labels[others], minlength=size) + PRIOR_ROWS * mean
        counts = np.bincount(codes[others], minlength=size) + PRIOR_ROWS
        rates[~others] = (sums / counts)[codes[~others]] - mean
    return rates


def _error(value: float, ones: float, zeros: float) -> float:
    """Standard error of an AUROC (Hanley & McNeil 1982); infinite where an outcome is missing."""
    if min(ones, zeros) < 1:
        return float("inf")
    first, second = value / (2 - value), 2 * value**2 / (1 + value)
    variance = value * (1 - value) + (ones - 1) * (first - value**2) + (zeros - 1) * (second - value**2)
    return float(np.sqrt(max(variance, 1e-12) / (ones * zeros)))


def _table(columns: "pd.DataFrame | Dataset") -> pd.DataFrame:
    if isinstance(columns, Dataset):
        return pd.DataFrame(columns.matrix, columns=pd.Index(columns.features), copy=False)
    return columns


def on_card(suspects: Sequence[Suspect]) -> tuple[SuspectCard, ...]:
    """The suspects as a model card keeps them."""
    return tuple(
        SuspectCard(
            column=suspect.column,
            mark=suspect.mark,
            figure=None if suspect.figure != suspect.figure else suspect.figure,
            words=suspect.words,
        )
        for suspect in suspects
    )
