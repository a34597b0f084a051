"""The ready library: usable as it is, in every project."""

import pyarrow as pa
import pytest

from serving.interventions.declare.columns import ARROW, PostedEventOfAccount, columns_of_accounts, posted_rows
from serving.interventions.declare.expressions import holding
from serving.interventions.declare.inconsistent import inconsistencies
from serving.interventions.declare.library import library, unusable_playbooks, with_library
from serving.interventions.declare.settings import Calendar, InterventionSettings, Length, Library, Role, Sla
from serving.segmentation.settings import QUADRANTS, TargetOf

CHURN = {"leaving": TargetOf("churn", 90)}
ALL = Library(playbooks="all", rules="all", sla="all")
NOTHING = InterventionSettings()


def holds(conditions, **known):
    """The names of the conditions that hold for an account of which only this is known."""
    columns = columns_of_accounts(CHURN)
    row = pa.table({name: pa.array([known.get(name)], ARROW[one.type]) for name, one in columns.items()})
    return {
        name for name, answer in holding(row, {name: one.when for name, one in conditions.items()}).items() if answer
    }


@pytest.mark.parametrize(
    "targets",
    [CHURN, {"renewal": TargetOf("contract_churn", 90)}, {**CHURN, "soon": TargetOf("churn", 30)}, {}],
    ids=["churn", "contracts", "two of a kind", "none"],
)
def test__with_library__all_of_it__fits_any_project(targets):
    """Conditions read no column, and playbooks no target, that the project does not have."""
    merged, problems = with_library(NOTHING, ALL, targets)
    assert problems == []
    assert inconsistencies(merged, targets) == []
    assert len(merged.rules) == len(library().rules)
    assert {playbook.outcome for playbook in merged.playbooks.values()} <= {next(iter(targets), "")}


def test__with_library__a_growth_target__brings_the_playbooks_of_growth():
    targets = {**CHURN, "more": TargetOf("upsell", 90)}
    merged, _ = with_library(NOTHING, ALL, targets)
    assert set(merged.playbooks) == set(library().playbooks)
    assert merged.playbooks["joint_growth_plan"].outcome == "more"
    assert merged.playbooks["win_back_offer"].outcome == "leaving"
    assert unusable_playbooks(ALL, targets) == {}


def test__left_out__all_without_a_growth_target__says_what_it_would_take():
    said = unusable_playbooks(ALL, CHURN)
    assert set(said) == {"joint_growth_plan", "beta_invitation", "upgrade_plan"}
    assert "it needs a target of kind upsell or cross_sell; add a table [targets.upsell]" in said["upgrade_plan"]


def test__with_library__named_without_its_target__is_an_error():
    merged, problems = with_library(NOTHING, Library(playbooks=("upgrade_plan",)), CHURN)
    assert "upgrade_plan" not in merged.playbooks
    assert problems == [
        'library.playbooks has "upgrade_plan": it needs a target of kind upsell or cross_sell; add a table [targets.upsell]'
    ]


def test__with_library__misspelt__the_nearest_are_suggested():
    _, problems = with_library(NOTHING, Library(rules=("reference_remove",), sla=("xyzzy",)), CHURN)
    assert problems[0].endswith("the library has no such entry; did you mean reference_removed?")
    assert problems[1].endswith("the library has no such entry; docs/reference/playbooks.md lists it")


def test__with_library__a_table_of_the_same_name__replaces_the_entry():
    own = library().model_copy(update={"playbooks": {}, "rules": {}, "sla": {}, "roles": {}})
    mine = library().playbooks["repair_plan"].model_copy(update={"cost": 7.0, "outcome": "leaving", "role": "ours"})
    own = own.model_copy(update={"playbooks": {"repair_plan": mine}})
    merged, _ = with_library(own, Library(playbooks=("repair_plan", "insight_report")), CHURN)
    assert merged.playbooks["repair_plan"] == mine
    assert set(merged.playbooks) == {"repair_plan", "insight_report"}


def test__with_library__roles_come_along_as_far_as_they_are_needed():
    merged, _ = with_library(NOTHING, Library(playbooks=("insight_report",), sla=("growth_after_sales",)), CHURN)
    assert set(merged.roles) == {"success_manager", "support_lead", "department_director"}
    assert with_library(NOTHING, Library(), CHURN)[0] == NOTHING


def test__with_library__rule_whose_playbook_is_not_in_use__only_warns():
    alone, _ = with_library(NOTHING, Library(rules=("complaint_unresolved",)), CHURN)
    beside, _ = with_library(NOTHING, Library(rules=("complaint_unresolved",), playbooks=("repair_plan",)), CHURN)
    assert alone.rules["complaint_unresolved"].start is None
    assert beside.rules["complaint_unresolved"].start == "repair_plan"


@pytest.mark.parametrize("quadrant", QUADRANTS)
def test__playbooks__an_account_at_risk_of_any_quadrant__has_one(quadrant):
    found = holds(library().playbooks, quadrant=quadrant, band="high", risk=0.95, meetings_days_since_review=10.0)
    assert (
        found
        & {
            "strategic_core": {"dedicated_team"},
            "stable_contributor": {"insight_report"},
            "high_potential_growth": {"growth_check_in"},
            "routine": {"reorder_reminder"},
        }[quadrant]
    )


@pytest.mark.parametrize(
    ("known", "playbook"),
    [
        ({"quadrant": "strategic_core"}, "quarterly_review"),
        ({"quadrant": "stable_contributor", "meetings_days_since_review": 176.0}, "half_yearly_review"),
        ({"quadrant": "high_potential_growth", "engagement_ideas_count_365d": 1.0}, "beta_invitation"),
        ({"quadrant": "high_potential_growth", "potential": 0.8, "band": "low"}, "joint_growth_plan"),
        ({"tier": "strategic", "health": 50.0}, "one_customer_one_plan"),
        ({"band": "high", "long_without_repurchase": True, "quadrant": "stable_contributor"}, "win_back_offer"),
        ({"segment": "new", "days_known": 3.0}, "welcome_guide"),
        ({"browses_without_buying": True}, "coupon_after_browsing"),
        ({"quadrant": "routine", "engagement_points_sum": 20.0, "band": "medium"}, "member_event"),
        ({"complaint_unresolved_7d": True}, "repair_plan"),
        ({"telemetry_energy_ratio_90d": 1.3}, "upgrade_plan"),
        ({"days_to_anniversary": 0.0, "days_since_joined": 365.0}, "anniversary_greeting"),
        ({"days_to_birthday": 12.0}, "birthday_greeting"),
        ({"health": 39.0}, "reinforcement_plan"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test__playbooks__the_situation_that_one_is_for__is_what_it_holds_for(known, playbook):
    assert playbook in holds(library().playbooks, **known)
    assert playbook not in holds(library().playbooks)


def test__rules__an_account_of_which_nothing_is_known__is_not_warned_of():
    assert holds(library().rules) == set()


def test__rules__fall_into_the_cultivation_pool__is_told_on_the_night_of_the_move():
    moved = {"segment": "low_frequency", "segment_before": "high_value"}
    assert "into_cultivation_pool" in holds(library().rules, **moved)
    assert "into_cultivation_pool" not in holds(library().rules, **moved | {"segment_before": "low_frequency"})


def promises(tier, **event):
    """The SLAs of an event of an account of that tier."""
    row = posted_rows([PostedEventOfAccount("service", {"account_id": "a", **event}, {"tier": tier}, [])], CHURN)
    asked = {name: sla.when for name, sla in library().sla.items()}
    return {name for name, answer in holding(row, asked).items() if answer}


def test__slas__what_each_is_for():
    assert promises("strategic", kind="opened", severity="urgent") == {"strategic_urgent"}
    assert promises("potential", kind="opened", severity="urgent") == set()
    assert promises("growth", kind="opened", severity="low") == {"growth_after_sales"}
    assert promises("growth", kind="resolved") == set()
    assert promises(None, kind="escalated") == {"crisis"}
    assert promises("strategic", kind="opened", topic="complaint", severity="urgent") == {"strategic_urgent", "crisis"}


def test__slas__promise_what_the_company_asked_for():
    urgent, after_sales, crisis = (library().sla[name] for name in ("strategic_urgent", "growth_after_sales", "crisis"))
    assert urgent.notify == ("account_manager", "support_lead", "product_manager")
    assert (urgent.claim_within, urgent.escalate_to) == (Length(15, "m"), "department_director")
    assert after_sales.resolve_within == Length(4, "h")
    assert [(step.do, step.within) for step in crisis.steps] == [
        ("repair plan", Length(24, "h")),
        ("compensation", Length(48, "h")),
    ]


@pytest.mark.parametrize("hours", ["Mon-Fri 18:00-09:00", "Mon-Fri 09:00-25:00", "Foo-Bar 09:00-18:00"])
def test__hours_that_mean_nothing__are_found_before_an_event_needs_them(hours):
    sla = Sla(when="case_severity = 'urgent'", notify=("lead",), claim_within="15m", business_hours=hours)
    told = InterventionSettings(roles={"lead": Role()}, sla={"urgent": sla}, calendar=Calendar(business_hours=hours))
    found = inconsistencies(told, {})
    assert [problem.split(" = ")[0] for problem in found] == ["sla.urgent.business_hours", "calendar.business_hours"]
