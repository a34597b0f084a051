"""The learners against each other and against "everybody has the average effect", each judged on accounts it has not seen.

Policy value: what a learner's policy brings, an account of all. It treats those of whom the learner expects the most, as
many as the budget allows and none that it expects to cost more than it brings. The value is that of the doubly robust scores
of whom it treats: what they gained, not what the learner hoped (Athey & Wager 2021).

With a small budget and accounts of very different worth, policy values are noisy long after it is plain that the treatment
helps some more than others. So that is asked first, of every account alike: whether those ranked high by a learner gained
more than those ranked low. It is the rank-weighted average treatment effect with Qini's weights (RATE: Yadlowsky, Fleming,
Shah, Brunskill & Wager, "Evaluating treatment prioritization rules via rank-weighted average treatment effects", 2021). If
nothing shows it, everybody has the average effect. Else the learner with the highest policy value is chosen, or, where others are
within noise of it, the mean of them all: the simplest of equals would be a draw among forecasts of which each errs in
its own way, and their mean errs less (`benchmarks/uplift.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features.arrays import Floats
from training.models.choice import Choice
from training.uplift.average import Estimate, mean_of
from training.uplift.curves import RankPosition, RankQuality, rank_quality
from training.uplift.learners import CONSTANT, LEARNERS, Learner, Mean
from training.uplift.nuisances import Nuisances
from training.uplift.trial import Codes

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
    rate: Estimate
    """Rank-weighted effect, in units of the outcome in the better direction: 0 if its ranking says nothing."""
    quality: RankQuality

    @property
    def name(self) -> str:
        return self.learner.name


def compete(nuisances: Nuisances, budget: float | None, names: Sequence[str], seed: int) -> tuple[Contender, ...]:
    """Every learner of these names that the sample can carry, the simplest first; the constant effect always."""
    contenders: list[Contender] = []
    for learner in able(nuisances, names):
        contenders.append(_judged(learner, forecasts(learner, nuisances), nuisances, budget, contenders, seed))
    alike = within_noise(contenders, nuisances.trial.account)
    if len(alike) > 1:
        together = Mean(tuple(one.learner for one in alike))
        effects = np.asarray(np.mean([one.effects for one in alike], axis=0))
        contenders.append(_judged(together, effects, nuisances, budget, contenders, seed))
    return tuple(contenders)


def _judged(
    learner: Learner,
    effects: Floats,
    nuisances: Nuisances,
    budget: float | None,
    others: Sequence[Contender],
    seed: int,
) -> Contender:
    gained = policy_gains(nuisances, effects, budget)
    rival = others[0].gained if others else gained
    account, quality = nuisances.trial.account, rank_quality(nuisances.trial, effects, nuisances.fold, seed)
    advance, rate = mean_of(gained - rival, account), mean_of(rank_gains(nuisances, effects), account)
    return Contender(learner, effects, gained, mean_of(gained, account), advance, rate, quality)


def within_noise(contenders: Sequence[Contender], account: Codes) -> list[Contender]:
    """The learners whose policy value is not below the highest one's beyond noise, the constant effect aside."""
    able_to_tell = [contender for contender in contenders if contender.name != CONSTANT]
    if not able_to_tell:
        return []
    best = max(able_to_tell, key=lambda contender: contender.policy_value.value)
    return [
        contender
        for contender in able_to_tell
        if contender is best or mean_of(best.gained - contender.gained, account).low <= 0
    ]


def able(nuisances: Nuisances, names: Sequence[str]) -> tuple[Learner, ...]:
    """Those named and the constant effect; with fewer than 300 accounts in an arm that alone."""
    trial = nuisances.trial
    smaller = min(trial.accounts_in(arm) for arm in (trial.treated, ~trial.treated))
    wanted = {CONSTANT, *names} if smaller >= LEARNER_NEEDS else {CONSTANT}
    return tuple(learner for learner in LEARNERS if learner.name in wanted)


def forecasts(learner: Learner, nuisances: Nuisances) -> Floats:
    """The effect of each row, by a model that has not seen its fold."""
    effects = np.empty(len(nuisances.trial))
    for number in nuisances.folds:
        held_out = nuisances.fold == number
        effects[held_out] = learner.fit(nuisances, frozenset({number})).effects(nuisances.trial.matrix[held_out])
    return effects


def policy_gains(nuisances: Nuisances, effects: Floats, budget: float | None) -> Floats:
    """What a policy by these forecasts brings by treating each row; 0 for a row that it does not treat."""
    trial = nuisances.trial
    expected = trial.net(effects)
    treated = RankPosition.of(expected, nuisances.fold).treated(budget) * (expected > 0)
    return treated * trial.net(nuisances.scores_without(frozenset()))


def rank_gains(nuisances: Nuisances, effects: Floats) -> Floats:
    """The score of each row, in the better direction, times half less the share of rows ranked before it."""
    trial = nuisances.trial
    middle = RankPosition.of(trial.sign * effects, nuisances.fold).middle
    return (0.5 - middle) * trial.sign * nuisances.scores_without(frozenset())


def choose(contenders: Sequence[Contender], account: Codes) -> Choice:
    """The constant effect unless some learner's ranking says something; else the best policy, or the mean of its equals."""
    telling = max(contenders, key=lambda contender: contender.rate.value)
    if telling.rate.low <= 0:
        return Choice(CONSTANT, _alike(contenders, telling))
    best = max(contenders, key=lambda contender: contender.policy_value.value)
    if best.name == CONSTANT and all(
        mean_of(best.gained - contender.gained, account).low > 0 for contender in contenders[1:]
    ):
        return Choice(CONSTANT, f"{_differ(telling)}, but acting on it brings less than the average effect does")
    last = contenders[-1]
    chosen = (
        last
        if isinstance(last.learner, Mean)
        else max(contenders[1:], key=lambda contender: contender.policy_value.value)
    )
    return Choice(chosen.name, _apart(telling, chosen))


def _alike(contenders: Sequence[Contender], telling: Contender) -> str:
    if len(contenders) == 1:
        return f"{CONSTANT} is the only candidate: {LEARNER_NEEDS} accounts in each arm are needed to tell which accounts gain more"
    return (
        f"nothing shows that the treatment helps some more than others, so everybody has the average effect: ranked by "
        f"{telling.name} the rank-weighted effect is {telling.rate}"
    )


def _apart(telling: Contender, chosen: Contender) -> str:
    value = f"policy value {chosen.policy_value.value:.4g}"
    if isinstance(chosen.learner, Mean):
        return f"{_differ(telling)}; the sample cannot tell between these learners, so their mean serves: {value}"
    return f"{_differ(telling)}; {chosen.name} has the highest {value}, and nothing else comes near it"


def _differ(telling: Contender) -> str:
    return f"the treatment helps some more than others (rank-weighted effect by {telling.name}: {telling.rate})"
