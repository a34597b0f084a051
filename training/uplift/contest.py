"""The learners against each other and against "everybody has the average effect", each judged on accounts it has not seen.

Policy value: what a learner's policy brings, an account of all. It treats those of whom the learner expects the most, as
many as the budget allows and none that it expects to cost more than it brings. The value is that of the doubly robust scores
of whom it treats: what they gained, not what the learner hoped (Athey & Wager 2021).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training.choice import Choice
from training.metrics import Floats
from training.uplift.average import Estimate, mean_of
from training.uplift.curves import RankQuality, Standing, rank_quality
from training.uplift.learners import CONSTANT, LEARNERS, Learner
from training.uplift.nuisances import Nuisances

LEARNER_NEEDS = 300
"""Accounts an arm: below, a difference between accounts cannot be told from chance, and only the average is learnt."""


@dataclass(frozen=True)
class Contender:
    """A learner's forecasts of accounts that it has not seen, and what acting on them brings."""

    learner: Learner
    effects: Floats
    """Out of fold, in units of the outcome."""
    gained: Floats
    """What its policy brings by treating each row, by the doubly robust scores."""
    policy_value: Estimate
    over_constant: Estimate
    """Its policy value less that of the constant effect, in pairs."""
    quality: RankQuality

    @property
    def name(self) -> str:
        return self.learner.name


def compete(nuisances: Nuisances, budget: float | None, seed: int) -> tuple[Contender, ...]:
    """Every learner that the sample can carry, the simplest first."""
    contenders: list[Contender] = []
    for learner in able(nuisances):
        effects = forecasts(learner, nuisances)
        gained = policy_gains(nuisances, effects, budget)
        rival = contenders[0].gained if contenders else gained
        account = nuisances.trial.account
        quality = rank_quality(nuisances.trial, effects, nuisances.fold, seed)
        contenders.append(
            Contender(
                learner, effects, gained, mean_of(gained, account), mean_of(gained - rival, account), quality
            )
        )
    return tuple(contenders)


def able(nuisances: Nuisances) -> tuple[Learner, ...]:
    """All learners, or with fewer than 300 accounts in an arm the constant effect alone."""
    trial = nuisances.trial
    smaller = min(trial.accounts_in(arm) for arm in (trial.treated, ~trial.treated))
    return LEARNERS if smaller >= LEARNER_NEEDS else tuple(one for one in LEARNERS if one.name == CONSTANT)


def forecasts(learner: Learner, nuisances: Nuisances) -> Floats:
    """The effect of each row, by a model that has not seen its fold."""
    effects = np.empty(len(nuisances.trial))
    for number in nuisances.folds:
        own = nuisances.fold == number
        effects[own] = learner.fit(nuisances, frozenset({number})).effects(nuisances.trial.matrix[own])
    return effects


def policy_gains(nuisances: Nuisances, effects: Floats, budget: float | None) -> Floats:
    """What the policy of such forecasts brings by treating each row; 0 for whom it does not treat."""
    trial = nuisances.trial
    expected = trial.net(effects)
    treated = Standing.of(expected, nuisances.fold).treated(budget) * (expected > 0)
    return treated * trial.net(nuisances.scores_without(frozenset()))


def choose(contenders: Sequence[Contender], account: Floats) -> Choice:
    """The simplest whose policy value is not distinguishably below the best one's: as everywhere among models."""
    best = max(contenders, key=lambda one: one.policy_value.value)
    for one in contenders:
        short = mean_of(best.gained - one.gained, account)
        if one is best:
            return Choice(one.name, _is_best(one, contenders))
        if short.low <= 0:
            return Choice(one.name, _is_good_enough(one, best, short))
    raise ValueError("there is nothing to choose from: give one learner at least")


def _is_best(one: Contender, contenders: Sequence[Contender]) -> str:
    if len(contenders) == 1:
        return f"{one.name}: fewer than {LEARNER_NEEDS} accounts in an arm cannot tell whom the treatment helps more"
    rest = "and is the simplest" if one is contenders[0] else "and nothing simpler comes near it"
    return f"{one.name} has the highest policy value ({one.policy_value.value:.4g}), {rest}"


def _is_good_enough(one: Contender, best: Contender, short: Estimate) -> str:
    said = "nothing shows that the treatment helps some more than others: " if one.name == CONSTANT else ""
    return (
        f"{said}{one.name} is within noise of {best.name}: policy value {one.policy_value.value:.4g} against "
        f"{best.policy_value.value:.4g}, difference between {short.low:+.4g} and {short.high:+.4g}"
    )
