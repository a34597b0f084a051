"""What one playbook did: of its accounts as they were assigned, whether or not it was carried out (intention to treat)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from features.arrays import Flags, Floats
from training.experiments.arms import Arms
from training.experiments.differences import Difference, difference
from training.experiments.power import accounts_needed

LEAST_AN_ARM = 30
"""Accounts; with fewer the interval of a mean is no longer one."""
Verdict = Literal["works", "harms", "not yet known"]


@dataclass(frozen=True)
class Outcomes:
    """Accounts of one playbook whose horizon has closed, each once, and what became of them, (accounts,) each."""

    arms: Arms
    missed: Floats
    """1 where what the playbook is to avoid happened (a risk), or what it is to bring did not (growth); else 0."""
    revenue: Floats
    """Ordered within the horizon, returns taken off."""
    chance: Floats
    """The probability of `missed` if nobody acts, as it was scored when assigned; NaN where it was not."""
    at_stake: Floats
    """What was expected to be lost, or not to be won, when it was assigned: chance × `unit`."""
    unit: Floats
    """What one account that is kept, or won, is worth."""
    covariates: Floats
    """(accounts, k): known before the assignment; NaN is absent."""
    quadrant: NDArray[np.object_]
    """Where each stood; None where it stood nowhere."""

    def only(self, rows: Flags) -> "Outcomes":
        """These accounts alone."""
        return Outcomes(
            self.arms.only(rows), self.missed[rows], self.revenue[rows], self.chance[rows], self.at_stake[rows], self.unit[rows],
            self.covariates[rows], self.quadrant[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class QuadrantEffect:
    """The accounts of one quadrant."""

    quadrant: str | None
    treatment: int
    control: int
    avoided: Difference | None
    """As `PlaybookEffect.avoided`, of this quadrant's accounts."""
    revenue: Difference | None


@dataclass(frozen=True)
class PlaybookEffect:
    """What a playbook did to those who were assigned to treatment, all of them together."""

    treatment: int
    control: int
    as_even_split: float
    """How many accounts, half of them control, would tell as much."""
    avoided: Difference | None
    """Accounts kept (a risk), or won (growth).

    None, as all that follow, with fewer than 30 accounts in an arm, or where the same became of all of an arm.
    """
    share: Difference | None
    """`avoided` of those of whom it was expected: the effect in the sense of foresail.toml, a share of what is at stake.

    By accounts and not by money: a few large accounts would decide the money alone.
    """
    kept: Difference | None
    """What was kept, or won, of what was at stake, in money."""
    revenue: Difference | None
    """Ordered within the horizon that would else not have been."""
    cost: float
    """Of what was carried out: it is counted, not estimated."""
    quadrants: tuple[QuadrantEffect, ...]

    @property
    def net(self) -> Difference | None:
        """Revenue within the horizon less cost."""
        return self.revenue and self.revenue.times(1.0, self.cost)

    @property
    def kept_net(self) -> Difference | None:
        """What was kept of what was at stake, less cost: what decisions are made by."""
        return self.kept and self.kept.times(1.0, self.cost)

    @property
    def is_harmful(self) -> bool:
        """Whether it loses accounts, or keeps less than it costs, beyond doubt, however often one has looked."""
        return any(
            difference is not None and difference.always.high < 0 for difference in (self.avoided, self.kept_net)
        )

    @property
    def verdict(self) -> Verdict:
        """Not yet known while the interval that is always valid holds 0; it is then below what can be detected, too."""
        if self.is_harmful:
            return "harms"
        return "works" if self.avoided is not None and self.avoided.always.low > 0 else "not yet known"

    def needed(self, share: float) -> float | None:
        """How many accounts, in the same arms, would find so large an effect, a share of what is at stake."""
        if self.share is None:
            return None
        return accounts_needed(share, self.share.once.standard_error, self.treatment + self.control)


def measured(outcomes: Outcomes, cost: float) -> PlaybookEffect:
    """What a playbook did, and what is not known of it. `cost` is that of all that was carried out for these accounts."""
    arms = outcomes.arms
    differences = _differences(outcomes)
    avoided, lost, revenue = (name and name.times(arms.treatment) for name in differences)
    expected = _mean(outcomes.chance)
    share = differences[0].times(1.0 / expected) if differences[0] is not None and expected > 0 else None
    return PlaybookEffect(
        arms.treatment, arms.control, arms.as_even_split if len(arms) else 0.0, avoided, share, lost, revenue, cost,
        tuple(_quadrants(outcomes)),
    )  # fmt: skip


def _mean(chances: Floats) -> float:
    """Of those that were scored; 0 of nobody."""
    scored = chances[~np.isnan(chances)]
    return float(scored.mean()) if len(scored) else 0.0


def _differences(outcomes: Outcomes) -> tuple[Difference | None, Difference | None, Difference | None]:
    """Per account in treatment: accounts kept, money kept of what was at stake, and revenue."""
    arms, known = outcomes.arms, outcomes.covariates
    if min(arms.treatment, arms.control) < LEAST_AN_ARM or not _varies_in_both(outcomes):
        return None, None, None
    stakes = np.column_stack([known, outcomes.at_stake, outcomes.unit])
    avoided = difference(-outcomes.missed, arms, known)
    return (
        avoided,
        difference(-outcomes.missed * outcomes.unit, arms, stakes),
        difference(outcomes.revenue, arms, known),
    )


def _varies_in_both(outcomes: Outcomes) -> bool:
    """Whether each arm has lost somebody and kept somebody: one that has not seems to be known without error."""
    arms = (outcomes.missed[outcomes.arms.treated], outcomes.missed[~outcomes.arms.treated])
    return all(0.0 < float(arm.mean()) < 1.0 for arm in arms)


def _quadrants(outcomes: Outcomes) -> Sequence[QuadrantEffect]:
    """Those that occur, in the order of their names; accounts that stood nowhere last."""
    names = sorted({quadrant for quadrant in outcomes.quadrant if quadrant is not None})
    nowhere = [None] if any(quadrant is None for quadrant in outcomes.quadrant) else []
    return [_quadrant(name, outcomes.only(outcomes.quadrant == name)) for name in (*names, *nowhere)]


def _quadrant(name: str | None, outcomes: Outcomes) -> QuadrantEffect:
    avoided, _, revenue = _differences(outcomes)
    times = outcomes.arms.treatment
    return QuadrantEffect(
        name, times, outcomes.arms.control, avoided and avoided.times(times), revenue and revenue.times(times)
    )
