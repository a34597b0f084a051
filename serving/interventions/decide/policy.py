"""The plan: one playbook at most for each account, within capacity and budget, with the most net value; and why others were not chosen.

Net value = gain − cost, where gain is the playbook's effect × the value at stake. Each intervention uses one place of its
resource; all costs are within the budget. Interventions of rules come first, in the order of their obligation, whatever
their net value. Pure: no clock, no database, and the same plan for any order of the rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from features.arrays import Array
from serving.interventions.decide.allocation import Allocation, Rows, Within, allocate, lay_out
from serving.interventions.decide.not_chosen import NotChosenReason, WhyNot, why_not_words

_95_PERCENT = 1.959964


@dataclass(frozen=True)
class Candidates:
    """One row per account and playbook that may be chosen, in any order."""

    account: Array
    """Codes from 0 on, (rows,)."""
    playbook: Array
    resource: Array
    """Whose capacity it uses, a place in `capacity`; −1 nobody's."""
    gain: Array
    """Effect × what is at stake, money."""
    cost: Array
    """Money, 0 or more."""
    must: Array
    """0 where the net value decides; else how great the obligation is to begin it."""
    tie: Array
    """uint64 hash of account and playbook: which of equals comes first."""
    sd: Array | None = None
    """Standard deviation of the gain, wholly correlated within a playbook; None: not known, taken as 0."""

    @property
    def net(self) -> Array:
        return self.gain - self.cost


@dataclass(frozen=True)
class Plan:
    """What is to be done. Money is per plan, that is per week where capacities are."""

    candidates: Candidates = field(repr=False)
    rows: Array
    """The candidates chosen, in the order of their hashes."""
    value: float
    """Net value of all that is chosen, what rules begin included."""
    bound: float
    """What no plan can pass that serves the rules first."""
    gap: float
    """How far the value may be from the best possible, as a share of what was free to be decided."""
    price: Array
    """Of each resource: what one more place would bring, which is what more capacity is worth. 0 where a place is left."""
    threshold: Array
    """Of each resource: what its last place brings, the budget's price taken off, which is what the plan loses without it.

    All that was chosen there by value brings at least so much, and whoever brings less gets no place, whether somebody waits
    for one or not. 0 where a place is left or there is none. Where a place is used it is the price or more: of as many
    takers as there are places the last brings something, and one more place nothing.
    """
    budget_price: float
    """What one more unit of money would bring."""
    interval: tuple[float, float]
    """95 % interval of the value."""
    left: Array
    """Of each resource: places not used."""
    budget_left: float
    after_rules: tuple[Array, float]
    """Of each resource the places, and the money, that were free to be decided once rules were served."""

    @cached_property
    def row_of(self) -> Array:
        """Of each account the row chosen, or −1."""
        row = np.full(int(self.candidates.account.max(initial=-1)) + 1, -1, dtype=np.int64)
        row[self.candidates.account[self.rows]] = self.rows
        return row

    def why_not(self, row: int, resources: Sequence[str] = ()) -> str:
        """Why a candidate was not chosen, in words, with the names of the resources where they are given."""
        of = int(self.candidates.resource[row])
        return why_not_words(self.not_chosen(row), resources[of] if resources and of >= 0 else None)

    def not_chosen(self, row: int) -> NotChosenReason:
        """Why a candidate was not chosen, and by which amount."""
        candidates, resource = self.candidates, int(self.candidates.resource[row])
        instead = int(self.row_of[candidates.account[row]])
        if instead == row:
            return NotChosenReason(WhyNot.CHOSEN)
        if instead >= 0 and candidates.must[instead] > 0:
            return NotChosenReason(WhyNot.RULE_FIRST)
        if instead >= 0 and candidates.net[instead] >= candidates.net[row]:
            return NotChosenReason(WhyNot.OTHER_PLAYBOOK)
        if candidates.net[row] <= 0 and not candidates.must[row]:
            return NotChosenReason(WhyNot.DOES_NOT_PAY)
        if resource >= 0 and self.left[resource] < 1:
            return self._no_place(row, resource, instead)
        return self._no_money(row)

    def _no_place(self, row: int, resource: int, instead: int) -> NotChosenReason:
        candidates = self.candidates
        using = self.rows[candidates.resource[self.rows] == resource]
        if not len(using):
            return NotChosenReason(WhyNot.NO_CAPACITY)
        if instead >= 0:
            return NotChosenReason(WhyNot.NEARLY_AS_GOOD)
        if (candidates.must[using] > 0).all():
            return NotChosenReason(WhyNot.CAPACITY_FOR_RULES)
        above = float(self.threshold[resource] + self.budget_price * candidates.cost[row])
        return NotChosenReason(WhyNot.CAPACITY, above) if above >= candidates.net[row] > 0 else self._no_money(row)

    def _no_money(self, row: int) -> NotChosenReason:
        candidates = self.candidates
        if self.budget_price * candidates.cost[row] >= candidates.net[row]:
            return NotChosenReason(WhyNot.BUDGET, self.budget_price)
        return NotChosenReason(WhyNot.BUDGET_LEFT, self.budget_left)


def best_plan(candidates: Candidates, capacity: Array, budget: float = math.inf) -> Plan:
    """The plan of the most net value.

    capacity (resources,): places, infinite where nobody counts them, rounded down. budget: money, infinite for any.
    """
    served, left, money = _rules_first(candidates, np.floor(np.asarray(capacity, dtype=np.float64)), budget)
    within = Within(_as_places(candidates, np.append(left, np.inf)), money)
    rows = _free_to_choose(candidates, served, within)
    found = allocate(rows, within)
    chosen = rows.row[found.chosen[found.chosen >= 0]]
    return _plan(candidates, served, chosen, found, left, money)


def _rules_first(candidates: Candidates, capacity: Array, budget: float) -> tuple[Array, Array, float]:
    """The rows that rules begin, as far as capacity and budget reach; what is left of both."""
    must = np.flatnonzero(candidates.must > 0)
    order = must[np.lexsort((candidates.tie[must], -candidates.net[must], -candidates.must[must]))]
    left, served, accounts = capacity.copy(), [], set()
    for row, account, resource, cost in zip(
        order, candidates.account[order], candidates.resource[order], candidates.cost[order], strict=True
    ):
        if account not in accounts and cost <= budget and (resource < 0 or left[resource] >= 1):
            accounts.add(account)
            served.append(row)
            budget -= float(cost)
            if resource >= 0:
                left[resource] -= 1
    return np.array(served, dtype=np.int64), left, budget


def _as_places(candidates: Candidates, left: Array) -> Array:
    """Capacities as whole numbers; −1 where places are left whatever is chosen, as of the last one, which is nobody's.

    As many places as candidates may all be used, and then the last one has its price.
    """
    wanted = np.bincount(candidates.resource % len(left), minlength=len(left))
    return np.where(left > wanted, -1, np.minimum(left, len(candidates.account))).astype(np.int64)


def _free_to_choose(candidates: Candidates, served: Array, within: Within) -> Rows:
    """The rows that pay, of accounts that no rule has taken, where there is money at all."""
    resource = candidates.resource % len(within.capacity)
    net = candidates.net
    may = (net > 0) & (candidates.cost <= within.budget)
    taken = np.zeros(int(candidates.account.max(initial=-1)) + 1, dtype=np.bool_)
    taken[candidates.account[served]] = True
    return lay_out(candidates.account, resource, net, candidates.cost, candidates.tie, may & ~taken[candidates.account])


def _plan(
    candidates: Candidates, served: Array, chosen: Array, found: Allocation, left: Array, money: float
) -> Plan:  # fmt: skip
    rows = np.concatenate([served, chosen])
    rows = rows[np.argsort(candidates.tie[rows], kind="stable")]
    free = math.fsum(candidates.net[chosen])
    value = math.fsum(candidates.net[rows])
    spread = _95_PERCENT * _spread(candidates, rows)
    used = np.bincount(candidates.resource[chosen] % (len(left) + 1), minlength=len(left) + 1)[:-1]
    return Plan(
        candidates=candidates,
        rows=rows,
        value=value,
        bound=math.fsum([*candidates.net[served], max(found.bound, free)]),
        gap=max(0.0, found.bound - free) / found.bound if found.bound > 0 else 0.0,
        price=found.one_more[:-1],
        threshold=found.price[:-1],
        budget_price=found.money,
        interval=(value - spread, value + spread),
        left=left - used,
        budget_left=money - math.fsum(candidates.cost[chosen]),
        after_rules=(left, money),
    )


def _spread(candidates: Candidates, rows: Array) -> float:
    """Standard deviation of the rows' gain: within a playbook deviations add up, those of different ones are independent."""
    if candidates.sd is None:
        return 0.0
    playbook, sd = candidates.playbook[rows], candidates.sd[rows]
    return math.hypot(*(math.fsum(sd[playbook == one]) for one in np.unique(playbook)))


def by_group(plan: Plan, labels: Array) -> pd.DataFrame:
    """The plan by region, industry or owner: a row per label, in alphabetical order.

    labels (accounts,): each account's own. `one_more`: what one more place would bring if it went to an account of that
    label.
    """
    candidates = plan.candidates
    every = pd.DataFrame(
        {
            "label": labels[candidates.account],
            "interventions": np.isin(np.arange(len(candidates.account)), plan.rows).astype(int),
            "cost": candidates.cost,
            "expected_value": candidates.net,
            "one_more": _if_one_more(plan),
        }
    ).sort_values("label", kind="stable")
    chosen = every[every["interventions"] > 0].groupby("label")[["interventions", "cost", "expected_value"]]
    return chosen.agg({"interventions": "sum", "cost": math.fsum, "expected_value": math.fsum}).join(
        every.groupby("label")[["one_more"]].max(), how="right"
    ).fillna(0)  # fmt: skip


def _if_one_more(plan: Plan) -> Array:
    """Of each candidate what it would bring if there were a place for it, beyond what its account has already.

    At the budget's price; the place that its account leaves brings its resource's price.
    """
    candidates = plan.candidates
    after = candidates.net - plan.budget_price * candidates.cost
    before = plan.row_of[candidates.account]
    has = np.where(before >= 0, after[before] - np.append(plan.price, 0.0)[candidates.resource[before]], 0.0)
    return np.where((before >= 0) & (candidates.must[before] > 0), 0.0, np.maximum(after - has, 0.0))
