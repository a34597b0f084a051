"""The learners against each other and against "everybody has the average effect", each judged on accounts it has not seen.

Policy value: what a learner's policy brings, an account of all. It treats those of whom the learner expects the most, as
many as the budget allows and none that it expects to cost more than it brings. The value is that of the doubly robust scores
of whom it treats: what they gained, not what the learner hoped (Athey & Wager 2021).

With a small budget and accounts of very different worth, policy values are noisy long after it is plain that the treatment
helps some more than others. So that is asked first, of every account alike: whether those ranked high by a learner gained
more than those ranked low. It is the rank-weighted average treatment effect with Qini's weights (RATE: Yadlowsky, Fleming,
Shah, Brunskill & Wager, "Evaluating treatment prioritization rules via rank-weighted average treatment effects", 2021). If
nothing shows it, everybody has the average effect; else the simplest learner within noise of the highest policy value is chosen.
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
        effects = forecasts(learner, nuisances)
        gained = policy_gains(nuisances, effects, budget)
        rival = contenders[0].gained if contenders else gained
        account, quality = nuisances.trial.account, rank_quality(nuisances.trial, effects, nuisances.fold, seed)
        advance, rate = mean_of(gained - rival, account), mean_of(rank_gains(nuisances, effects), account)
        contenders.append(Contender(learner, effects, gained, mean_of(gained, account), advance, rate, quality))
    return tuple(contenders)


def able(nuisances: Nuisances, names: Sequence[str]) -> tuple[Learner, ...]:
    """Those named and the constant effect; with fewer than 300 accounts in an arm that alone."""
    trial = nuisances.trial
    smaller = min(trial.accounts_in(arm) for arm in (trial.treated, ~trial.treated))
    wanted = {CONSTANT, *names} if smaller >= LEARNER_NEEDS else {CONSTANT}
    return tuple(one for one in LEARNERS if one.name in wanted)


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


def rank_gains(nuisances: Nuisances, effects: Floats) -> Floats:
    """The score of each row, in the better direction, times half less the share of rows ranked before it."""
    trial = nuisances.trial
    middle = Standing.of(trial.sign * effects, nuisances.fold).middle
    return (0.5 - middle) * trial.sign * nuisances.scores_without(frozenset())


def choose(contenders: Sequence[Contender], account: Codes) -> Choice:
    """The constant effect unless some learner's ranking says something; else the simplest within noise of the best policy."""
    telling = max(contenders, key=lambda one: one.rate.value)
    if telling.rate.low <= 0:
        return Choice(CONSTANT, _alike(contenders, telling))
    best = max(contenders, key=lambda one: one.policy_value.value)
    for one in (one for one in contenders if one.name != CONSTANT):
        short = mean_of(best.gained - one.gained, account)
        if one is best or short.low <= 0:
            return Choice(one.name, _apart(telling, one, best, short))
    return Choice(CONSTANT, f"{_differ(telling)}, but acting on it brings less than the average effect does")


def _alike(contenders: Sequence[Contender], telling: Contender) -> str:
    if len(contenders) == 1:
        return f"{CONSTANT} alone was in the contest: {LEARNER_NEEDS} accounts in each arm are needed to tell who gains more"
    return (
        f"nothing shows that the treatment helps some more than others, so everybody has the average effect: ranked by "
        f"{telling.name} the rank-weighted effect is {telling.rate}"
    )


def _apart(telling: Contender, one: Contender, best: Contender, short: Estimate) -> str:
    value = f"policy value {one.policy_value.value:.4g}"
    if one is best:
        return f"{_differ(telling)}; {one.name} has the highest {value}, and nothing simpler comes near it"
    return (
        f"{_differ(telling)}; {one.name} is the simplest within noise of {best.name}: {value} against "
        f"{best.policy_value.value:.4g}, difference between {short.low:+.4g} and {short.high:+.4g}"
    )


def _differ(telling: Contender) -> str:
    return f"the treatment helps some more than others (rank-weighted effect by {telling.name}: {telling.rate})"
