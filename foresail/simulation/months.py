"""Month after month on a simulated company: decide by what is known, assign by lot, see what comes of it, learn.

The company's life is the recorded one, in which nobody acts; what acting would change is known for each account and month from
simulating its futures with and without it. An action changes the outcome of its own horizon and nothing after.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product
from os import cpu_count

import numpy as np
import pandas as pd

from features.arrays import Array
from foresail.simulation.company import simulate
from foresail.simulation.exports.exports import account_ids
from foresail.simulation.truth import truth
from foresail.simulation.truth.allocation import best
from foresail.simulation.world import projections
from foresail.simulation.world.histories import Histories
from foresail.simulation.world.settings import Settings
from serving.interventions.decide.effects import LearntEffect, effects_of, is_harmful
from serving.interventions.decide.experiments import CONTROL, arms
from serving.interventions.declare.settings import Playbook
from training.experiments import Arms, Outcomes, PlaybookEffect, measured

REST, CLOSES_AFTER = 2, 3
"""Rounds: for which an account is left alone, and after which it is known what became of it."""


@dataclass(frozen=True)
class World:
    """The truth of each round, and what can be known of the accounts then."""

    accounts: Sequence[str]
    playbooks: tuple[str, ...]
    cost: Array
    """(playbooks,)."""
    chance: Array
    """(rounds, accounts): of churn while nobody acts; the score, which is taken to be right."""
    change: Array
    """(rounds, accounts, playbooks): of that chance if the playbook is begun; NaN where it may not be."""
    value: Array
    """(rounds, accounts): ordered in a year."""
    known: Sequence[pd.DataFrame]
    """Of each round what is known of the accounts."""

    @property
    def gain(self) -> Array:
        """(rounds, accounts, playbooks): what acting truly brings, cost taken off."""
        return np.asarray(-self.change * self.value[:, :, None] - self.cost)

    @property
    def at_stake(self) -> Array:
        """(rounds, accounts)."""
        return np.asarray(self.chance * self.value)


def world(settings: Settings) -> World:
    """The truth at each of the settings' moments, in their order."""
    histories, names = simulate(settings), tuple(settings.playbooks)
    with ThreadPoolExecutor(cpu_count() or 1) as pool:  # compiled code lets the others work
        each = pool.map(
            lambda at: _truth_at(settings, histories, *at), zip(histories.states, truth.days_of(settings), strict=True)
        )
        told = list(each)
    chance, change, value = (np.stack([one[place] for one in told]) for place in range(3))
    cost = np.array([one.cost for one in settings.playbooks.values()])
    ids = account_ids(histories.accounts.numbers).to_pylist()
    return World(ids, names, cost, chance, change, value, [one[3] for one in told])


def crowded(true: World, each: int) -> World:
    """A world with so many accounts in the place of each: alike in all that is true of them, with lots and fates of their own."""
    ids = [f"{account}/{number}" for account in true.accounts for number in range(each)]
    chance, change, value = (np.repeat(one, each, axis=1) for one in (true.chance, true.change, true.value))
    known = [one.loc[one.index.repeat(each)].reset_index(drop=True) for one in true.known]
    return replace(true, accounts=ids, chance=chance, change=change, value=value, known=known)


def _truth_at(
    settings: Settings, histories: Histories, states: Array, day: int
) -> tuple[Array, Array, Array, pd.DataFrame]:
    """Chance, change, value and what is known, of a day; accounts that are not active cannot be acted on."""
    effects = projections.effects(settings, histories.accounts, states, projections.course_from(settings, day))
    active = truth.active(settings, states, day)
    change = np.where(active[:, None], effects.churn, np.nan)
    # The same in every column where a playbook may be begun.
    chance = np.max(np.nan_to_num(effects.churn_without), axis=1)
    value = truth.yearly_pace(histories, day)
    return chance, change, value, _known(histories, states, day).assign(chance=chance, value=value)


def _known(histories: Histories, states: Array, day: int) -> pd.DataFrame:
    """What the company's systems hold of each account: nothing of its satisfaction, nor of a rival."""
    made = histories.accounts.made
    named = {name: made[name].astype(float) for name in ("size", "fit", "software", "equipment", "industry")}
    counted = {name: states[name].astype(float) for name in ("champion", "orders", "cases", "contacts")}
    days = {"since_order": day - states["last_order"], "contract_left": states["contract_ends"] - day}
    return pd.DataFrame({**named, **counted, **{name: each.astype(float) for name, each in days.items()}})


@dataclass(frozen=True)
class PlaybookRound:
    """What was known of a playbook before a round."""

    found: PlaybookEffect
    is_stopped: bool
    learner: str


@dataclass(frozen=True)
class Round:
    """One month: what was done, what it truly brings, and what knowing every effect would have brought."""

    number: int
    treated: int
    control: int
    captured: float
    """Truly brought by those acted on, cost taken off."""
    possible: float
    """The same of the allocation that knows every effect: of the same accounts, within the same capacity, with the same control."""
    without_control: float
    """The same if nobody had to be kept as control."""
    playbooks: Mapping[str, PlaybookRound]

    @property
    def share(self) -> float:
        """Captured of what was possible."""
        return self.captured / self.possible


@dataclass
class _Log:
    """Who was assigned when, and what came of it."""

    round: list[int] = field(default_factory=list)
    account: list[int] = field(default_factory=list)
    playbook: list[int] = field(default_factory=list)
    treated: list[bool] = field(default_factory=list)
    missed: list[bool] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """One row per first assignment of an account to a playbook."""
        return pd.DataFrame(vars(self)).drop_duplicates(["account", "playbook"])


def run(
    true: World,
    playbooks: Mapping[str, Playbook],
    capacity: Array,
    *,
    seed: int = 0,
    tell_apart: bool = True,
) -> list[Round]:
    """Every round of a world, decided by assumed effects until experiments speak.

    `capacity` (playbooks,): how many accounts each playbook can be begun with in a round. With `tell_apart` learnt effects may
    be an account's own, where the learners' contest finds that accounts differ.
    """
    rng, log, rounds = np.random.default_rng(seed), _Log(), []
    kept = _kept_as_control(true, playbooks)
    rest = np.zeros(len(true.accounts), dtype=np.int64)
    for number in range(len(true.chance)):
        known = _learn(true, playbooks, log.table(), number, seed, tell_apart)
        free = rest <= number
        expected = _expected(true, playbooks, known, number, free)
        chosen = _chosen(expected, kept, capacity)
        rounds.append(_round(true, kept, capacity, number, free, chosen, known))
        _assign(true, kept, number, chosen, rng, log)
        rest[chosen >= 0] = number + REST
    return rounds


def _kept_as_control(true: World, playbooks: Mapping[str, Playbook]) -> Array:
    """(accounts, playbooks): whom the lot keeps as control."""
    return np.stack(
        [arms(true.accounts, name, playbooks[name].control, 0.0) == CONTROL for name in true.playbooks], axis=1
    )


def _expected(
    true: World, playbooks: Mapping[str, Playbook], known: Mapping[str, tuple[PlaybookRound, LearntEffect | None]], number: int,
    free: Array,
) -> Array:  # fmt: skip
    """(accounts, playbooks): what acting should bring; NaN where it may not be begun."""
    columns = [effects_of(playbooks[name], known[name][1], true.known[number]).mean for name in true.playbooks]
    expected = np.stack(columns, axis=1) * true.at_stake[number][:, None] - true.cost
    stopped = np.array([known[name][0].is_stopped for name in true.playbooks])
    may = ~np.isnan(true.change[number]) & free[:, None] & ~stopped
    return np.where(may, expected, np.nan)


def _chosen(expected: Array, kept: Array, capacity: Array) -> Array:
    """For each account the playbook that it would get, −1 for none; control is chosen like all others and takes no capacity.

    Capacity is widened until as many as it holds are in treatment: whoever is kept as control makes room for the next. A
    stand-in for `serving.interventions.decide.policy` that the exact solution can be had of.
    """
    room = capacity.copy()
    while True:
        chosen = best(expected, room).playbook
        treated = np.bincount(chosen[_in_treatment(chosen, kept)], minlength=len(capacity))
        wanted = np.bincount(chosen[chosen >= 0], minlength=len(capacity))
        more = np.where(wanted >= room, capacity - treated, 0)
        if not (more > 0).any():
            return _within(chosen, expected, kept, capacity)
        room = room + np.maximum(more, 0)


def _within(chosen: Array, expected: Array, kept: Array, capacity: Array) -> Array:
    """The same without those of each playbook's treatment, the least of them, that are beyond its capacity."""
    within, treated = chosen.copy(), _in_treatment(chosen, kept)
    for playbook, most in enumerate(capacity):
        own = np.flatnonzero(treated & (chosen == playbook))
        within[own[np.argsort(-expected[own, playbook], kind="stable")][most:]] = -1
    return within


def _in_treatment(chosen: Array, kept: Array) -> Array:
    return (chosen >= 0) & ~kept[np.arange(len(chosen)), chosen]


def _round(
    true: World, kept: Array, capacity: Array, number: int, free: Array, chosen: Array,
    known: Mapping[str, tuple[PlaybookRound, LearntEffect | None]],
) -> Round:  # fmt: skip
    gain = np.where(free[:, None], true.gain[number], np.nan)
    treated = np.flatnonzero(_in_treatment(chosen, kept))
    captured = float(gain[treated, chosen[treated]].sum())
    possible = best(np.where(kept, np.nan, gain), capacity).net
    return Round(
        number, len(treated), int((chosen >= 0).sum()) - len(treated), captured, possible, best(gain, capacity).net,
        {name: one for name, (one, _) in known.items()},
    )  # fmt: skip


def _assign(true: World, kept: Array, number: int, chosen: Array, rng: np.random.Generator, log: _Log) -> None:
    """Log who was assigned, and draw what comes of it."""
    treated, account = _in_treatment(chosen, kept), np.flatnonzero(chosen >= 0)
    playbook = chosen[account]
    chance = true.chance[number, account] + np.where(treated[account], true.change[number, account, playbook], 0.0)
    log.round += [number] * len(account)
    log.account += account.tolist()
    log.playbook += playbook.tolist()
    log.treated += treated[account].tolist()
    log.missed += (rng.random(len(account)) < chance).tolist()


def _learn(
    true: World, playbooks: Mapping[str, Playbook], log: pd.DataFrame, number: int, seed: int, tell_apart: bool
) -> dict[str, tuple[PlaybookRound, LearntEffect | None]]:
    """What is known of each playbook at a round: from first assignments whose horizon has closed by then."""
    closed = log[log["round"] + CLOSES_AFTER <= number]
    return {
        name: _learn_one(true, playbooks[name], closed[closed["playbook"] == place], name, seed, tell_apart)
        for place, name in enumerate(true.playbooks)
    }


def _learn_one(
    true: World, playbook: Playbook, own: pd.DataFrame, name: str, seed: int, tell_apart: bool
) -> tuple[PlaybookRound, LearntEffect | None]:
    from registry.effect_model import EffectModel
    from training.experiments.learning import learn

    outcomes, features = _experiment(true, playbook, own)
    found = measured(outcomes, playbook.cost * int(own["treated"].sum()))
    learnt = learn(outcomes, found, features if tell_apart else None, seed=seed)
    if learnt is None:
        return PlaybookRound(found, False, "assumed"), None
    effect = LearntEffect(name, str(len(own)), EffectModel(learnt.card.to_json(), learnt.boosters))
    return PlaybookRound(found, is_harmful(effect), learnt.card.learner), effect


def _experiment(true: World, playbook: Playbook, own: pd.DataFrame) -> tuple[Outcomes, pd.DataFrame]:
    """The assignments of a playbook as an experiment, and what was known of their accounts then."""
    at = own["round"].to_numpy(int), own["account"].to_numpy(int)
    chance, value, missed = true.chance[at], true.value[at], own["missed"].to_numpy(float)
    parts = [true.known[number].iloc[at[1][at[0] == number]] for number in np.unique(at[0])]
    features = pd.concat(parts, ignore_index=True) if parts else true.known[0].iloc[:0]
    outcomes = Outcomes(
        Arms(own["treated"].to_numpy(bool), np.full(len(own), playbook.control)), missed, value * (1.0 - missed),
        chance, chance * value, value, np.column_stack([chance, chance * value, value]), np.full(len(own), None, dtype=object),
    )  # fmt: skip
    return outcomes, features


def coverage(true: World, playbooks: Mapping[str, Playbook], repetitions: int, seed: int = 0) -> dict[str, float]:
    """How often the intervals of a playbook's effect held the truth, over new lots and new outcomes.

    Each time every account for which it may be begun in the first round is assigned by lot. `once` and `always` are of the
    accounts kept, `money` and `always_money` of what was kept of what was at stake.
    """
    rng, held = np.random.default_rng(seed), []
    for _, place in product(range(repetitions), range(len(true.playbooks))):
        held.append(_held(true, place, playbooks[true.playbooks[place]].control, rng))
    names = ("once", "always", "money", "always_money")
    return dict(zip(names, np.mean(held, axis=0).tolist(), strict=True))


def _held(true: World, place: int, control: float, rng: np.random.Generator) -> tuple[bool, bool, bool, bool]:
    own = np.flatnonzero(~np.isnan(true.change[0, :, place]))
    chance, change, value = true.chance[0, own], true.change[0, own, place], true.value[0, own]
    treated = rng.random(len(own)) >= control
    missed = (rng.random(len(own)) < chance + change * treated).astype(float)
    outcomes = Outcomes(
        Arms(treated, np.full(len(own), control)), missed, value * (1.0 - missed), chance, chance * value, value,
        np.column_stack([chance, chance * value, value]), np.full(len(own), None, dtype=object),
    )  # fmt: skip
    found = measured(outcomes, 0.0)
    if found.avoided is None or found.kept is None:
        raise ValueError(f"{len(own)} accounts are too few for {true.playbooks[place]}: simulate more")
    kept, money = -change.mean() * found.treatment, float(-(change * value).mean() * found.treatment)
    pairs = ((found.avoided, kept), (found.kept, money))
    held = [(one.once.low < real < one.once.high, one.always.low < real < one.always.high) for one, real in pairs]
    return (*held[0], *held[1])
