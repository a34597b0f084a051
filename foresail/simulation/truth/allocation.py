"""The best that could be done: which account gets which playbook, when every effect is known."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Array


@dataclass(frozen=True)
class Allocation:
    """For each account the playbook it gets, −1 for none, and what all of them bring together."""

    playbook: Array
    net: float


def best(net: Array, capacity: Array) -> Allocation:
    """The allocation with the most net value: each account one playbook at most, each playbook within its capacity.

    `net` (accounts, playbooks) is NaN where a playbook may not be begun; what does not pay is not done. A transportation
    problem, whose linear programme has whole numbers as its solution; HiGHS solves it exactly.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    chosen = np.full(len(net), -1, dtype=np.int64)
    account, playbook = _worth_considering(net, capacity)
    if not len(account):
        return Allocation(chosen, 0.0)
    accounts, row = np.unique(account, return_inverse=True)
    column = np.arange(len(account))
    ones = np.ones(2 * len(account))
    limits = coo_array(
        (ones, (np.concatenate([row, len(accounts) + playbook]), np.concatenate([column, column]))),
        shape=(len(accounts) + net.shape[1], len(account)),
    ).tocsr()
    most = np.concatenate([np.ones(len(accounts)), capacity.astype(np.float64)])
    values = net[account, playbook]
    solved = linprog(-values / np.abs(values).max(), A_ub=limits, b_ub=most, bounds=(0, 1), method="highs-ds")
    if solved.x is None:
        raise RuntimeError(f"the best allocation was not found: {solved.message}")
    taken = solved.x > 0.5
    chosen[account[taken]] = playbook[taken]
    return Allocation(chosen, float(net[account[taken], playbook[taken]].sum()))


def _worth_considering(net: Array, capacity: Array) -> tuple[Array, Array]:
    """The pairs that an optimum can hold.

    If a playbook went to an account that is not among its best n, n being all capacity together, one of those n would be
    free, and better.
    """
    room = int(capacity.sum())
    pairs = []
    for playbook in np.flatnonzero(capacity > 0):
        paying = np.flatnonzero(net[:, playbook] > 0)
        if len(paying) > room:
            paying = paying[np.argpartition(-net[paying, playbook], room - 1)[:room]]
        pairs.append((np.sort(paying), np.full(len(paying), playbook)))
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    accounts, playbooks = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return accounts, playbooks
