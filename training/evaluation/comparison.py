"""Models side by side on the same accounts: every metric with its interval, and the paired difference to the baseline."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from features.arrays import Floats
from registry.target_kinds import AnswerKind
from training.metrics.probabilities import METRICS, Metric, bootstrap_weights
from training.models.calibration import PROBABILITIES, Task

REPLICATES = 500


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; NaN where it is not defined (a single class among the labels)."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class Evaluation:
    """What `judge` found: metrics[model][metric], and differences[model][metric] = model − baseline, in pairs."""

    baseline: str
    rows: int
    accounts: int
    churned: int
    """In how many rows it happened: churned, or whatever else the target asks."""
    metrics: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]
    answer: AnswerKind = "probability"
    described: tuple[Metric, ...] = METRICS
    """The metrics, and how to read them."""

    def beats_baseline(self, model: str, metric: str) -> bool:
        """Whether the whole interval of the paired difference lies on the better side of zero."""
        difference = self.differences[model][metric]
        higher_is_better = {described.name: described.higher_is_better for described in self.described}[metric]
        return difference.low > 0 if higher_is_better else difference.high < 0

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a card or a machine-readable answer."""
        return {name: value for name, value in asdict(self).items() if name != "described"}


def judge(
    probabilities: Mapping[str, Floats],
    labels: ArrayLike,
    accounts: ArrayLike,
    *,
    baseline: str,
    replicates: int = REPLICATES,
    seed: int = 0,
    task: Task = PROBABILITIES,
) -> Evaluation:
    """Judge several models' answers for the same rows; `baseline` names the one the others must beat.

    Intervals are percentiles of a bootstrap over accounts, taken further out the fewer accounts show the rarer label
    (`tail`). All models see the same replicates, so a difference is
    judged far more finely than by two overlapping intervals.
    """
    if baseline not in probabilities:
        raise ValueError(f"the baseline '{baseline}' is not among the judged models: {', '.join(probabilities)}")
    y = np.asarray(labels, dtype=np.float64)
    beyond = tail(task.shown(y, np.asarray(accounts)))
    values = {model: task.measure(p, y) for model, p in probabilities.items()}
    replicated = _replicated(probabilities, y, accounts, replicates, seed, task)
    metrics = {model: _estimates(values[model], replicated[model], beyond) for model in probabilities}
    differences = {
        model: _estimates(
            _less(values[model], values[baseline]), _less(replicated[model], replicated[baseline]), beyond
        )
        for model in probabilities
        if model != baseline
    }
    happened = int(np.sum(task.happened(y)))
    return Evaluation(
        baseline,
        len(y),
        len(np.unique(np.asarray(accounts))),
        happened,
        metrics,
        differences,
        task.answer,
        task.metrics,
    )


def _replicated(
    probabilities: Mapping[str, Floats],
    labels: Floats,
    accounts: ArrayLike,
    replicates: int,
    seed: int,
    task: Task,
) -> dict[str, dict[str, Floats]]:
    parts: dict[str, list[dict[str, Floats]]] = {model: [] for model in probabilities}
    for weights in bootstrap_weights(accounts, replicates, seed):
        for model, p in probabilities.items():
            parts[model].append(task.measure(p, labels, weights))
    return {
        model: {name: np.concatenate([part[name] for part in each]) for name in each[0]}
        for model, each in parts.items()
    }


def _less(ours: Mapping[str, Floats], theirs: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: ours[name] - theirs[name] for name in ours}


def tail(accounts: int) -> float:
    """The share of replicates left out at either end of a 95 % interval that rests on so many accounts.

    Resampling n accounts spreads by a factor √((n-1)/n) too little and knows nothing of Student's t; the "expanded
    percentile" interval makes up for both (Hesterberg, "What Teachers Should Know about the Bootstrap", The American
    Statistician 69, 2015, section 5.3). 2.5 % for many accounts, 1.2 % for 20, none for a single one.
    """
    if accounts < 2:
        return 0.0
    return float(norm.cdf(-math.sqrt(accounts / (accounts - 1)) * t.ppf(0.975, accounts - 1)))


def _estimates(values: Mapping[str, Floats], replicated: Mapping[str, Floats], beyond: float) -> dict[str, Estimate]:
    return {name: estimate(float(values[name][0]), replicated[name], beyond) for name in values}


def estimate(value: float, replicated: Floats, beyond: float = 0.025) -> Estimate:
    """A value with its replicates, those beyond either end left out; NaN bounds where it or every replicate is undefined."""
    defined = replicated[~np.isnan(replicated)]
    if np.isnan(value) or len(defined) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [beyond, 1.0 - beyond])
    return Estimate(value, float(low), float(high))
