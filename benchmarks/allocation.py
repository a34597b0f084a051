"""Which account gets which playbook: our allocation beside HiGHS and beside the best first.

    python benchmarks/allocation.py [--accounts 1_000_000] [--solvable 2_000]

Eight playbooks done by four roles, each with places for one account in fifty; with and without a budget for a third of
what that would cost. Effects differ by account and playbook, accounts in what they are worth. HiGHS gets the same problem
at the size that it can solve, and both values are compared first. "Best first" takes the candidate of the highest net
value for which there is still a place, an account and money.
"""

import argparse
import math

import numpy as np
from measure import Line, Run, measured, note
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from serving.interventions.decide.policy import Candidates, best_plan

PLAYBOOKS, ROLES, ONE_IN = 8, 4, 50
HIGHS_SECONDS = 120.0
"""Within a budget HiGHS may not end; then its best so far is what it has."""
GAP = 1e-4
"""A hundredth of a percent: what the issue asks for, and what HiGHS is asked for within a budget."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--solvable", type=int, default=2_000, help="accounts that HiGHS is asked about")
    arguments = parser.parse_args()
    lines = [
        line
        for has_budget in (False, True)
        for line in (*solvable(arguments.solvable, has_budget), *large(arguments.accounts, has_budget))
    ]
    note("allocation", f"Allocation, {PLAYBOOKS} playbooks, {ROLES} roles", lines)


def solvable(accounts: int, has_budget: bool) -> list[Line]:
    """Ours beside HiGHS: the same value, or the run ends."""
    one, other = measured(ours, accounts, has_budget), measured(highs, accounts, has_budget)
    (value, gap), best = one.answer, other.answer
    least = (1 - gap - GAP) if has_budget else 1 - 1e-9
    if not best * least <= value <= best * (1 + GAP):
        raise SystemExit(f"{value:,.2f} is not what HiGHS finds, {best:,.2f}")
    size = named(accounts, has_budget)
    return [
        line(f"ours, {size}", one, one, f"{value / best:.4%} of HiGHS; gap {gap:.4%}"),
        line(f"HiGHS, {size}", other, one),
    ]


def large(accounts: int, has_budget: bool) -> list[Line]:
    """Ours beside the best first, and beside itself at a tenth of the size."""
    tenth, one = measured(ours, accounts // 10, has_budget), measured(ours, accounts, has_budget)
    greedy = measured(best_first, accounts, has_budget)
    (value, gap), size = one.answer, named(accounts, has_budget)
    if gap > GAP:
        raise SystemExit(f"the gap is {gap:.4%}, above {GAP:.2%}")
    growth = (one.cpu_seconds or math.nan) / (tenth.cpu_seconds or math.nan)
    return [
        line(f"ours, {size}", one, one, f"gap {gap:.5%}", growth),
        line(f"best first, {size}", greedy, one, f"{greedy.answer / value:.1%} of our value"),
    ]


def named(accounts: int, has_budget: bool) -> str:
    return f"{accounts:,} accounts{', a budget' if has_budget else ''}"


def line(who: str, run: Run, first: Run, what: str = "", growth: float | None = None) -> Line:
    return Line(who, run.seconds, run.seconds / first.seconds, run.peak_mb, growth, run.cpu_seconds, what)


def problem(accounts: int, has_budget: bool) -> tuple[Candidates, np.ndarray, float]:
    rng = np.random.default_rng(accounts)
    rows = accounts * PLAYBOOKS
    playbook = np.tile(np.arange(PLAYBOOKS), accounts)
    stake = rng.lognormal(8, 1.2, accounts)
    # What an account responds to at all, and to which playbook most.
    effect = rng.beta(1.2, 14, (accounts, 1)) * rng.uniform(0.4, 1.6, (accounts, PLAYBOOKS))
    cost = rng.integers(40, 400, PLAYBOOKS).astype(float)
    capacity = np.full(ROLES, accounts // ONE_IN)
    told = Candidates(
        account=np.repeat(np.arange(accounts), PLAYBOOKS),
        playbook=playbook,
        resource=playbook % ROLES,
        gain=(stake[:, None] * effect).ravel(),
        cost=np.tile(cost, accounts),
        must=np.zeros(rows, dtype=np.int64),
        tie=rng.integers(0, 2**64, rows, dtype=np.uint64),
    )
    return told, capacity, float(capacity.sum() * cost.mean() / 3) if has_budget else math.inf


KEPT: dict[tuple[int, bool], tuple[Candidates, np.ndarray, float]] = {}


def kept(accounts: int, has_budget: bool) -> tuple[Candidates, np.ndarray, float]:
    """The problem, made once in each process: the warm-up makes it, the measured runs solve it."""
    if (accounts, has_budget) not in KEPT:
        KEPT[accounts, has_budget] = problem(accounts, has_budget)
    return KEPT[accounts, has_budget]


def ours(accounts: int, has_budget: bool) -> tuple[float, float]:
    plan = best_plan(*kept(accounts, has_budget))
    return plan.value, plan.gap


def highs(accounts: int, has_budget: bool) -> float:
    told, capacity, budget = kept(accounts, has_budget)
    pays = np.flatnonzero(told.net > 0)
    column = np.arange(len(pays))
    one = csr_array((np.ones(len(pays)), (told.account[pays], column)))
    role = csr_array((np.ones(len(pays)), (told.resource[pays], column)))
    limits, most = [one, role], [np.ones(one.shape[0]), capacity]
    if has_budget:
        limits, most = [*limits, csr_array(told.cost[pays][None, :])], [*most, [budget]]
    found = milp(
        -told.net[pays],
        integrality=np.ones(len(pays)),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(vstack(limits).tocsr(), ub=np.concatenate(most)),
        options={"mip_rel_gap": GAP if has_budget else 0.0, "time_limit": HIGHS_SECONDS},
    )
    return -float(found.fun)


def best_first(accounts: int, has_budget: bool) -> float:
    told, capacity, budget = kept(accounts, has_budget)
    left, free, value = capacity.tolist(), np.ones(accounts, dtype=bool), 0.0
    net = told.net
    for row in np.argsort(-net):
        if net[row] <= 0 or not any(left):
            break
        resource, account, cost = told.resource[row], told.account[row], told.cost[row]
        if free[account] and left[resource] and cost <= budget:
            free[account] = False
            left[resource] -= 1
            budget -= cost
            value += net[row]
    return value


if __name__ == "__main__":
    main()
