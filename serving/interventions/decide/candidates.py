"""Candidates: accounts and the playbooks that could be begun for them, with expected gain and cost; warnings of rules. Pure.

gain = effect × at stake        at stake of a risk: probability × value, as the score says;
net  = gain − cost              of a growth target: (1 − probability) × value × the target's share
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.arrays import Flags, Floats
from features.families.eligibility import OPTED_OUT
from registry.target_kinds import RISKS
from serving.interventions.decide.earlier_decisions import QUARTER_DAYS, EarlierDecisions
from serving.interventions.decide.effects import CHANCE, Effect, LearntEffect, effects_of, is_harmful
from serving.interventions.decide.experiments import ALL, arms
from serving.interventions.declare.expressions import holding
from serving.interventions.declare.settings import InterventionSettings, Playbook, Rule
from serving.scoring.value_terms import SEVERITIES

GROWTH_SHARE = 0.25
"""The share of an account's value that growth adds, where the target declares none."""
DECISION, RULE = "decision", "rule"
CONTACTS = (DECISION, RULE)
"""The origins of interventions that count as contacts: an SLA answers the account."""
OF_ACCOUNT = ("name", "owner", "region", "industry", "quadrant")
"""Columns of the account that a candidate keeps."""
PAIR = (
    "account_id", "playbook", "role", "rules", "severity", "must", "target", "probability", "value_at_stake", "effect",
    "effect_sd", "effect_source", "cost", "gain", "net", "arm", *OF_ACCOUNT,
)  # fmt: skip
"""The columns of a candidate. `rules` names those that ask for it, the most severe first; `must`: one of them does."""


@dataclass(frozen=True)
class TargetedOutcome:
    """The target of a playbook: its kind, and for growth the share that it adds."""

    kind: str
    share: float = GROWTH_SHARE

    @property
    def is_risk(self) -> bool:
        return self.kind in RISKS


@dataclass(frozen=True)
class DecisionSettings:
    """The settings of a company, and the effects that it has learnt."""

    settings: InterventionSettings
    outcomes: Mapping[str, TargetedOutcome]
    """By the name of the target."""
    learnt: Mapping[str, LearntEffect] = field(default_factory=dict)
    """By playbook, where experiments have spoken."""
    currency: str = ""


@dataclass(frozen=True)
class Accounts:
    """Accounts to decide for: `rows` as serving/interventions/declare/columns.py documents them, `features` in the same order.

    The features are those that learnt effects read, and whether the account has opted out.
    """

    rows: pa.Table
    features: pd.DataFrame

    @cached_property
    def ids(self) -> list[str]:
        return list(self.rows["account_id"].to_pylist())

    @cached_property
    def index(self) -> pd.Index:
        return pd.Index(self.ids)

    @property
    def opted_out(self) -> Flags:
        return np.asarray(self.features[OPTED_OUT.name].to_numpy(dtype=np.float64) > 0)

    def number(self, name: str) -> Floats:
        """A column as numbers, NaN where nothing is known."""
        return np.asarray(self.rows[name].to_numpy(zero_copy_only=False), dtype=np.float64)

    def are_among(self, ids: Any) -> Flags:
        return np.asarray(self.index.isin(ids))


def candidates_of(
    accounts: Accounts, company: DecisionSettings, earlier: EarlierDecisions, as_of: datetime
) -> pd.DataFrame:
    """One row per account and playbook that could be begun for it, in the order of playbooks; columns `PAIR`.

    Left out are accounts that have opted out, have reached `contacts_per_quarter`, or were decided about at this moment; for
    a playbook, accounts with an open intervention of it or within its cooldown; and playbooks that are known to do harm.
    Accounts of control and holdout are candidates: the comparison needs to know what would have been done for them.
    """
    may = ~accounts.opted_out & ~_has_had_enough(accounts, company.settings, earlier, as_of)
    may &= ~accounts.are_among(earlier.assignments.loc[earlier.assignments["assigned_at"] >= as_of, "account_id"])
    asked = _conditions_that_hold(accounts, company.settings)
    found = [
        _of_playbook(name, accounts, company, asked, may & ~_at_rest(name, accounts, company.settings, earlier, as_of))
        for name in company.settings.playbooks
        if not is_harmful(company.learnt.get(name))
    ]
    return stacked([pd.DataFrame(columns=list(PAIR)), *found])


def warnings_of(
    accounts: Accounts, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime
) -> pd.DataFrame:
    """One row per rule that holds for an account: account_id, rule, severity, since, as_of.

    `since` is kept while the rule holds night after night.
    """
    held = holding(accounts.rows, {name: rule.when for name, rule in settings.rules.items()})
    found = [
        pd.DataFrame({"account_id": accounts.index[held[name]], "rule": name, "severity": rule.severity})
        for name, rule in settings.rules.items()
    ]
    rows = stacked([pd.DataFrame(columns=["account_id", "rule", "severity"]), *found])
    rows = rows.merge(earlier.warnings, on=["account_id", "rule"], how="left")
    rows["since"] = pd.to_datetime(rows["since"], utc=True).fillna(pd.Timestamp(as_of))
    return rows.assign(as_of=pd.Timestamp(as_of))


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Frames one below the other. One without rows has no types, and would take those of the others away."""
    some = [frame for frame in frames if len(frame)]
    return pd.concat(some, ignore_index=True) if some else frames[0]


def _conditions_that_hold(accounts: Accounts, settings: InterventionSettings) -> dict[tuple[str, str], Flags]:
    """Whether each condition of a playbook and of a rule that starts one holds, by ("playbook" or "rule", its name)."""
    playbooks = {f"playbook {name}": one.when for name, one in settings.playbooks.items()}
    rules = {f"rule {name}": one.when for name, one in settings.rules.items() if one.start is not None}
    held = holding(accounts.rows, playbooks | rules)
    return {(kind, name): flags for key, flags in held.items() for kind, _, name in [key.partition(" ")]}


def _has_had_enough(
    accounts: Accounts, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime
) -> Flags:
    most = settings.policy.contacts_per_quarter
    if most is None:
        return np.zeros(len(accounts.ids), dtype=np.bool_)
    lately = earlier.since(as_of - timedelta(days=QUARTER_DAYS))
    contacts = lately.loc[lately["origin"].isin(CONTACTS), "account_id"].value_counts()
    return accounts.are_among(contacts.index[contacts >= most])


def _at_rest(
    name: str, accounts: Accounts, settings: InterventionSettings, earlier: EarlierDecisions, as_of: datetime
) -> Flags:
    """Accounts with an open intervention of the playbook, or an assignment (to it or to the holdout) within its cooldown."""
    since = as_of - timedelta(days=settings.playbooks[name].cooldown_days)
    begun, lately, assigned = earlier.open_at(as_of), earlier.since(since), earlier.assignments
    of_it = assigned["playbook"].isin((name, ALL)) & (assigned["assigned_at"] > since)
    resting = [assigned.loc[of_it, "account_id"]]
    resting += [
        each.loc[each["playbook"] == name, "account_id"] for each in (begun, lately[lately["decided_at"] > since])
    ]
    return accounts.are_among(pd.concat(resting))


def _of_playbook(
    name: str, accounts: Accounts, company: DecisionSettings, asked: Mapping[tuple[str, str], Flags], may: Flags
) -> pd.DataFrame:
    playbook, settings = company.settings.playbooks[name], company.settings
    starting = _by_severity({rule: one for rule, one in settings.rules.items() if one.start == name})
    must = np.zeros(len(may), dtype=np.bool_)
    for rule in starting:
        must |= asked["rule", rule]
    at = np.flatnonzero(may & (must | asked["playbook", name]))
    pairs = _valued(at, accounts, playbook, company, company.learnt.get(name))
    pairs["must"], pairs["playbook"], pairs["role"] = must[at], name, playbook.role
    pairs["rules"] = [
        tuple(rule for rule in starting if asked["rule", rule][row]) if is_asked else ()
        for row, is_asked in zip(at, must[at], strict=True)
    ]
    pairs["severity"] = [
        settings.rules[rules[0]].severity if rules else severity
        for rules, severity in zip(pairs["rules"], _severity(accounts, playbook.outcome, company, at), strict=True)
    ]
    pairs["arm"] = arms(list(pairs["account_id"]), name, playbook.control, settings.policy.holdout)
    # An account without a score has no expected gain; a rule can require the intervention nevertheless.
    return pairs.loc[pairs["must"] | (pairs["net"] > 0), list(PAIR)]


def _by_severity(rules: Mapping[str, Rule]) -> list[str]:
    """Their names, the most severe first."""
    return sorted(rules, key=lambda name: (-SEVERITIES.index(rules[name].severity), name))


def _valued(
    at: NDArray[np.intp], accounts: Accounts, playbook: Playbook, company: DecisionSettings, learnt: LearntEffect | None
) -> pd.DataFrame:
    """The expected gain of acting on the accounts in these places, one row each."""
    outcome = company.outcomes[playbook.outcome]
    probability = accounts.number(f"{playbook.outcome}_probability")[at]
    at_stake = np.nan_to_num(_at_stake(accounts, playbook.outcome, outcome)[at])
    effect = _effect(at, accounts, playbook, learnt, probability if outcome.is_risk else 1.0 - probability)
    own = accounts.rows.select(["account_id", *OF_ACCOUNT]).take(pa.array(at)).to_pandas()
    gain = effect.mean * at_stake
    valued: pd.DataFrame = own.assign(
        target=playbook.outcome, probability=probability, value_at_stake=at_stake, effect=effect.mean,
        effect_sd=effect.sd, effect_source=effect.source, cost=playbook.cost, gain=gain, net=gain - playbook.cost,
    )  # fmt: skip
    return valued


def _at_stake(accounts: Accounts, target: str, outcome: TargetedOutcome) -> Floats:
    if outcome.is_risk:
        return accounts.number(f"{target}_value_at_stake")
    missed = (1.0 - accounts.number(f"{target}_probability")) * accounts.number("value") * outcome.share
    return np.maximum(missed, 0.0)


def _effect(
    at: NDArray[np.intp], accounts: Accounts, playbook: Playbook, learnt: LearntEffect | None, chance: Floats
) -> Effect:
    names = list(learnt.features) if learnt is not None else []
    return effects_of(playbook, learnt, accounts.features[names].iloc[at].assign(**{CHANCE: np.nan_to_num(chance)}))


def _severity(accounts: Accounts, target: str, company: DecisionSettings, at: NDArray[np.intp]) -> list[str]:
    """The severity of a risk by its score; growth and accounts without a score have the lowest."""
    lowest = SEVERITIES[0]
    if not company.outcomes[target].is_risk:
        return [lowest] * len(at)
    return [word or lowest for word in accounts.rows[f"{target}_severity"].take(pa.array(at)).to_pylist()]
