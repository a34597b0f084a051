"""The expected effect of a playbook on each account: the company's assumption, replaced step by step by its own experiments.

Of n accounts in an experiment the assumption, worth `strength` accounts, keeps the weight strength/(n + strength). n counts
an experiment as if it were split evenly: 900 in treatment and 100 in control tell as much as 180 and 180.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from features.arrays import Floats
from registry.loader import EffectModel
from serving.interventions.declare.settings import Playbook

Source = Literal["assumed", "mixed", "learnt"]
HARDLY = 0.1
"""An assumption of at most this weight is not mentioned."""
CHANCE = "chance"
"""The column with the probability of the outcome that the playbook should avoid."""


@dataclass(frozen=True)
class LearntEffect:
    """The result of the experiments of one playbook."""

    playbook: str
    version: str
    model: EffectModel

    @property
    def average(self) -> float:
        """The share of what is at stake that acting keeps or wins."""
        return float(self.model.card["share"])

    @property
    def standard_error(self) -> float:
        """Of the average."""
        return float(self.model.card["standard_error"])

    @property
    def accounts(self) -> float:
        """The number of accounts, half of them control, that would tell as much."""
        return float(self.model.card["accounts"])

    @property
    def features(self) -> tuple[str, ...]:
        """The features that the effect depends on; none where all accounts have the average."""
        return self.model.features


@dataclass(frozen=True)
class Effect:
    """The share of what is at stake that acting on each account is expected to keep or win."""

    mean: Floats
    """(accounts,)."""
    sd: float
    """One standard deviation of the average."""
    source: Source


def effects_of(playbook: Playbook, learnt: LearntEffect | None, table: pd.DataFrame) -> Effect:
    """The effect on the accounts of `table`, one each.

    Where a learnt effect differs between accounts, the table has its features, and as `chance` the probability of the
    outcome that the playbook should avoid: of a risk its score, of growth 1 − its score. Else only the number of its rows matters.
    """
    prior = playbook.effect
    if learnt is None:
        return Effect(np.full(len(table), prior.prior), abs(prior.prior), "assumed")
    weight = learnt.accounts / (learnt.accounts + prior.strength)
    # Nobody can keep, or win, more than is at stake; trees may say so where hardly anything is.
    learnt_share = np.minimum(learnt.model.shares(_matrix(learnt, table), _chance(learnt, table)), 1.0)
    mean = weight * learnt_share + (1.0 - weight) * prior.prior
    # The standard deviation of an assumption is its own size: the true effect may be 0.
    sd = float(np.hypot(weight * learnt.standard_error, (1.0 - weight) * prior.prior))
    return Effect(mean, sd, "learnt" if 1.0 - weight <= HARDLY else "mixed")


def is_harmful(learnt: LearntEffect | None) -> bool:
    """Whether a playbook is known to lose accounts, or to cost more than it keeps: no new intervention of it may begin."""
    return learnt is not None and bool(learnt.model.card["harmful"])


def _matrix(learnt: LearntEffect, table: pd.DataFrame) -> Floats:
    return np.asarray(table[list(learnt.features)].to_numpy(dtype=np.float64))


def _chance(learnt: LearntEffect, table: pd.DataFrame) -> Floats:
    if not learnt.model.tells_apart:
        return np.zeros(len(table))
    return np.asarray(table[CHANCE].to_numpy(dtype=np.float64))
