"""The most value within capacities and a budget: prices for both, and how far from the best possible it can be at most.

Lagrangian relaxation (Fisher 1981): with a price on money each account wants what brings most above it, and what is left
is an assignment, which `serving.interventions.decide.optimizer` solves exactly. The price is found where the tangents of the
dual function meet (Handler and Zang 1980), its value is a bound that no allocation can pass. Between the cheapest that
costs too much and the dearest that does not, accounts change over one by one, in the order of their hash, until the budget
is spent; what is left of it goes to what it still suffices for.

Money is counted in whole numbers as fine as 60 bits allow while the assignment is sought, and sums are exact
(`math.fsum`): nothing depends on the order of rows.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled, compiled_without_memory
from serving.interventions.decide.optimizer import optimize

_BITS = 60
_NOBODY = np.iinfo(np.int64).min // 4
"""Where nobody can move: less than any sum of gains makes up for."""
_MANY, _ONE_IN, _NEAR = 100_000, 16, 0.03
"""Of so many accounts one in so many tells the price of money, about to this share of it."""
_CLOSE = 1e-6
"""Share of the dual value by which it may still fall when the search for the price ends."""
_BESIDE = 1e-9
"""How far beside the price of money, as a share of it, both sides of it are looked at."""
_GOOD = 1e-5
"""A gap at which it does not matter how the rest of the budget is spent."""
_STEPS = 100
"""Tangents halve the interval at least; more steps than a float has bits cannot help."""


class Rows(NamedTuple):
    """What may be chosen, account after account, within an account in the order of the hashes.

    `row` is where each stood before; `rank` (accounts,) numbers the accounts by their least hash.
    """

    offsets: Array
    row: Array
    resource: Array
    net: Array
    cost: Array
    rank: Array


class Within(NamedTuple):
    """Capacities, −1 for what is never scarce, and a budget, which may be infinite."""

    capacity: Array
    budget: float

    def dual(self, solved: "_Solved") -> float:
        """The value of the dual function at the solution's prices."""
        money = solved.pricing.high
        return solved.net + (money * (self.budget - solved.cost) if money else 0.0)


@dataclass(frozen=True)
class Allocation:
    """Of each account its row among `Rows` or −1, and the prices at which that is the best there is."""

    chosen: Array
    bound: float
    price: Array
    """Of each resource: what its last place brings, the value lost without it; 0 where a place is left or there is none."""
    one_more: Array
    """Of each resource: what one more place would bring, the value gained with it."""
    money: float
    """What one more unit of money would bring."""


class _Pricing(NamedTuple):
    """The price of money: `low` for the accounts of a rank below `turn`, `high` for the others."""

    low: float
    high: float
    turn: int


@dataclass(frozen=True)
class _Solved:
    """The best at a price of money: of each account its row, the price of each resource, and what that comes to."""

    pricing: _Pricing
    chosen: Array
    price: Array
    net: float
    cost: float


@dataclass(frozen=True)
class _Bracket:
    """A solution that is too dear, one that is not, and of all that were tried the one of the least dual value."""

    low: _Solved
    high: _Solved
    best: _Solved

    def meeting(self, budget: float) -> tuple[float, float]:
        """The price at which both have the same dual value, and that value: the dual function has none below it."""
        money = (self.low.net - self.high.net) / (self.low.cost - self.high.cost)
        return money, self.low.net + money * (budget - self.low.cost)

    def with_one_more(self, tried: _Solved, within: Within) -> "_Bracket":
        low, high = (tried, self.high) if tried.cost > within.budget else (self.low, tried)
        return _Bracket(low, high, min(self.best, tried, key=within.dual))


def lay_out(account: Array, resource: Array, net: Array, cost: Array, tie: Array, may: Array) -> Rows:
    """The rows that `may` be chosen, put in order. account (rows,): codes from 0 on; tie (rows,): hashes."""
    accounts = int(account.max(initial=-1)) + 1
    offsets = np.concatenate([[0], np.bincount(account[may], minlength=accounts).cumsum()])
    row = np.empty(offsets[-1], dtype=np.int64)
    _put_in_order(account, may, offsets[:-1].copy(), row)
    _order_by_hash(offsets, tie, row)
    return Rows(offsets, row, resource[row], net[row], cost[row], _ranks(offsets, tie, row))


def _ranks(offsets: Array, tie: Array, row: Array) -> Array:
    first = np.full(len(offsets) - 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    some = offsets[1:] > offsets[:-1]
    first[some] = tie[row[offsets[:-1][some]]]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first))
    return rank


def allocate(rows: Rows, within: Within) -> Allocation:
    """The allocation of the most net value; of what is bound by no budget, the best there is."""
    free = _solve(rows, within, _uniform(0.0))
    if free.cost <= within.budget:
        return _allocation(rows, within, free, free.chosen)
    found = _priced(rows, within, free)
    return _allocation(rows, within, found.best, _spend(rows, within, found))


def _allocation(rows: Rows, within: Within, priced: _Solved, chosen: Array) -> Allocation:
    money = priced.pricing.high
    bound = _bound(rows, within, priced.price, money)
    return Allocation(chosen, bound, priced.price, _one_more(rows, within, priced), money)


def _bound(rows: Rows, within: Within, price: Array, money: float) -> float:
    """The value of the dual function at these prices: Fisher (1981), equation 2. It holds whatever the prices are."""
    above = np.zeros(len(rows.offsets) - 1)
    _most_above(rows, np.where(within.capacity == 0, math.inf, price), money, above)
    spent = money * within.budget if money else 0.0
    return math.fsum([*above[above > 0], *(price * np.maximum(within.capacity, 0)), spent])


def _priced(rows: Rows, within: Within, free: _Solved) -> _Bracket:
    """Solutions on both sides of the price of money, close together.

    Each solution is a line above which the dual function lies; the next price is where two of them meet.
    """
    found = _first(rows, within, free)
    for _ in range(_STEPS):
        money, least = found.meeting(within.budget)
        found = found.with_one_more(_solve(rows, within, _uniform(money)), within)
        dual = within.dual(found.best)
        if dual - least <= _CLOSE * abs(dual):
            break
    for beside in (1 - _BESIDE, 1 + _BESIDE):
        found = found.with_one_more(_solve(rows, within, _uniform(found.best.pricing.high * beside)), within)
    return found


def _first(rows: Rows, within: Within, free: _Solved) -> _Bracket:
    """From where money costs nothing to where it buys nothing; of many accounts, around the price that some of them have."""
    dearest = _solve(rows, within, _uniform(_dearest(rows)))
    found = _Bracket(free, dearest, min(free, dearest, key=within.dual))
    if len(rows.rank) < _MANY:
        return found
    some, share = _sample(rows), Within(_sampled(within.capacity), within.budget / _ONE_IN)
    guess = _money(some, share)
    for beside in (1 - _NEAR, 1 + _NEAR):
        found = found.with_one_more(_solve(rows, within, _uniform(guess * beside)), within)
    return found


def _money(rows: Rows, within: Within) -> float:
    free = _solve(rows, within, _uniform(0.0))
    return 0.0 if free.cost <= within.budget else _priced(rows, within, free).best.pricing.high


def _sample(rows: Rows) -> Rows:
    """The rows of every n-th account, by hash."""
    picked = rows.rank % _ONE_IN == 0
    each = np.diff(rows.offsets)
    of_them = np.repeat(picked, each)
    offsets = np.concatenate([[0], each[picked].cumsum()])
    row, resource, net, cost = (column[of_them] for column in (rows.row, rows.resource, rows.net, rows.cost))
    return Rows(offsets, row, resource, net, cost, rows.rank[picked] // _ONE_IN)


def _sampled(capacity: Array) -> Array:
    return np.where(capacity > 0, np.round(capacity / _ONE_IN), capacity).astype(np.int64)


def _dearest(rows: Rows) -> float:
    """A price of money at which nothing pays that costs any."""
    costs = rows.cost > 0
    return 2.0 * float((rows.net[costs] / rows.cost[costs]).max(initial=0.0))


def _uniform(money: float) -> _Pricing:
    return _Pricing(money, money, 0)


def _spend(rows: Rows, within: Within, found: _Bracket) -> Array:
    """Let accounts change over from the dear solution's price to the other's, as many as the budget allows."""
    low, high = found.low, found.high
    fewest, most = 0, len(rows.rank)
    best = _fill(rows, within, high)
    while most - fewest > 1 and _total(rows.net, best) < (1 - _GOOD) * within.dual(found.best):
        turn = _between(fewest, most, (within.budget - high.cost) / (low.cost - high.cost))
        tried = _solve(rows, within, _Pricing(found.low.pricing.low, found.high.pricing.high, turn))
        if tried.cost > within.budget:
            most, low = turn, tried
        else:
            fewest, high = turn, tried
            best = max(best, _fill(rows, within, tried), key=lambda chosen: _total(rows.net, chosen))
    return best


def _between(fewest: int, most: int, share: float) -> int:
    """A number between both, about so far from the first; in the tenths at the ends a tenth, so that each step gains one."""
    return min(max(fewest + round((most - fewest) * min(max(share, 0.1), 0.9)), fewest + 1), most - 1)


def _total(amounts: Array, chosen: Array) -> float:
    return math.fsum(amounts[chosen[chosen >= 0]])


def _solve(rows: Rows, within: Within, pricing: _Pricing) -> _Solved:
    """The best allocation at a price of money, whatever it costs."""
    valued = _value(rows, within, pricing)
    order, offsets, kept = _worth_asking(rows, within, valued)
    scarce = np.flatnonzero(within.capacity > 0)
    number = np.full(len(within.capacity), -1, dtype=np.int64)
    number[scarce] = np.arange(len(scarce))
    found = optimize(offsets, number[rows.resource[kept]], valued.above[kept], within.capacity[scarce])
    chosen = valued.otherwise.copy()
    seated = found.row >= 0
    chosen[order[seated]] = kept[found.row[seated]]
    price = np.zeros(len(within.capacity))
    price[scarce] = found.price * valued.unit
    return _Solved(pricing, chosen, price, _total(rows.net, chosen), _total(rows.cost, chosen))


class _Valued(NamedTuple):
    """In whole units of money: how far each row of a scarce resource is above what its account has otherwise, (rows,).

    `otherwise` (accounts,) is the row of that: the best one that uses nothing scarce, or −1.
    """

    above: Array
    otherwise: Array
    unit: float


def _value(rows: Rows, within: Within, pricing: _Pricing) -> _Valued:
    above = np.zeros(len(rows.net), dtype=np.int64)
    otherwise = np.full(len(rows.rank), -1, dtype=np.int64)
    # A power of two, so that scaling rounds nothing: all accounts' best together stay below 2 ** _BITS.
    total = float(np.maximum(rows.net, 0).sum())
    unit = 2.0 ** (math.frexp(total)[1] - _BITS)
    _value_above(rows, within.capacity, pricing, 1.0 / unit, above, otherwise)
    return _Valued(above, otherwise, unit)


def _worth_asking(rows: Rows, within: Within, valued: _Valued) -> tuple[Array, Array, Array]:
    """The accounts that may get a scarce place, the most valuable first; where the rows of each begin; the rows.

    Of each resource no more than the best n, n being all scarce places together: had an account beyond them a place, one
    of those n had none, and would bring more.
    """
    places = int(np.maximum(within.capacity, 0).sum())
    least = np.where(within.capacity > 0, 1, np.iinfo(np.int64).max)
    many = _how_many(rows.resource, valued.above, len(within.capacity)) > places
    for resource in np.flatnonzero(many & (within.capacity > 0)):
        values = valued.above[rows.resource == resource]
        least[resource] = max(np.partition(values, len(values) - places)[len(values) - places], 1)
    most = np.zeros(len(rows.rank), dtype=np.int64)
    _most_of_each(rows, valued.above, least, most)
    some = np.flatnonzero(most)
    order = some[np.lexsort((rows.rank[some], -most[some]))]
    offsets = np.zeros(len(order) + 1, dtype=np.int64)
    kept = np.empty(_count_kept(rows, valued.above, least, order, offsets), dtype=np.int64)
    _keep(rows, valued.above, least, order, kept)
    return order, offsets, kept


def _fill(rows: Rows, within: Within, solved: _Solved) -> Array:
    """The solution, improved with what is left of the budget: one account after the other, the largest gain first."""
    gain = np.zeros(len(rows.net))
    left = within.budget - solved.cost
    chosen = solved.chosen.copy()
    free = _free(rows, within, chosen)
    _gains(rows, chosen, left, free, gain)
    some = np.flatnonzero(gain > 0)
    account = np.searchsorted(rows.offsets, some, side="right") - 1
    order = np.lexsort((some - rows.offsets[account], rows.rank[account], -gain[some]))
    _take_gains(rows, some[order], account[order], left, free, chosen)
    return chosen


def _free(rows: Rows, within: Within, chosen: Array) -> Array:
    """What is left of each capacity; of what is never scarce more than anybody can use."""
    used = np.bincount(rows.resource[chosen[chosen >= 0]], minlength=len(within.capacity))
    return np.where(within.capacity < 0, len(rows.net) + 1, within.capacity - used)


def _one_more(rows: Rows, within: Within, priced: _Solved) -> Array:
    """What one more place would bring in each resource, at the solution's price of money.

    Somebody moves there, somebody else takes the place that falls free, and so on: the longest path of such gains.
    """
    valued = _value(rows, within, priced.pricing)
    resources = len(within.capacity)
    gains = np.full((resources + 1, resources), _NOBODY, dtype=np.int64)
    _gains_of_moving(rows, valued.above, priced.chosen, within.capacity, gains)
    brings = np.zeros(resources, dtype=np.int64)
    for _ in range(resources):
        more = np.maximum(brings, (gains + np.append(brings, 0)[:, None]).max(axis=0))
        if (more == brings).all():
            break
        brings = more
    return brings * valued.unit


@compiled_without_memory
def _put_in_order(account: Array, may: Array, at: Array, row: Array) -> None:
    """Write the rows account after account; `at` is where the next one of each goes."""
    for one in range(account.shape[0]):
        if may[one]:
            row[at[account[one]]] = one
            at[account[one]] += 1


@compiled_without_memory
def _order_by_hash(offsets: Array, tie: Array, row: Array) -> None:
    """By insertion: an account has few rows."""
    for account in range(offsets.shape[0] - 1):
        for one in range(offsets[account] + 1, offsets[account + 1]):
            moving, to = row[one], one
            while to > offsets[account] and tie[row[to - 1]] > tie[moving]:
                row[to] = row[to - 1]
                to -= 1
            row[to] = moving


@compiled_without_memory
def _most_above(rows: Rows, price: Array, money: float, above: Array) -> None:
    """Of each account how far its best row is above the prices; 0 if none is."""
    for account in range(above.shape[0]):
        for row in range(rows.offsets[account], rows.offsets[account + 1]):
            one = rows.net[row] - price[rows.resource[row]] - money * rows.cost[row]
            above[account] = max(above[account], one)


@compiled_without_memory
def _value_above(
    rows: Rows, capacity: Array, pricing: _Pricing, scale: float, above: Array, otherwise: Array
) -> None:  # fmt: skip
    """Write `_Valued`."""
    for account in range(otherwise.shape[0]):
        first, last = rows.offsets[account], rows.offsets[account + 1]
        money = pricing.low if rows.rank[account] < pricing.turn else pricing.high
        best = 0
        for row in range(first, last):
            above[row] = int(max(0.0, (rows.net[row] - money * rows.cost[row]) * scale))
            if capacity[rows.resource[row]] < 0 and above[row] > best:
                best, otherwise[account] = above[row], row
        for row in range(first, last):
            above[row] = max(0, above[row] - best) if capacity[rows.resource[row]] >= 0 else 0
            _keep_the_better(rows.resource, first, row, above)


@compiled_without_memory
def _keep_the_better(resource: Array, first: int, row: int, above: Array) -> None:
    """Of two rows of an account that use the same resource the lesser is worth nothing; of equal ones the later."""
    for other in range(first, row):
        if resource[other] == resource[row]:
            lesser = other if above[other] < above[row] else row
            above[lesser] = 0


@compiled
def _how_many(resource: Array, above: Array, resources: int) -> Array:
    """Of each resource the rows that are worth something."""
    count = np.zeros(resources, dtype=np.int64)
    for row in range(resource.shape[0]):
        count[resource[row]] += above[row] > 0
    return count


@compiled_without_memory
def _most_of_each(rows: Rows, above: Array, least: Array, most: Array) -> None:
    for account in range(most.shape[0]):
        for row in range(rows.offsets[account], rows.offsets[account + 1]):
            if above[row] >= least[rows.resource[row]]:
                most[account] = max(most[account], above[row])


@compiled_without_memory
def _count_kept(rows: Rows, above: Array, least: Array, order: Array, offsets: Array) -> int:
    for at in range(order.shape[0]):
        offsets[at + 1] = offsets[at]
        for row in range(rows.offsets[order[at]], rows.offsets[order[at] + 1]):
            offsets[at + 1] += above[row] >= least[rows.resource[row]]
    return int(offsets[order.shape[0]])


@compiled_without_memory
def _keep(rows: Rows, above: Array, least: Array, order: Array, kept: Array) -> None:
    count = 0
    for account in order:
        for row in range(rows.offsets[account], rows.offsets[account + 1]):
            if above[row] >= least[rows.resource[row]]:
                kept[count] = row
                count += 1


@compiled_without_memory
def _gains(rows: Rows, chosen: Array, left: float, free: Array, gain: Array) -> None:
    """Of each row what it would bring more than what its account has, where money and places suffice."""
    for account in range(chosen.shape[0]):
        for row in range(rows.offsets[account], rows.offsets[account + 1]):
            gain[row] = _gain(row, chosen[account], rows, left, free)


@compiled_without_memory
def _gain(row: int, before: int, rows: Rows, left: float, free: Array) -> float:
    has_place = before >= 0 and rows.resource[before] == rows.resource[row]
    cost = rows.cost[row] - (rows.cost[before] if before >= 0 else 0.0)
    if cost > left or (free[rows.resource[row]] <= 0 and not has_place):
        return 0.0
    return float(max(0.0, rows.net[row] - (rows.net[before] if before >= 0 else 0.0)))


@compiled_without_memory
def _take_gains(rows: Rows, gainful: Array, accounts: Array, left: float, free: Array, chosen: Array) -> None:
    for at in range(gainful.shape[0]):
        row, account = gainful[at], accounts[at]
        before = chosen[account]
        if _gain(row, before, rows, left, free) > 0:
            left -= rows.cost[row]
            free[rows.resource[row]] -= 1
            chosen[account] = row
            if before >= 0:
                left += rows.cost[before]
                free[rows.resource[before]] += 1


@compiled_without_memory
def _gains_of_moving(rows: Rows, above: Array, chosen: Array, capacity: Array, gains: Array) -> None:
    """Of each pair of resources the most that somebody gains who moves; the last line is of those who have no scarce place."""
    for account in range(chosen.shape[0]):
        before = chosen[account]
        has_place = before >= 0 and capacity[rows.resource[before]] > 0
        here = rows.resource[before] if has_place else gains.shape[1]
        had = above[before] if has_place else 0
        for row in range(rows.offsets[account], rows.offsets[account + 1]):
            to = rows.resource[row]
            if to != here and above[row] > 0:
                gains[here, to] = max(gains[here, to], above[row] - had)
