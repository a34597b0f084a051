"""How good a model is for each part of the company's accounts: segment (tier), industry, region.

A model that is right on the whole can be wrong for a region, and right and wrong can come by chance where one looks at
many parts. So every slice is tested for whether its accounts churned as often as was said, and the tests are judged
together (Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from training.evaluation.comparison import Estimate, judge
from training.metrics.probabilities import rate_interval

ATTRIBUTES = ("segment", "industry", "region")
FEWEST_ACCOUNTS = 50
MOST_VALUES = 12
FEWEST_SURPRISES = 5.0
"""Σ p(1 − p) of a slice, below which a normal approximation, and any verdict, would be a guess."""
LEVEL = 0.05
OTHER, NOT_RECORDED = "other", "not recorded"
HOLDS, TOO_LOW, TOO_HIGH, TOO_FEW = "as foreseen", "probabilities too low", "probabilities too high", "too few to tell"

Groups = Mapping[str, NDArray[np.object_]]
"""Attribute → each judged row's value, None where nothing is recorded."""


@dataclass(frozen=True)
class Slice:
    """The accounts with one value of one attribute, as of the judged date; metrics with 95 % intervals of their own.

    `low` and `high` bound `happened`; `verdict` takes the number of slices into account, so it can be "as foreseen"
    where the interval leaves out `foreseen`.
    """

    attribute: str
    value: str
    accounts: int
    churned: int
    metrics: Mapping[str, Estimate]
    foreseen: float
    happened: float
    low: float
    high: float
    verdict: str

    @property
    def holds(self) -> bool:
        """Whether nothing speaks against its probabilities."""
        return self.verdict in {HOLDS, TOO_FEW}

    def to_json(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)


def slices(probability: Floats, labels: Floats, accounts: NDArray[Any], groups: Groups, seed: int) -> tuple[Slice, ...]:
    """Every slice of every attribute that tells accounts apart, the largest first; none where no attribute does.

    Values with fewer than 50 accounts, and those beyond the twelve largest, are one slice "other".
    """
    parts = [
        (attribute, value, there) for attribute, values in groups.items() for value, there in _parts(_pooled(values))
    ]
    surprises = [surprise(probability[there], labels[there]) for *_, there in parts]
    verdicts = holm_verdicts(surprises)
    return tuple(
        _slice(attribute, value, probability[there], labels[there], accounts[there], verdict, seed)
        for (attribute, value, there), verdict in zip(parts, verdicts, strict=True)
    )


def surprise(probability: Floats, labels: Floats) -> float:
    """Churned less foreseen, in standard deviations of what chance does to a slice of these probabilities.

    The sum of independent Bernoulli(p): z = Σ(y − p) / √Σp(1 − p). NaN where that is too little to be near normal.
    """
    variance = float((probability * (1.0 - probability)).sum())
    return float((labels - probability).sum()) / math.sqrt(variance) if variance >= FEWEST_SURPRISES else math.nan


def holm_verdicts(surprises: Sequence[float], level: float = LEVEL) -> list[str]:
    """A verdict for each z, so that with right probabilities any slice at all is called wrong in 5 % of the runs only."""
    p_values = [math.erfc(abs(z) / math.sqrt(2.0)) for z in surprises]
    tested = sorted((p, place) for place, p in enumerate(p_values) if not math.isnan(p))
    verdicts = [TOO_FEW if math.isnan(z) else HOLDS for z in surprises]
    for rank, (p, place) in enumerate(tested):
        if p > level / (len(tested) - rank):
            break
        verdicts[place] = TOO_LOW if surprises[place] > 0 else TOO_HIGH
    return verdicts


def _pooled(values: NDArray[np.object_]) -> NDArray[np.object_]:
    """The values with small ones pooled."""
    told = np.array([NOT_RECORDED if value is None or value != value else str(value) for value in values], dtype=object)  # noqa: PLR0124  # NaN
    names, counts = np.unique(told.astype(str), return_counts=True)
    order = np.lexsort((names, -counts))[:MOST_VALUES]
    kept = {str(names[place]) for place in order if counts[place] >= FEWEST_ACCOUNTS}
    return np.array([value if value in kept else OTHER for value in told], dtype=object)


def _parts(values: NDArray[np.object_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each value and its rows, the largest first, "other" last; nothing where all have the same value."""
    names, counts = np.unique(values.astype(str), return_counts=True)
    if len(names) < 2:
        return
    for _, _, name in sorted((name == OTHER, -count, str(name)) for name, count in zip(names, counts, strict=True)):
        yield name, values == name


def _slice(  # the columns of a row
    attribute: str, value: str, probability: Floats, labels: Floats, accounts: NDArray[Any], verdict: str, seed: int
) -> Slice:
    judged = judge({"model": probability}, labels, accounts, baseline="model", seed=seed)
    churned = int(labels.sum())
    low, high = rate_interval(churned, len(labels))
    metrics = {name: judged.metrics["model"][name] for name in ("auroc", "log_loss", "ece")}
    foreseen = float(probability.mean())
    return Slice(attribute, value, len(labels), churned, metrics, foreseen, churned / len(labels), low, high, verdict)
