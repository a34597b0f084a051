"""Models side by side on the same accounts: every metric with its interval, and the paired difference to the baseline."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from training.metrics import METRICS, Floats, bootstrap_weights, measure

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
    metrics: Mapping[str, Mapping[str, Estimate]]
    differences: Mapping[str, Mapping[str, Estimate]]

    def beats_baseline(self, model: str, metric: str) -> bool:
        """Whether the whole interval of the paired difference lies on the better side of zero."""
        difference = self.differences[model][metric]
        higher_is_better = {each.name: each.higher_is_better for each in METRICS}[metric]
        return difference.low > 0 if higher_is_better else difference.high < 0

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a card or a machine-readable answer."""
        return asdict(self)


def judge(
    probabilities: Mapping[str, Floats],
    labels: ArrayLike,
    accounts: ArrayLike,
    *,
    baseline: str,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Evaluation:
    """Judge several models' probabilities of the same rows; `baseline` names the one the others must beat.

    Intervals are percentiles of a bootstrap over accounts. All models see the same replicates, so a difference is
    judged far more finely than by two overlapping intervals.
    """
    if baseline not in probabilities:
        raise ValueError(f"the baseline '{baseline}' is not among the judged models: {', '.join(probabilities)}")
    values = {model: measure(p, labels) for model, p in probabilities.items()}
    replicated = _replicated(probabilities, labels, accounts, replicates, seed)
    metrics = {model: _estimates(values[model], replicated[model]) for model in probabilities}
    differences = {
        model: _estimates(_less(values[model], values[baseline]), _less(replicated[model], replicated[baseline]))
        for model in probabilities
        if model != baseline
    }
    y = np.asarray(labels)
    return Evaluation(baseline, len(y), len(np.unique(np.asarray(accounts))), int(y.sum()), metrics, differences)


def _replicated(
    probabilities: Mapping[str, Floats], labels: ArrayLike, accounts: ArrayLike, replicates: int, seed: int
) -> dict[str, dict[str, Floats]]:
    parts: dict[str, list[dict[str, Floats]]] = {model: [] for model in probabilities}
    for weights in bootstrap_weights(accounts, replicates, seed):
        for model, p in probabilities.items():
            parts[model].append(measure(p, labels, weights))
    return {
        model: {name: np.concatenate([part[name] for part in each]) for name in each[0]}
        for model, each in parts.items()
    }


def _less(ours: Mapping[str, Floats], theirs: Mapping[str, Floats]) -> dict[str, Floats]:
    return {name: ours[name] - theirs[name] for name in ours}


def _estimates(values: Mapping[str, Floats], replicated: Mapping[str, Floats]) -> dict[str, Estimate]:
    return {name: estimate(float(values[name][0]), replicated[name]) for name in values}


def estimate(value: float, replicated: Floats) -> Estimate:
    """A value with the middle 95 % of its replicates; NaN bounds where the value or every replicate is undefined."""
    defined = replicated[~np.isnan(replicated)]
    if np.isnan(value) or len(defined) == 0:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(defined, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
