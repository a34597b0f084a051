"""From candidates to a decision: interventions, control, and accounts that were not chosen, each with why. Pure; independent of the order of rows.

Treatment and control must be chosen by the same rule, or their difference shows nothing. So the prices of capacity and
budget are found among the accounts of treatment; an account of control is logged if an intervention would have been best
for it at these prices. It uses no capacity, and no other intervention begins for it in this decision.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.arrays import Integers
from serving.interventions.decide.candidates import (
    DECISION,
    RULE,
    Accounts,
    DecisionSettings,
    candidates_of,
    stacked,
    warnings_of,
)
from serving.interventions.decide.earlier_decisions import EarlierDecisions
from serving.interventions.decide.experiments import ALL, HOLDOUT, TREATMENT
from serving.interventions.decide.intervention_reason import intervention_reason
from serving.interventions.decide.policy import Candidates, Plan, best_plan, by_group
from serving.interventions.decide.resources import Resources, budget_left, owners_of, resources_of
from serving.interventions.declare.calendar import WorkingTime
from serving.interventions.declare.settings import InterventionSettings, Playbook
from serving.interventions.run.lifecycle import Deadline, NewIntervention
from serving.scoring.value_terms import SEVERITIES

MOST_NOT_CHOSEN = 1_000
"""The number of accounts that get an explanation: those with the highest expected value."""
UNKNOWN_MEMBER = "–"
"""The member of a division for accounts whose member is not known."""
Because = Mapping[tuple[str, str], Sequence[str]]
"""By account and target, the reasons of the score in words, the strongest first."""


@dataclass(frozen=True)
class Choice:
    """The plan, and the candidates `offered` to it, row by row."""

    plan: Plan
    offered: pd.DataFrame
    resources: Resources
    """Of `offered`."""
    kept: pd.DataFrame
    """Candidates of control and holdout that would have been chosen."""

    @property
    def chosen(self) -> pd.DataFrame:
        """The candidates that are acted on, in the order in which work is given out: rules first, then what brings the most."""
        return self.offered.iloc[self.plan.rows].sort_values(
            ["must", "net", "account_id"], ascending=[False, False, True], kind="stable"
        )

    def by(self, division: str) -> pd.DataFrame:
        """The plan by region, industry or owner of the accounts: a row per member, as `policy.by_group` has them."""
        accounts = self.offered.drop_duplicates("account_id")
        return by_group(self.plan, accounts[division].fillna(UNKNOWN_MEMBER).to_numpy(object))

    @property
    def names(self) -> list[str]:
        """The resources, for people."""
        return [str(resource) for resource in self.resources.named]


@dataclass(frozen=True)
class Decision:
    """The result of a decision: new interventions, and the rows of the tables of these names."""

    choice: Choice
    interventions: list[NewIntervention]
    assignments: pd.DataFrame
    warnings: pd.DataFrame
    not_chosen: pd.DataFrame


def decide_interventions(
    buckets: Iterable[Accounts],
    because: Callable[[pd.DataFrame], Because],
    company: DecisionSettings,
    earlier: EarlierDecisions,
    as_of: datetime,
) -> Decision:
    """The decision for accounts that come bucket by bucket; `because` gives the reasons of the scores of chosen candidates."""
    pairs, warned = [], []
    for accounts in buckets:
        pairs.append(candidates_of(accounts, company, earlier, as_of))
        warned.append(warnings_of(accounts, company.settings, earlier, as_of))
    choice = choose(stacked(pairs), company.settings, earlier, as_of)
    return Decision(
        choice,
        interventions_of(choice, because(choice.chosen), company, earlier, as_of),
        assignments_of(choice, company.settings, as_of),
        stacked(warned),
        not_chosen_of(choice, as_of),
    )


def choose(pairs: pd.DataFrame, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime) -> Choice:
    """The choice within the capacity and the budget that are left in the week of `as_of`; `pairs` are those of `candidates_of`."""
    pairs = pairs.sort_values(["account_id", "playbook"], kind="stable", ignore_index=True)
    resources, budget = resources_of(pairs, settings, earlier, as_of), budget_left(settings, earlier, as_of)
    plan, offered, kept = _plan_with_control(pairs, resources, budget)
    own = Resources(resources.named, resources.left, resources.of_pair[offered])
    return Choice(plan, pairs.iloc[offered].reset_index(drop=True), own, pairs.loc[kept].reset_index(drop=True))


def _plan_with_control(pairs: pd.DataFrame, resources: Resources, budget: float) -> tuple[Plan, Integers, Integers]:
    """The plan, the candidates that it was made of, and those of control and holdout that it would have chosen.

    An account of control gets no other intervention instead. The capacity that it leaves goes to accounts of lower value, and
    control must reach as far down; so the plan is made again until control is complete.
    """
    treated, kept = (pairs["arm"] == TREATMENT).to_numpy(), np.array([], dtype=np.intp)
    while True:
        spared = pairs["account_id"].isin(pairs.loc[kept, "account_id"]).to_numpy()
        offered = np.flatnonzero(treated & ~spared)
        plan = best_plan(_candidates(pairs, resources, offered), resources.left, budget)
        more = _would_have_been(pairs, resources, budget, plan, offered)
        more = more[~spared[more]]
        if not len(more):
            return plan, offered, kept
        kept = np.union1d(kept, more)


def interventions_of(
    choice: Choice, because: Because, company: DecisionSettings, earlier: EarlierDecisions, as_of: datetime
) -> list[NewIntervention]:
    """The interventions of the chosen candidates, with owner, reason and deadlines, ready to begin."""
    time, chosen = WorkingTime(company.settings.calendar), choice.chosen
    to = owners_of(chosen, company.settings, earlier, as_of)
    rows: list[dict[str, Any]] = [
        {str(name): value for name, value in row.items()} for row in chosen.to_dict("records")
    ]
    return [_intervention(row, owner, because, company, time, as_of) for row, owner in zip(rows, to, strict=True)]


def assignments_of(choice: Choice, settings: InterventionSettings, as_of: datetime) -> pd.DataFrame:
    """The rows of the table assignments: treatment that begins, control and holdout."""
    rows = stacked([choice.chosen, choice.kept])
    acted, held = rows["arm"] == TREATMENT, rows["arm"] == HOLDOUT
    shares = (
        rows["playbook"].map({name: playbook.control for name, playbook in settings.playbooks.items()}).astype(float)
    )
    return pd.DataFrame(
        {
            "playbook": rows["playbook"].mask(held, ALL),
            "account_id": rows["account_id"],
            "assigned_at": pd.Timestamp(as_of),
            "arm": rows["arm"],
            "control": shares.mask(held, settings.policy.holdout),
            **{name: rows[name] for name in ("target", "value_at_stake", "probability", "cost", "quadrant")},
            "intervention_id": [
                decision_intervention_id(playbook, account_id, as_of) if is_acted else None
                for playbook, account_id, is_acted in zip(rows["playbook"], rows["account_id"], acted, strict=True)
            ],
        }
    )


def not_chosen_of(choice: Choice, as_of: datetime) -> pd.DataFrame:
    """The rows of the table not_chosen: for accounts without an intervention, the candidates of the highest expected value."""
    plan, offered = choice.plan, choice.offered
    nothing_begun = ~offered["account_id"].isin(offered["account_id"].iloc[plan.rows]).to_numpy()
    missed = np.flatnonzero(nothing_begun & ((offered["net"] > 0) | offered["must"]).to_numpy())
    order = np.lexsort((missed, -offered["net"].to_numpy(np.float64)[missed]))
    near = missed[order][:MOST_NOT_CHOSEN]
    rows = offered.iloc[near]
    why = [plan.why_not(row, choice.names) for row in near.tolist()]
    return pd.DataFrame(
        {
            **{name: rows[name].to_numpy() for name in ("account_id", "playbook")},
            "as_of": pd.Timestamp(as_of),
            "expected": rows["net"].to_numpy(np.float64),
            "why": why,
        }
    )


def raising_reasons(reasons: Iterable[Mapping[str, Any]]) -> list[str]:
    """The words of the reasons that raise a score, the strongest first."""
    return [reason["words"] for reason in reasons if reason["direction"] == "raises"]


def decision_intervention_id(playbook: str, account_id: str, as_of: datetime) -> str:
    """iv_ and 24 hex digits: the same decision gives the same id."""
    key = "\n".join([playbook, account_id, as_of.astimezone(UTC).isoformat(timespec="microseconds")])
    return f"iv_{hashlib.sha256(key.encode()).hexdigest()[:24]}"


def _candidates(pairs: pd.DataFrame, resources: Resources, at: Integers) -> Candidates:
    own = pairs.iloc[at]
    gain, cost = own["gain"].to_numpy(np.float64), own["cost"].to_numpy(np.float64)
    return Candidates(
        account=pd.factorize(own["account_id"])[0].astype(np.int64),
        playbook=pd.factorize(own["playbook"], sort=True)[0].astype(np.int64),
        resource=resources.of_pair[at],
        gain=gain,
        cost=cost,
        must=_obligation(pairs)[at],
        tie=pd.util.hash_array((own["account_id"] + "\n" + own["playbook"]).to_numpy(object), categorize=False),
        sd=np.asarray(own["effect_sd"] * own["value_at_stake"], dtype=np.float64),
    )


def _obligation(pairs: pd.DataFrame) -> NDArray[np.float64]:
    """0 without a rule; else the order of rules: by severity, then by the value at stake."""
    severity = pairs["severity"].map({word: rank for rank, word in enumerate(SEVERITIES)}).to_numpy(np.float64)
    at_stake = pairs["value_at_stake"].rank(method="dense").to_numpy(np.float64)
    return np.where(pairs["must"].to_numpy(bool), 1.0 + severity * (len(pairs) + 1) + at_stake, 0.0)


def _would_have_been(
    pairs: pd.DataFrame, resources: Resources, budget: float, plan: Plan, offered: Integers
) -> Integers:
    """Candidates of control and holdout that are the best for their account by the plan's own prices."""
    obligation, net, cost = _obligation(pairs), pairs["net"].to_numpy(np.float64), pairs["cost"].to_numpy(np.float64)
    prices = plan.threshold[resources.of_pair] + plan.budget_price * cost
    by_rule = obligation >= _least_served(obligation, resources, plan, offered)[resources.of_pair]
    # Without a free place there is no price: the candidate would not have been chosen in treatment either.
    by_rule &= (obligation > 0) & (resources.left[resources.of_pair] >= 1) & (cost <= budget)
    places, money = plan.after_rules
    by_value = (net > 0) & (places[resources.of_pair] >= 1) & (cost <= money)
    above = np.where(by_rule, np.inf, np.where(by_value, net - prices, -np.inf))
    best = (
        pd.DataFrame({"account": pairs["account_id"], "above": above, "obligation": obligation, "net": net})
        .sort_values(["above", "obligation", "net"], ascending=False, kind="stable")
        .drop_duplicates("account")
        .index.to_numpy()
    )
    spared = (pairs["arm"] != TREATMENT).to_numpy()
    return np.sort(best[spared[best] & (above[best] > 0)])


def _least_served(
    obligation: NDArray[np.float64], resources: Resources, plan: Plan, offered: Integers
) -> NDArray[np.float64]:
    """The least obligation that each resource could serve; 0 where it could serve all."""
    served = np.zeros(len(offered), dtype=np.bool_)
    served[plan.rows] = True
    account = plan.candidates.account
    ruled = np.isin(account, account[served & (obligation[offered] > 0)])
    refused = (obligation[offered] > 0) & ~ruled
    least = np.zeros(len(resources.named))
    for resource in np.unique(resources.of_pair[offered[refused]]):
        own = served & (obligation[offered] > 0) & (resources.of_pair[offered] == resource)
        least[resource] = obligation[offered[own]].min(initial=np.inf)
    return least


def _intervention(
    row: Mapping[str, Any],
    owner: str | None,
    because: Because,
    company: DecisionSettings,
    time: WorkingTime,
    as_of: datetime,
) -> NewIntervention:
    playbook = company.settings.playbooks[row["playbook"]]
    expires = as_of + timedelta(days=company.settings.policy.expire_days)
    steps = tuple((step.do, time.due(as_of, step.within)) for step in playbook.steps)
    return NewIntervention(
        intervention_id=decision_intervention_id(row["playbook"], row["account_id"], as_of),
        account_id=row["account_id"],
        playbook=row["playbook"],
        origin=RULE if row["must"] else DECISION,
        role=row["role"],
        owner=owner,
        severity=row["severity"],
        reason=_reason_words(row, because, company),
        decided_at=as_of,
        due_at=max((due for _, due in steps), default=expires),
        say=playbook.say,
        cost=row["cost"],
        expected=row["net"],
        effect=row["effect"],
        effect_source=row["effect_source"],
        value_at_stake=row["value_at_stake"],
        steps=steps,
        deadlines=tuple(_deadlines_of_playbook(playbook, steps, time, as_of, expires)),
        urgent=row["severity"] == SEVERITIES[-1],
    )


def _reason_words(row: Mapping[str, Any], because: Because, company: DecisionSettings) -> str:
    reasons = because.get((row["account_id"], row["target"]), ())
    return intervention_reason(row, reasons, company.outcomes[row["target"]].is_risk, company.currency)


def _deadlines_of_playbook(
    playbook: Playbook, steps: Sequence[tuple[str, datetime]], time: WorkingTime, as_of: datetime, expires: datetime
) -> list[Deadline]:
    claim = [] if playbook.claim_within is None else [Deadline("claim", time.due(as_of, playbook.claim_within))]
    due = [Deadline("step", due, step=number) for number, (_, due) in enumerate(steps, 1)]
    return [*claim, *due, Deadline("expire", expires)]
