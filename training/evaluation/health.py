"""Whether health tells who leaves: a health score held against what became of the accounts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.arrays import Floats
from training.evaluation.comparison import Estimate, judge
from training.metrics.probabilities import rate_interval

GROUPS = 10
HEALTH, RISK = "health", "risk score"


@dataclass(frozen=True)
class Left:
    """How many of some accounts left, with the 95 % interval of the rate; NaN where there are no accounts."""

    accounts: int
    left: int
    rate: float
    low: float
    high: float

    @classmethod
    def of(cls, labels: Floats) -> "Left":
        """From labels of 1 (left) and 0."""
        count, left = len(labels), int(labels.sum())
        if not count:
            return cls(0, 0, *(float("nan"),) * 3)
        return cls(count, left, left / count, *rate_interval(left, count))


@dataclass(frozen=True)
class Group:
    """Accounts of like health, and how many of them left."""

    lowest: float
    highest: float
    left: Left


@dataclass(frozen=True)
class HealthRecord:
    """What became of the accounts whose health was told as of a moment."""

    as_of: datetime
    known_by: datetime
    """Both in the project's timezone."""
    target: str
    definition: str
    everybody: Left
    healthy_from: float
    healthy: Left
    """Who was called healthy."""
    reinforce_below: float
    weak: Left
    """For whom a reinforcement plan was due."""
    groups: tuple[Group, ...]
    """Ten of like size, the least healthy first; equal healths stay together, so they may be fewer."""
    auroc: Mapping[str, Estimate]
    """Chance that an account that left was told apart from one that stayed: by health, by each part of it where that is
    there, and by the risk score itself."""
    difference: Estimate
    """Health's less the risk score's, in pairs."""
    versions: Mapping[str, int]
    """Of every target that was scored, the version of its model."""
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The same facts for machines."""
        return asdict(self) | {"as_of": self.as_of.isoformat(), "known_by": self.known_by.isoformat()}


@dataclass(frozen=True)
class HealthScores:
    """Health and risk of the eligible accounts as of the moment, and what happened: all (accounts,)."""

    health: Floats
    parts: Mapping[str, Floats]
    """Of 0 to 100; NaN where a part is absent."""
    risk: Floats
    """The probability of leaving."""
    labels: Floats


def separations(scores: HealthScores, seed: int = 0) -> tuple[dict[str, Estimate], Estimate]:
    """AUROC by score, and health's less the risk score's: of the same accounts, in the same replicates."""
    named = {RISK: scores.risk, HEALTH: _ill(scores.health)}
    together = judge(named, scores.labels, np.arange(len(scores.labels)), baseline=RISK, seed=seed)
    alone = {name: _separation(part, scores.labels, seed) for name, part in scores.parts.items()}
    whole = {name: together.metrics[name]["auroc"] for name in (HEALTH, RISK)}
    return whole | alone, together.differences[HEALTH]["auroc"]


def groups_of(health: Floats, labels: Floats) -> tuple[Group, ...]:
    """Ten groups of like size by health, the least healthy first."""
    edges = np.quantile(health, np.arange(1, GROUPS) / GROUPS)
    group = np.searchsorted(edges, health, side="right")
    return tuple(_group(health[group == number], labels[group == number]) for number in np.unique(group))


def _group(health: Floats, labels: Floats) -> Group:
    return Group(float(health.min()), float(health.max()), Left.of(labels))


def _separation(part: Floats, labels: Floats, seed: int) -> Estimate:
    there = ~np.isnan(part)
    if len(np.unique(labels[there])) < 2:
        return Estimate(*(float("nan"),) * 3)
    name = "part"
    rows = np.arange(int(there.sum()))
    return judge({name: _ill(part[there])}, labels[there], rows, baseline=name, seed=seed).metrics[name]["auroc"]


def _ill(health: Floats) -> Floats:
    """Health turned round, 0 to 1: what ranks who leaves above who stays."""
    return 1.0 - health / 100.0
