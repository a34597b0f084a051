"""What comes next, again and again: the chances of an account from where it stands, and what acting would change.

No order within the horizon is not counted but computed: in every future the account is kept from ordering, and the
chance of that, day by day, is multiplied up. What remains random is only how its state moves meanwhile, so that few
futures tell the probability to the second decimal. In the same way value is the sum of each day's chance of an order
times what an order brings, not of orders drawn. The other chances are counted.
"""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled, compiled_without_memory
from foresail.simulation.world import world
from foresail.simulation.world.accounts import Accounts
from foresail.simulation.world.coefficients import drivers, playbook_table
from foresail.simulation.world.dynamics import EVENT, NO_ONE, NOTHING, STATE, can_be_acted_on, in_situation, live
from foresail.simulation.world.randomness import mixed
from foresail.simulation.world.settings import Settings

_PAIRED = np.uint64(1 << 40)
"""Futures in which somebody acts have a chance of their own, shared by the two of a pair."""


@dataclass(frozen=True)
class Chances:
    """The truth about each account at a moment, (accounts,); NaN for an account that has left or is not there yet."""

    churn: Array
    churn_error: Array
    """Standard error of the mean over the futures; of the counted ones it is √(p(1 − p)/futures)."""
    contraction: Array
    upsell: Array
    cross_sell: Array
    contract_churn: Array
    value: Array
    """Expected value ordered within `value_days`."""
    value_error: Array
    next_order: Array
    """(accounts, 3): days until the next order that 10, 50 and 90 % of the futures do not exceed; inf if fewer order."""


@dataclass(frozen=True)
class Effects:
    """What each playbook would do to each account, (accounts, playbooks); NaN where it may not be begun."""

    churn: Array
    """Change of the probability of churn: below 0 is good."""
    churn_error: Array
    value: Array
    """Change of the expected value ordered within `value_days`."""
    value_error: Array
    churn_without: Array
    """The probability of churn while nobody acts."""


class Course(NamedTuple):
    """All that governs futures besides the account itself."""

    at: int
    horizon: int
    value_days: int
    projections: int
    long_projections: int
    """How many of the futures go on for `value_days`: value and the next order need fewer than what is counted."""
    lookback: int
    rest: int
    days: Array
    """DAY (futures, industries, days)."""
    drivers: Array
    changes: int
    playbooks: Array


QUANTILES = (0.1, 0.5, 0.9)
ROUNDING = 1e-9


def chances(settings: Settings, accounts: Accounts, states: Array, pace: Array, course: Course) -> Chances:
    """The truth as of the moment of a course, from the states at it.

    `pace` is what each account orders in a year: contraction and upsell are measured by it.
    """
    truth = settings.truth
    out = np.full((len(accounts), len(fields(Chances)) + len(QUANTILES) - 1), np.nan)
    expected = pace * truth.horizon_days / 365.0
    bounds = np.stack([(1.0 - truth.contraction) * expected, (1.0 + truth.expansion) * expected], axis=1)
    _all_chances(accounts.keys, accounts.made, states, bounds, course, np.array(QUANTILES), out)
    counted = fields(Chances)[:-1]
    return Chances(**{one.name: out[:, at] for at, one in enumerate(counted)}, next_order=out[:, len(counted) :])


def effects(settings: Settings, accounts: Accounts, states: Array, course: Course) -> Effects:
    """What beginning each playbook at the moment of a course would do, one at a time, while nobody else acts.

    Nobody else: an action that keeps a better one from its turn would else be blamed for that.
    """
    alone = course.playbooks.copy()
    alone["programme"] = NOTHING
    out = np.full((5, len(accounts), len(settings.playbooks)), np.nan)
    _all_effects(
        accounts.keys, accounts.made, states, course._replace(playbooks=alone), settings.truth.futures_of_actions, out
    )
    return Effects(*out)


def course_from(settings: Settings, at: int) -> Course:
    """What all accounts share in the futures that begin with the day `at`."""
    truth = settings.truth
    projections = max(truth.futures, truth.futures_of_actions)
    both, changes = drivers(settings)
    days = world.projected_days(settings, at, max(truth.horizon_days, truth.value_days), projections)
    rest = settings.programme.rest_days
    return Course(
        at, truth.horizon_days, truth.value_days, truth.futures, max(2, truth.futures // 4), truth.lookback_days, rest, days, both, changes,
        playbook_table(settings),
    )  # fmt: skip


@compiled
def _all_chances(
    keys: Array, accounts: Array, states: Array, bounds: Array, course: Course, quantiles: Array, out: Array
) -> None:
    book, place = np.empty(0, dtype=EVENT), np.zeros(2, dtype=np.int64)
    scratch, curve, none = np.empty(1, dtype=STATE), np.empty(course.value_days), np.empty(0)
    projections, long = course.projections, course.long_projections
    for number in range(accounts.shape[0]):
        account = accounts[number]
        if account.first_day >= course.at or states[number].left >= 0:
            continue
        churn, churned, worth, valued, contracted, expanded, crossed, ended = 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0
        curve[:] = 0.0
        for projection in range(projections):
            key, last = mixed(keys[number], projection + 1), course.value_days if projection < long else course.horizon
            state = _begun(course, states[number], scratch)
            _go(
                course,
                projection,
                0,
                course.horizon,
                key,
                account,
                state,
                book,
                place,
                True,
                curve if projection < long else none,
            )
            churn += state.waited
            churned += state.waited**2
            _go(course, projection, course.horizon, last, key, account, state, book, place, True, curve)
            # Who has left stays away: the curve goes on as it was.
            if projection < long and state.left >= 0:
                curve[state.left - course.at :] += state.waited
            state = _begun(course, states[number], scratch)
            _go(course, projection, 0, course.horizon, key, account, state, book, place, False, none)
            contracted += state.spent < bounds[number, 0]
            expanded += state.spent > bounds[number, 1] or state.replaced > 0
            crossed += state.new_category
            ended += state.ended > 0
            if projection < long:
                _go(
                    course, projection, course.horizon, course.value_days, key, account, state, book, place, False, none
                )
                worth += state.expected
                valued += state.expected**2
        out[number, 0], out[number, 1] = churn / projections, _error(churn, churned, projections)
        out[number, 2], out[number, 3] = contracted / projections, expanded / projections
        out[number, 4], out[number, 5] = crossed / projections, ended / projections
        out[number, 6], out[number, 7] = worth / long, _error(worth, valued, long)
        for quantile in range(quantiles.shape[0]):
            out[number, 8 + quantile] = _first_day(curve, long, quantiles[quantile])


@compiled_without_memory
def _first_day(curve: Array, projections: int, share: float) -> Any:
    """The first number of days after which that share of the futures has ordered; infinite if they do not."""
    for day in range(curve.shape[0]):
        if curve[day] <= (1.0 - share) * projections + ROUNDING:
            return day + 1.0
    return np.inf


@compiled_without_memory
def _error(total: float, squares: float, count: int) -> Any:
    """Standard error of a mean."""
    mean = total / count
    return np.sqrt(max(squares / count - mean * mean, 0.0) / (count - 1))


@compiled_without_memory
def _begun(course: Course, stands: Any, scratch: Array) -> Any:
    """A copy of how the account stands, its tallies at zero."""
    scratch[0] = stands
    state, at = scratch[0], course.at
    state.waited, state.expected, state.spent = 1.0, 0.0, 0.0
    state.replaced, state.new_category, state.looked_back_to = 0, 0, at - 1 - course.lookback
    # A contract that was cancelled before ends on its day, whatever comes.
    state.ended = 1 if state.notice == 1 and at <= state.contract_ends < at + course.horizon else 0
    return state


@compiled_without_memory
def _go(
    course: Course, projection: int, first: int, last: int, key: Any, account: Any, state: Any, book: Array, place: Array,
    waiting: bool, curve: Array,
) -> None:  # fmt: skip
    """From `first` days after the moment until before `last` days after it."""
    live(
        course.at + first, course.at + last, key, account, state, course.days[projection], course.at, course.drivers,
        course.changes, course.playbooks, book, place, waiting, curve,
    )  # fmt: skip


@compiled
def _all_effects(keys: Array, accounts: Array, states: Array, course: Course, projections: int, out: Array) -> None:
    scratch = np.empty(1, dtype=STATE)
    before, after = np.empty((2, projections)), np.empty((2, projections))
    book, place, none = np.empty(0, dtype=EVENT), np.zeros(2, dtype=np.int64), np.empty(0)
    for number in range(accounts.shape[0]):
        account, state, known = accounts[number], states[number], False
        if account.first_day >= course.at or state.left >= 0:
            continue
        if not can_be_acted_on(course.at, account, state, course.rest):
            continue
        for playbook in range(course.playbooks.shape[0]):
            if not in_situation(course.playbooks[playbook].situation, course.at, account, state):
                continue
            if not known:
                _act_in_all(course, keys[number], account, state, NO_ONE, scratch, book, place, none, before)
                known = True
            _act_in_all(course, keys[number], account, state, playbook, scratch, book, place, none, after)
            for what in range(2):
                change, squares = 0.0, 0.0
                for projection in range(projections):
                    change += after[what, projection] - before[what, projection]
                    squares += (after[what, projection] - before[what, projection]) ** 2
                out[2 * what, number, playbook] = change / projections
                out[2 * what + 1, number, playbook] = _error(change, squares, projections)
            out[4, number, playbook] = before[0].mean()


@compiled_without_memory
def _act_in_all(
    course: Course, own: Any, account: Any, stands: Any, playbook: int, scratch: Array, book: Array, place: Array,
    none: Array, out: Array,
) -> None:  # fmt: skip
    """Every future with a playbook begun, or with none: the chance of no order, and the value expected, (2, futures)."""
    for projection in range(out.shape[1]):
        key = mixed(own, _PAIRED + np.uint64(projection))
        for waiting in (True, False):
            state = _begun(course, stands, scratch)
            if playbook != NO_ONE:
                state.playbook, state.act_on = playbook, course.at + course.playbooks[playbook].delay
            last = course.horizon if waiting else course.value_days
            _go(course, projection, 0, last, key, account, state, book, place, waiting, none)
            out[0 if waiting else 1, projection] = state.waited if waiting else state.expected
