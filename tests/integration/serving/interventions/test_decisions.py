"""Decisions: who is acted on and who is not, within what a week has left. Pure, so the laws are asked of made-up companies."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.families.eligibility import OPTED_OUT
from serving.interventions.decide.candidates import Accounts, DecisionSettings, TargetedOutcome
from serving.interventions.decide.decisions import decide_interventions, decision_intervention_id
from serving.interventions.decide.earlier_decisions import NO_DECISIONS, EarlierDecisions
from serving.interventions.decide.experiments import random_numbers
from serving.interventions.declare.settings import EffectPrior, InterventionSettings, Limits, Playbook, Role, Rule, Step

NIGHT = datetime(2026, 3, 4, tzinfo=UTC)
"""A Wednesday: its ISO week began on 2 March."""
OUTCOMES = {"churn": TargetedOutcome("churn"), "upsell": TargetedOutcome("upsell", 0.5)}


def playbook(when="true", target="churn", role="team", **how):
    told = {"cost": 10.0, "effect": EffectPrior(prior=0.1), "control": 0.0, "cooldown_days": 60, **how}
    return Playbook(when=when, **{"for": target}, role=role, **told)


def company(playbooks, rules=None, roles=None, **policy):
    roles = roles or {"team": Role(members=("Ann", "Bo"), capacity_per_week=5)}
    told = InterventionSettings(roles=roles, playbooks=playbooks, rules=rules or {}, policy=Limits(**policy))
    return DecisionSettings(told, OUTCOMES, currency="EUR")


def accounts(count=40, seed=0, **columns):
    """Accounts A0, A1 ... with made-up scores; `columns` replaces some of them."""
    draw = Random(seed)
    made = {
        "account_id": [f"A{number}" for number in range(count)],
        "name": [f"Company {number}" for number in range(count)],
        "owner": [draw.choice(["Eva", "Finn", None]) for _ in range(count)],
        "region": [draw.choice(["north", "south"]) for _ in range(count)],
        "industry": ["steel"] * count,
        "quadrant": ["routine"] * count,
        "value": [draw.uniform(100, 9_000) for _ in range(count)],
        "churn_probability": [draw.uniform(0.01, 0.9) for _ in range(count)],
        "churn_severity": [draw.choice(["low", "high", "critical"]) for _ in range(count)],
        "upsell_probability": [draw.uniform(0.01, 0.9) for _ in range(count)],
        "opted_out": [0.0] * count,
    } | columns
    opted_out = made.pop("opted_out")
    made["churn_value_at_stake"] = [p * v for p, v in zip(made["churn_probability"], made["value"], strict=True)]
    ids = pd.Index(made["account_id"], name="account_id")
    return Accounts(pa.table(made), pd.DataFrame({OPTED_OUT.name: opted_out}, index=ids))


def frame(columns, *rows):
    made = pd.DataFrame([dict(zip(columns, row, strict=True)) for row in rows], columns=columns)
    for name in {"decided_at", "closed_at", "assigned_at", "since"} & set(columns):
        made[name] = pd.to_datetime(made[name], utc=True)
    return made


def begun_before(*rows):
    """Interventions of before: (account, playbook, decided_at, closed_at, owner)."""
    columns = list(NO_DECISIONS.interventions.columns)
    filled = [
        (f"old {n}", account, name, "decision", "team", owner, 10.0, decided_at, closed_at)
        for n, (account, name, decided_at, closed_at, owner) in enumerate(rows)
    ]
    return dataclasses.replace(NO_DECISIONS, interventions=frame(columns, *filled))


def decide(company, rows=None, before=NO_DECISIONS, as_of=NIGHT):
    return decide_interventions([rows or accounts()], lambda chosen: {}, company, before, as_of)


def whom(found):
    return {one.account_id for one in found.interventions}


def test__net_value__is_effect_times_at_stake_minus_cost__of_growth_what_is_still_to_be_won():
    """1,000 at 40 % risk: 400 at stake, a tenth kept. 1,000 at 40 % chance, half as much more: 300 to be won."""
    rows = accounts(1, value=[1_000.0], churn_probability=[0.4], upsell_probability=[0.4])
    risk = decide(company({"call": playbook()}), rows).interventions[0]
    assert (risk.value_at_stake, risk.effect, risk.cost, risk.expected) == (400.0, 0.1, 10.0, 30.0)
    growth = decide(company({"offer": playbook(target="upsell")}), rows).interventions[0]
    assert (growth.value_at_stake, growth.expected) == (300.0, 20.0)
    assert growth.severity == "low"


def test__capacity__goes_to_those_that_bring_the_most__and_the_others_are_told_by_whom_it_is_used():
    rows = accounts()
    found = decide(company({"call": playbook()}), rows)
    stakes = pd.Series(rows.number("churn_value_at_stake"), rows.ids).sort_values(ascending=False)
    assert whom(found) == set(stakes.index[:10])
    assert found.not_chosen["account_id"].iloc[0] == stakes.index[10]
    least = stakes.iloc[9] * 0.1 - 10
    assert found.not_chosen["why"].iloc[0] == f"capacity of team is used by accounts worth {least:,.0f} or more"


def test__what_does_not_pay__is_begun_only_where_a_rule_asks():
    dear = {"call": playbook(cost=1e6)}
    assert decide(company(dear)).interventions == []
    rules = {"alarm": Rule(when="churn_severity = 'high'", start="call", severity="critical")}
    found = decide(company(dear, rules, {"team": Role(members=("Ann",))}))
    assert {one.origin for one in found.interventions} == {"rule"}
    assert found.interventions[0].reason.startswith("alarm (critical)")
    assert len(found.interventions) == len(found.warnings) > 0


def test__rules__come_first__the_most_severe_of_them_first():
    rules = {
        "loud": Rule(when="account_id in ('A1', 'A2', 'A3')", start="call", severity="critical"),
        "soft": Rule(when="true", start="call", severity="low"),
    }
    found = decide(company({"call": playbook("false")}, rules, {"team": Role(members=("Ann",), capacity_per_week=4)}))
    assert {"A1", "A2", "A3"} < whom(found)
    assert len(found.interventions) == 4


def test__several_playbooks__an_account_gets_the_one_that_brings_the_most():
    found = decide(company({"call": playbook(), "visit": playbook(effect=EffectPrior(prior=0.3), role="field")}, None, {
        "team": Role(members=("Ann",)), "field": Role(members=("Cleo",), capacity_per_week=3),
    }))  # fmt: skip
    assert len(whom(found)) == len(found.interventions)
    assert sum(one.playbook == "visit" for one in found.interventions) == 3


def test__opted_out_and_holdout__get_nothing__and_only_holdout_is_logged():
    rows = accounts(opted_out=[float(n < 20) for n in range(40)])
    found = decide(company({"call": playbook()}, None, {"team": Role(members=("Ann",))}, holdout=0.4), rows)
    held = set(np.array(rows.ids)[random_numbers(rows.ids, "") < 0.4])
    assert whom(found).isdisjoint({*rows.ids[:20], *held})
    logged = found.assignments[found.assignments["arm"] == "holdout"]
    assert set(logged["account_id"]) <= held - set(rows.ids[:20])
    assert set(logged["playbook"]) == {""}
    assert len(logged)


@pytest.mark.parametrize(
    ("days_ago", "closed_days_ago", "rests"),
    [(59, 50, True), (60, 50, False), (61, 50, False), (300, None, True), (300, 1, False), (300, -1, True)],
)
def test__cooldown_and_open_interventions__keep_an_account_at_rest(days_ago, closed_days_ago, rests):
    """One that is closed tomorrow is open today, whenever the database was read."""
    closed = None if closed_days_ago is None else NIGHT - timedelta(days=closed_days_ago)
    before = begun_before(("A1", "call", NIGHT - timedelta(days=days_ago), closed, "Ann"))
    everybody = company({"call": playbook()}, None, {"team": Role(members=("Ann",))})
    rows = accounts(churn_probability=[0.9] * 40, value=[5_000.0] * 40)
    assert ("A1" not in whom(decide(everybody, rows, before))) == rests
    other = company({"visit": playbook()}, None, {"team": Role(members=("Ann",))})
    assert "A1" in whom(decide(other, rows, before))


@pytest.mark.parametrize("arm", ["treatment", "control"])
def test__who_was_assigned__is_not_assigned_again_within_the_cooldown(arm):
    assigned = frame(list(NO_DECISIONS.assignments.columns), ("call", "A1", NIGHT - timedelta(days=30), arm))
    before = dataclasses.replace(NO_DECISIONS, assignments=assigned)
    rows = accounts(2, churn_probability=[0.9, 0.9], value=[9e3, 9e3])
    assert whom(decide(company({"call": playbook()}), rows, before)) == {"A0"}


def test__contacts_per_quarter__counts_decisions_of_ninety_days__whatever_the_playbook():
    lately, long_ago = NIGHT - timedelta(days=89), NIGHT - timedelta(days=91)
    before = begun_before(*(
        (account, name, moment, NIGHT - timedelta(days=1), "Ann")
        for account, moments in {"A0": (lately, lately), "A1": (lately, long_ago)}.items()
        for name, moment in zip(("visit", "letter"), moments, strict=True)
    ))  # fmt: skip
    rows = accounts(2, churn_probability=[0.9, 0.9], value=[9e3, 9e3])
    assert whom(decide(company({"call": playbook()}, contacts_per_quarter=2), rows, before)) == {"A1"}


def test__the_week__capacity_and_budget_are_what_is_left_of_it():
    """Three were begun since Monday, one on Sunday: of ten places seven are left, of 90 of the budget 60."""
    monday = datetime(2026, 3, 2, tzinfo=UTC)
    moments = [monday, monday, NIGHT - timedelta(hours=1), monday - timedelta(seconds=1)]
    before = begun_before(*((f"B{n}", "call", moment, None, "Ann") for n, moment in enumerate(moments)))
    rows = accounts(churn_probability=[0.9] * 40)
    assert len(decide(company({"call": playbook()}), rows, before).interventions) == 7
    assert len(decide(company({"call": playbook()}, budget_per_week=90.0), rows, before).interventions) == 6


def test__owners__each_has_a_capacity_of_his_own__and_does_what_is_his():
    roles = {"manager": Role(members="owner", capacity_per_week=2)}
    rows = accounts()
    found = decide(company({"call": playbook(role="manager")}, None, roles), rows)
    owner = dict(zip(rows.ids, rows.rows["owner"].to_pylist(), strict=True))
    assert all(one.owner == owner[one.account_id] for one in found.interventions)
    assert Counter(one.owner for one in found.interventions) == {"Eva": 2, "Finn": 2, None: 2}


def test__members__who_has_the_least_open_work_is_given_more():
    before = begun_before(*((f"B{n}", "x", NIGHT - timedelta(days=20), None, "Ann") for n in range(4)))
    found = decide(company({"call": playbook()}), before=before)
    owners = pd.Series([one.owner for one in found.interventions]).value_counts()
    assert owners.to_dict() == {"Bo": 7, "Ann": 3}


def test__control__is_the_lot__uses_no_capacity__and_is_chosen_as_treatment_is():
    """With twice as many to compare with: those kept are the ones that would have been among the best, and nobody else."""
    rows = accounts(400)
    found = decide(company({"call": playbook(control=0.5)}), rows)
    arms = found.assignments.set_index("account_id")["arm"]
    lot = dict(zip(rows.ids, random_numbers(rows.ids, "call"), strict=True))
    assert all((lot[account] < 0.5) == (arm == "control") for account, arm in arms.items())
    assert len(found.interventions) == 10
    stakes = pd.Series(rows.number("churn_value_at_stake"), rows.ids)
    least = min(stakes[account] for account in whom(found))
    assert set(arms.index[arms == "control"]) == {a for a in rows.ids if lot[a] < 0.5 and stakes[a] > least}


@pytest.mark.parametrize(("places_left", "logged"), [(0, False), (1, True)])
def test__control__worth_less_than_the_last_of_as_many_takers_as_places__is_not_logged(places_left, logged):
    """In treatment it would have had to put out somebody who is worth more; with a place left it would have been served."""
    rows = accounts(20)
    treated = random_numbers(rows.ids, "call") >= 0.5
    rows = accounts(20, value=[1_000.0] * 20, churn_probability=np.where(treated, 0.8, 0.4).tolist())
    roles = {"team": Role(members=("Ann",), capacity_per_week=int(treated.sum()) + places_left)}
    found = decide(company({"call": playbook(control=0.5)}, None, roles), rows)
    assert len(found.interventions) == treated.sum()
    assert (found.assignments["arm"] == "control").any() == logged


def test__control_of_its_best_playbook__gets_nothing_else_that_night():
    rows = accounts(200)
    both = {"call": playbook(control=0.5), "letter": playbook(effect=EffectPrior(prior=0.09), cost=10.0)}
    found = decide(company(both, None, {"team": Role(members=("Ann",))}), rows)
    kept = found.assignments.loc[found.assignments["arm"] == "control", "account_id"]
    assert len(kept) > 50
    assert whom(found).isdisjoint(kept)


@pytest.mark.parametrize("rules", [None, {"worried": Rule(when="true", start="call")}])
@pytest.mark.parametrize("spent", [{"capacity_per_week": 4}, {"budget_per_week": 40.0}])
def test__control__of_a_week_that_is_used_up__is_not_logged(rules, spent):
    """What has no place in treatment is kept from nobody: else the arms would not be alike."""
    before = begun_before(*[(f"other {n}", "call", NIGHT - timedelta(days=1), None, "Ann") for n in range(4)])
    roles = {"team": Role(members=("Ann",), capacity_per_week=spent.get("capacity_per_week"))}
    told = company({"call": playbook(control=0.5)}, rules, roles, budget_per_week=spent.get("budget_per_week"))
    assert (decide(told).assignments["arm"] == "control").any()
    assert decide(told, before=before).assignments.empty


def test__control__reaches_as_far_down_as_what_is_begun_once_the_places_of_the_spared_have_gone_to_others():
    """A third of those for a call are spared it, and nothing else is begun for them: their places go further down."""
    rows = accounts(600)
    both = {
        "call": playbook(control=0.3),
        "visit": playbook(effect=EffectPrior(prior=0.09)),
    }
    roles = {"team": Role(members=("Ann",), capacity_per_week=100)}
    found = decide(company(both, roles=roles), rows)
    least = min(one.value_at_stake for one in found.interventions)
    stakes = dict(zip(rows.ids, rows.number("churn_value_at_stake"), strict=True))
    spared = {name for name, lot in zip(rows.ids, random_numbers(rows.ids, "call"), strict=True) if lot < 0.3}
    logged = set(found.assignments.loc[found.assignments["arm"] == "control", "account_id"])
    assert len(found.interventions) == 100
    assert logged == {name for name in spared if stakes[name] > least}


def test__control__applies_to_what_rules_begin():
    rules = {"alarm": Rule(when="true", start="call")}
    found = decide(company({"call": playbook("false", control=0.5)}, rules, {"team": Role(members=("Ann",))}))
    assert found.assignments["arm"].value_counts().sum() == 40
    assert set(found.assignments["arm"]) == {"treatment", "control"}


def test__deadlines__steps_count_working_time_from_the_decision__and_what_nobody_begins_expires():
    steps = (Step(do="call", within="4h"), Step(do="plan", within="2d"))
    found = decide(company({"call": playbook(steps=steps, claim_within="1h")}, expire_days=10))
    one = found.interventions[0]
    nine = NIGHT.replace(hour=9)
    assert one.steps == (("call", nine + timedelta(hours=4)), ("plan", nine + timedelta(days=2)))
    assert one.due_at == nine + timedelta(days=2)
    assert [(each.kind, each.due_at) for each in one.deadlines] == [
        ("claim", nine + timedelta(hours=1)), ("step", one.steps[0][1]), ("step", one.due_at),
        ("expire", NIGHT + timedelta(days=10)),
    ]  # fmt: skip


def test__reason__rule_score_and_its_reasons_and_what_it_should_bring():
    rules = {"silent": Rule(when="true", start="call", severity="high")}
    rows = accounts(1, value=[10_000.0], churn_probability=[0.5])
    because = {("A0", "churn"): ["no order for 61 days", "two open complaints", "a third"]}
    found = decide_interventions(
        [rows], lambda chosen: because, company({"call": playbook()}, rules), NO_DECISIONS, NIGHT
    )
    assert found.interventions[0].reason == (
        "silent (high); churn 50%: no order for 61 days, two open complaints; "
        "€5,000 at stake, acting keeps 10% (assumed)"
    )


def test__warnings__keep_since_when_a_rule_has_held():
    monday = NIGHT - timedelta(days=2)
    before = dataclasses.replace(
        NO_DECISIONS, warnings=frame(list(NO_DECISIONS.warnings.columns), ("A1", "alarm", monday))
    )
    rules = {"alarm": Rule(when="account_id in ('A1', 'A2')", severity="low")}
    found = decide(company({}, rules), before=before).warnings
    assert [(row.account_id, row.severity, row.since, row.as_of) for row in found.itertuples()] == [
        ("A1", "low", monday, NIGHT), ("A2", "low", NIGHT, NIGHT),
    ]  # fmt: skip


def test__the_same_moment_decided_again__decides_nothing_twice():
    """What was left over because somebody is at rest is no reason to do more for him."""
    everybody = company({"call": playbook(control=0.3), "letter": playbook()}, None, {"team": Role(members=("Ann",))})
    first = decide(everybody)
    columns = list(NO_DECISIONS.assignments.columns)
    before = EarlierDecisions(NO_DECISIONS.interventions, first.assignments[columns], NO_DECISIONS.warnings)
    assert len(first.interventions) > 10
    assert decide(everybody, before=before).interventions == []


def test__ids__are_those_of_playbook_account_and_moment():
    assert decision_intervention_id("call", "A1", NIGHT) == decision_intervention_id("call", "A1", NIGHT)
    others = {decision_intervention_id(*which) for which in [("call", "A2", NIGHT), ("letter", "A1", NIGHT)]}
    assert decision_intervention_id("call", "A1", NIGHT) not in {
        *others,
        decision_intervention_id("call", "A1", NIGHT + timedelta(1)),
    }


@st.composite
def situations(draw):
    """A company, its accounts in some order, and what it did before."""
    members = draw(st.sampled_from(["owner", ("Ann",), ("Ann", "Bo", "Cy")]))
    roles = {
        "team": Role(members=members, capacity_per_week=draw(st.sampled_from([None, 0, 1, 3]))),
        "field": Role(members=("Dee",), capacity_per_week=draw(st.sampled_from([None, 2]))),
    }
    playbooks = {
        "call": playbook(control=draw(st.sampled_from([0.0, 0.3])), cost=draw(st.sampled_from([0.0, 25.0]))),
        "visit": playbook(role="field", target="upsell", control=draw(st.sampled_from([0.0, 0.5])), cost=40.0),
    }
    rules = {"alarm": Rule(when="churn_severity = 'critical'", start="call")} if draw(st.booleans()) else {}
    policy = {
        "holdout": draw(st.sampled_from([0.0, 0.3])),
        "budget_per_week": draw(st.sampled_from([None, 100.0])),
        "contacts_per_quarter": draw(st.sampled_from([None, 1])),
    }
    days = st.integers(0, 100)
    past = [
        (f"A{draw(st.integers(0, 29))}", draw(st.sampled_from(["call", "visit"])), NIGHT - timedelta(days=draw(days) + 1),
         draw(st.sampled_from([None, NIGHT - timedelta(hours=1), NIGHT + timedelta(hours=1)])), "Ann")
        for _ in range(draw(st.integers(0, 12)))
    ]  # fmt: skip
    rows = accounts(30, draw(st.integers(0, 99)), opted_out=[float(n % 7 == 0) for n in range(30)])
    return company(playbooks, rules, roles, **policy), rows, begun_before(*past), draw(st.permutations(range(30)))


@settings(max_examples=40, deadline=None)
@given(situations())
def test__laws__of_every_decision(situation):
    """Limits hold, nobody is acted on who must not be, the lot decides, and rows come in any order."""
    told, rows, before, order = situation
    found = decide(told, rows, before)
    playbooks, limits, roles = told.settings.playbooks, told.settings.policy, told.settings.roles
    acted = pd.DataFrame(
        [vars(one) for one in found.interventions], columns=["account_id", "playbook", "role", "owner", "cost"]
    )
    assert not acted["account_id"].duplicated().any()
    assert acted["account_id"].isin(set(np.array(rows.ids)[~rows.opted_out])).all()
    lately = before.interventions[before.interventions["decided_at"] > NIGHT - timedelta(days=60)]
    resting = {*zip(lately["account_id"], lately["playbook"], strict=True)}
    still_open = before.interventions[
        before.interventions["closed_at"].isna() | (before.interventions["closed_at"] > NIGHT)
    ]
    resting |= {*zip(still_open["account_id"], still_open["playbook"], strict=True)}
    assigned = found.assignments[found.assignments["arm"] != "holdout"]
    assert resting.isdisjoint(zip(assigned["account_id"], assigned["playbook"], strict=True))
    this_week = before.interventions[before.interventions["decided_at"] >= datetime(2026, 3, 2, tzinfo=UTC)]
    if limits.budget_per_week is not None:
        assert acted["cost"].sum() <= max(limits.budget_per_week - this_week["cost"].sum(), 0) + 1e-9
    for name, role in roles.items():
        own = acted[acted["role"] == name]
        if role.capacity_per_week is not None and role.members == "owner":
            assert (own["owner"].value_counts(dropna=False) <= role.capacity_per_week).all()
        elif role.capacity_per_week is not None:
            begun = (this_week["role"] == name).sum()
            assert len(own) <= max(role.capacity_per_week * len(role.members) - begun, 0)
    for row in found.assignments.itertuples():
        drawn = random_numbers([row.account_id], "" if row.arm == "holdout" else row.playbook)[0]
        share = limits.holdout if row.arm == "holdout" else playbooks[row.playbook].control
        assert (drawn < share) == (row.arm in {"control", "holdout"})
    in_other_order = Accounts(rows.rows.take(pa.array(order)), rows.features.iloc[list(order)])
    again = decide(told, in_other_order, before)
    assert again.interventions == found.interventions
    pd.testing.assert_frame_equal(again.assignments, found.assignments)
    pd.testing.assert_frame_equal(again.not_chosen, found.not_chosen)
