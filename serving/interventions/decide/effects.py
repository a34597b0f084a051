"""What acting is expected to do to each account: as the company assumes, until its own experiments speak, and then as they say.

Evidence gives way to nothing at once: of n accounts in an experiment the assumption, worth `strength` accounts, keeps the
weight strength/(n + strength). n counts an experiment as one that is split evenly: 900 in treatment and 100 in control tell
as much as 180 and 180.
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
"""An assumption that weighs no more is not mentioned any more."""
CHANCE = "chance"
"""The column of the chance of what the playbook is to avoid."""


@dataclass(frozen=True)
class LearntEffect:
    """What experiments say of one playbook."""

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
        """How many accounts, half of them control, would tell as much."""
        return float(self.model.card["accounts"])

    @property
    def features(self) -> tuple[str, ...]:
        """What must be known of an account to tell its effect from others'; none where all have the average."""
        return self.model.features


@dataclass(frozen=True)
class Effect:
    """The share of what is at stake that acting on each account is expected to keep or win."""

    mean: Floats
    """(accounts,)."""
    sd: float
    """How well the average is known: one standard deviation."""
    source: Source


def effects_of(playbook: Playbook, learnt: LearntEffect | None, table: pd.DataFrame) -> Effect:
    """The effect on the accounts of `table`, one each.

    Where a learnt effect tells accounts apart, the table has its features, and as `chance` the probability of what the
    playbook is to avoid: of a risk its score, of growth 1 − its score. Else only the number of its rows matters.
    """
    prior = playbook.effect
    if learnt is None:
        return Effect(np.full(len(table), prior.prior), abs(prior.prior), "assumed")
    weight = learnt.accounts / (learnt.accounts + prior.strength)
    # Nobody can keep, or win, more than is at stake; trees may say so where hardly anything is.
    said = np.minimum(learnt.model.shares(_matrix(learnt, table), _chance(learnt, table)), 1.0)
    mean = weight * said + (1.0 - weight) * prior.prior
    # An assumption is taken to be as unsure as it is large: there may be nothing in it.
    sd = float(np.hypot(weight * learnt.standard_error, (1.0 - weight) * prior.prior))
    return Effect(mean, sd, "learnt" if 1.0 - weight <= HARDLY else "mixed")


def is_harmful(learnt: LearntEffect | None) -> bool:
    """Whether a playbook is known to lose accounts, or to cost more than it keeps: it must not begin any more."""
    return learnt is not None and bool(learnt.model.card["harmful"])


def _matrix(learnt: LearntEffect, table: pd.DataFrame) -> Floats:
    return np.asarray(table[list(learnt.features)].to_numpy(dtype=np.float64))


def _chance(learnt: LearntEffect, table: pd.DataFrame) -> Floats:
    if not learnt.model.tells_apart:
        return np.zeros(len(table))
    return np.asarray(table[CHANCE].to_numpy(dtype=np.float64))
