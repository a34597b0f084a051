"""Whether probabilities happen as often as they say, told apart from what chance does to any sample."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from features.arrays import Floats
from training.metrics.probabilities import Ranking, calibration_bins, ece, rate_interval

REPLICATES = 300
TOLERANCE = 0.10
"""Of the rarer outcome's rate. Being off by less than a tenth of what happens changes nobody's plan."""


@dataclass(frozen=True)
class Reliability:
    """Mean probability beside the realised rate and its 95 % interval; ECE beside what chance alone would show.

    `ece_by_chance`: of models whose probabilities are exactly right, 95 % would show no more on this many accounts.
    """

    foreseen: float
    happened: float
    low: float
    high: float
    ece: float
    ece_by_chance: float

    @property
    def tolerance(self) -> float:
        """How far off is still of no consequence, as a share of accounts."""
        return TOLERANCE * min(self.happened, 1.0 - self.happened)

    @property
    def level_holds(self) -> bool:
        """Whether as many churned as was foreseen: within noise, or off by less than the tolerance."""
        return self.low <= self.foreseen <= self.high or abs(self.foreseen - self.happened) <= self.tolerance

    @property
    def shape_holds(self) -> bool:
        """Whether that is so from the safest to the riskiest: ECE within chance, or within the tolerance."""
        return self.ece <= max(self.ece_by_chance, self.tolerance)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, and the two verdicts."""
        return asdict(self) | {"level_holds": self.level_holds, "shape_holds": self.shape_holds}


def reliability(probability: Floats, labels: Floats, seed: int, replicates: int = REPLICATES) -> Reliability:
    """Judge the probabilities of n > 0 accounts, one row each, by what happened to them."""
    churned = int(labels.sum())
    low, high = rate_interval(churned, len(labels))
    ranking = Ranking.of(probability, labels)
    error = float(ece(ranking, probability, np.ones((1, len(labels))))[0])
    by_chance = ece_by_chance(probability, seed, replicates)
    return Reliability(float(probability.mean()), churned / len(labels), low, high, error, by_chance)


def ece_by_chance(probability: Floats, seed: int, replicates: int = REPLICATES) -> float:
    """The 95 % quantile of ECE if every account churned with exactly its probability.

    Consistency resampling: Bröcker & Smith, "Increasing the reliability of reliability diagrams", Weather and
    Forecasting 22 (2007), with the bins of `metrics.ece`.
    """
    ranking = Ranking.of(probability, np.zeros(len(probability)))
    bins, ranked = calibration_bins(ranking), probability[ranking.order]
    firsts = np.flatnonzero(np.r_[True, bins[1:] != bins[:-1]])
    rng = np.random.default_rng(seed)
    drawn = [_distance(ranked, rng.random(len(ranked)) < ranked, firsts) for _ in range(replicates)]
    return float(np.quantile(drawn, 0.95))


def _distance(ranked: Floats, happened: Any, firsts: Any) -> float:
    return float(np.abs(np.add.reduceat(ranked - happened, firsts)).sum() / len(ranked))
