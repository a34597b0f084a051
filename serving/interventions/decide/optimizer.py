"""The optimizer: accounts to scarce places of resources, one place at most for each account, with the greatest sum of values. Exact.

Accounts come one by one. Each takes the place where its value is furthest above the price; the price of a resource is the cost
of making room in it: an account leaves, or moves to another resource where an account leaves, and so on. These are shortest
paths over the resources (Ford 1956), and after each account the assignment is the best one of the accounts so far (successive
shortest paths: Busacker and Gowen 1960; many accounts to few resources: Tokuyama and Nakano 1995), so in the end it is the
best one of all. Values are whole numbers, so nothing is rounded: no cycle gains, sums do not depend on order, and two machines
give the same result.
"""

from typing import NamedTuple

import numpy as np

from features.arrays import Array
from features.engine.compilation import compiled_without_memory

_NEVER = np.iinfo(np.int64).max // 4
_UNUSED, _FREED, _LIVE = range(3)


class Optimum(NamedTuple):
    """The row of each account or −1, (accounts,); the price of the last place of each resource, (resources,)."""

    row: Array
    price: Array


class _Asked(NamedTuple):
    """Rows account after account, and the ways from resource to resource; number `resources` stands for leaving."""

    offsets: Array
    resource: Array
    value: Array
    way_from: Array
    way_to: Array
    way_at: Array


class _Seated(NamedTuple):
    row: Array
    free: Array
    price: Array
    way: Array
    """By which way room is made in a full resource."""
    loss: Array
    """What going a way costs: the least of those who could go it."""


class _Heaps(NamedTuple):
    """For every way a skew heap (Sleator and Tarjan 1986) of who could go it, by what that would cost.

    Who has left meanwhile stays in until he is on top. `nodes` is how many nodes were ever used, the head of the list of
    those given back, and how many are in use.
    """

    root: Array
    key: Array
    account: Array
    row: Array
    other: Array
    left: Array
    right: Array
    nodes: Array


def optimize(offsets: Array, resource: Array, value: Array, capacity: Array) -> Optimum:
    """The assignment of the greatest sum of values.

    offsets (accounts + 1,), resource and value (rows,): what each account would bring where, whole numbers above 0, the
    accounts in the order in which they come: the sum is the same in any, and it is quickest with the most valuable first.
    capacity (resources,): whole numbers, 1 or more.
    """
    accounts, resources = len(offsets) - 1, len(capacity)
    asked = _Asked(offsets, resource, value, *_ways(offsets, resource, resources))
    ways = len(asked.way_to)
    seated = _Seated(
        np.full(accounts, -1, dtype=np.int64),
        capacity.astype(np.int64),
        np.zeros(resources, dtype=np.int64),
        np.full(resources, -1, dtype=np.int64),
        np.full(ways, _NEVER, dtype=np.int64),
    )
    # A chain of moves seats one account in each resource at the most, with one node for each of its rows.
    longest = resources * int(np.diff(offsets).max(initial=0)) + 1
    heaps = _empty_heaps(ways, 2 * longest + 1_024)
    account = 0
    while account < accounts:
        account = _seat_from(account, longest, asked, seated, heaps)
        if account < accounts:
            heaps = _larger(heaps)
    return Optimum(seated.row, seated.price)


def _ways(offsets: Array, resource: Array, resources: int) -> tuple[Array, Array, Array]:
    """The ways that some account could go: from each resource the first one, where each leads, and each pair's own."""
    is_way = np.zeros((resources, resources + 1), dtype=np.bool_)
    is_way[:, resources] = True
    _mark_ways(offsets, resource, is_way)
    way_at = np.full(is_way.shape, -1, dtype=np.int32)
    way_at[is_way] = np.arange(is_way.sum())
    way_from = np.concatenate([[0], is_way.sum(axis=1).cumsum()])
    return way_from, np.nonzero(is_way)[1], way_at


def _empty_heaps(ways: int, nodes: int) -> _Heaps:
    account, row, other, left, right = (np.empty(nodes, dtype=np.int32) for _ in range(5))
    root, key, used = np.full(ways, -1, np.int32), np.empty(nodes, np.int64), np.array([0, -1, 0])
    return _Heaps(root, key, account, row, other, left, right, used)


def _larger(heaps: _Heaps) -> _Heaps:
    """The same with twice as many nodes."""
    nodes = {name: np.concatenate([each, np.empty_like(each)]) for name, each in heaps._asdict().items()}
    return _Heaps(**{**nodes, "root": heaps.root, "nodes": heaps.nodes})


@compiled_without_memory
def _mark_ways(offsets: Array, resource: Array, is_way: Array) -> None:
    for account in range(offsets.shape[0] - 1):
        for row in range(offsets[account], offsets[account + 1]):
            for other in range(offsets[account], offsets[account + 1]):
                if resource[row] != resource[other]:
                    is_way[resource[row], resource[other]] = True


@compiled_without_memory
def _seat_from(first: int, longest: int, asked: _Asked, seated: _Seated, heaps: _Heaps) -> int:
    """Seat the accounts from `first` on; the account at which the nodes may not suffice, or their number."""
    accounts = asked.offsets.shape[0] - 1
    for account in range(first, accounts):
        if heaps.nodes[_LIVE] + longest > heaps.key.shape[0]:
            return account
        row = _best_row(account, asked, seated)
        if row >= 0 and _seat(account, row, asked, seated, heaps):
            _price(asked, seated)
    return int(accounts)


@compiled_without_memory
def _best_row(account: int, asked: _Asked, seated: _Seated) -> int:
    """The row that is worth most above its price; −1 if none is worth more than that."""
    best, most = -1, 0
    for row in range(asked.offsets[account], asked.offsets[account + 1]):
        above = asked.value[row] - seated.price[asked.resource[row]]
        if above > most:
            best, most = row, above
    return best


@compiled_without_memory
def _seat(account: int, row: int, asked: _Asked, seated: _Seated, heaps: _Heaps) -> bool:
    """Give the account its place and make room for it, move after move; whether a price may have changed."""
    moved = False
    while row >= 0:
        here = asked.resource[row]
        if seated.free[here] > 0:
            _take(account, row, asked, seated, heaps)
            seated.free[here] -= 1
            return moved or seated.free[here] == 0
        goes = heaps.root[seated.way[here]]
        leaver, to = heaps.account[goes], heaps.other[goes]
        seated.row[leaver] = to
        _take(account, row, asked, seated, heaps)
        account, row, moved = leaver, to, True
    return moved


@compiled_without_memory
def _take(account: int, row: int, asked: _Asked, seated: _Seated, heaps: _Heaps) -> None:
    """Seat the account, and note what it would cost if it left or moved."""
    here, leave = asked.resource[row], asked.way_at.shape[1] - 1
    seated.row[account] = row
    _push(asked.way_at[here, leave], asked.value[row], account, row, -1, heaps)
    for other in range(asked.offsets[account], asked.offsets[account + 1]):
        if asked.resource[other] != here:
            way = asked.way_at[here, asked.resource[other]]
            _push(way, asked.value[row] - asked.value[other], account, row, other, heaps)
    for way in range(asked.way_from[here], asked.way_from[here + 1]):
        seated.loss[way] = _least(way, seated, heaps)


@compiled_without_memory
def _price(asked: _Asked, seated: _Seated) -> None:
    """What making room costs in each resource, the cheapest chain of moves."""
    resources = seated.price.shape[0]
    for here in range(resources):
        seated.price[here] = 0 if seated.free[here] > 0 else _NEVER
    improved = True
    while improved:
        improved = False
        for here in range(resources):
            if seated.free[here] == 0:
                improved |= _cheaper(here, asked, seated)


@compiled_without_memory
def _cheaper(here: int, asked: _Asked, seated: _Seated) -> bool:
    """Look for a cheaper way out of one resource; whether there was one."""
    found = False
    for way in range(asked.way_from[here], asked.way_from[here + 1]):
        to = asked.way_to[way]
        loss = seated.loss[way] + (seated.price[to] if to < seated.price.shape[0] else 0)
        if loss < seated.price[here]:
            seated.price[here], seated.way[here], found = loss, way, True
    return found


@compiled_without_memory
def _least(way: int, seated: _Seated, heaps: _Heaps) -> int:
    """The least loss on a way, once those who are gone are taken off the top."""
    top = heaps.root[way]
    while top >= 0 and seated.row[heaps.account[top]] != heaps.row[top]:
        heaps.root[way] = _merged(heaps.left[top], heaps.right[top], heaps)
        heaps.left[top], heaps.nodes[_FREED] = heaps.nodes[_FREED], top
        heaps.nodes[_LIVE] -= 1
        top = heaps.root[way]
    return int(heaps.key[top]) if top >= 0 else _NEVER


@compiled_without_memory
def _push(way: int, key: int, account: int, row: int, other: int, heaps: _Heaps) -> None:
    node = heaps.nodes[_FREED]
    if node >= 0:
        heaps.nodes[_FREED] = heaps.left[node]
    else:
        node = heaps.nodes[_UNUSED]
        heaps.nodes[_UNUSED] += 1
    heaps.nodes[_LIVE] += 1
    heaps.key[node], heaps.account[node], heaps.row[node], heaps.other[node] = key, account, row, other
    heaps.left[node] = heaps.right[node] = -1
    heaps.root[way] = _merged(heaps.root[way], node, heaps)


@compiled_without_memory
def _merged(one: int, two: int, heaps: _Heaps) -> int:
    """Two heaps as one, from the top down."""
    if one < 0 or two < 0:
        return max(one, two)
    if _before(two, one, heaps):
        one, two = two, one
    root = one
    while two >= 0:
        rest = heaps.right[one]
        heaps.right[one] = heaps.left[one]
        if rest < 0 or _before(two, rest, heaps):
            rest, two = two, rest
        heaps.left[one] = rest
        one = rest
    return root


@compiled_without_memory
def _before(one: int, two: int, heaps: _Heaps) -> bool:
    if heaps.key[one] != heaps.key[two]:
        return bool(heaps.key[one] < heaps.key[two])
    return bool(heaps.account[one] > heaps.account[two])
