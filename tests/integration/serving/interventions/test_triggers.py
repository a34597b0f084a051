"""What posted events set going: an SLA's clocks, once for each case, and their end when the case is resolved."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.accounts.event_inbox import PostedEvent
from serving.database.engine import reading, writing
from serving.database.tables import account_segments, deadlines, interventions, outbox, scores
from serving.interventions.declare.settings import Calendar, Channel, InterventionSettings, Role, Sla
from serving.interventions.run.deadlines import sweep
from serving.interventions.run.triggers import RECENT, react, sla_intervention_id
from serving.segmentation.settings import TargetOf

MONDAY = datetime(2026, 3, 2, 16, 50, tzinfo=UTC)
"""17:50 in Berlin: ten minutes before closing."""
TARGETS = {"churn": TargetOf("churn", 90)}
TOLD = InterventionSettings(
    roles={
        "account_manager": Role(channels=("chat",)), "support_lead": Role(members=("Lea",), channels=("support",)),
        "product_manager": Role(members=("Pia", "Pol"), channels=("product",)), "director": Role(members=("Dora",), channels=("mail",)),
    },
    channels={name: Channel(kind="people", url=f"${{{name.upper()}}}") for name in ("chat", "support", "product", "mail")},
    calendar=Calendar(timezone="Europe/Berlin"),
    sla={
        "strategic_urgent": Sla(
            when="case_severity = 'urgent' and tier = 'strategic'", notify=("account_manager", "support_lead", "product_manager"),
            claim_within="15m", escalate_to="director",
        ),
        "crisis": Sla(
            when="event_kind = 'escalated'", notify=("support_lead",), business_hours="always",
            steps=[{"do": "repair plan", "within": "24h"}, {"do": "compensation", "within": "48h"}],
        ),
        "at_risk": Sla(when="event_kind = 'meeting' and event_status = 'cancelled' and churn_probability > 0.3", notify=("account_manager",)),
    },
)  # fmt: skip


@pytest.fixture
def known(database):
    """Account A as a night left it: strategic, owned by Ada, and at risk."""
    with writing(database) as connection:
        connection.execute(
            sa.insert(account_segments).values(account_id="A", as_of=MONDAY, owner="Ada", tier="strategic")
        )
        scored = {"as_of": MONDAY, "horizon_days": 90, "probability": 0.4, "model": "m", "model_version": "1"}
        connection.execute(sa.insert(scores).values(account_id="A", target="churn", **scored))
    return database


def case(number=1, account="A", at=MONDAY, **row):
    row = {
        "account_id": account,
        "kind": "opened",
        "case_id": f"C{number}",
        "severity": "urgent",
        "topic": "fault",
    } | row
    return PostedEvent(account, "service", f"{row['case_id']}/{row['kind']}", at, at, json.dumps(row))


def posted(database, *events, at=MONDAY):
    with writing(database) as connection:
        return react(connection, events, TOLD, TARGETS, at)


def rows(database, table):
    with reading(database) as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test__urgent_case_of_a_strategic_account__opens_a_task_and_tells_three_at_once(known):
    assert posted(known, case()) == 1
    (task,) = rows(known, interventions)
    assert (task["playbook"], task["role"], task["owner"], task["severity"]) == (
        "strategic_urgent",
        "account_manager",
        "Ada",
        "critical",
    )
    assert task["reason"] == "urgent case C1 of an account of tier strategic: fault"
    assert {row["channel"] for row in rows(known, outbox)} == {"chat", "support", "product"}
    assert all(row["urgent"] for row in rows(known, outbox))


def test__fifteen_minutes__count_while_people_work_and_then_it_is_the_directors(known):
    posted(known, case())
    due = datetime(2026, 3, 3, 8, 5, tzinfo=UTC)
    assert rows(known, deadlines)[0]["due_at"] == due, "ten minutes on Monday, five on Tuesday from 9:00"
    assert rows(known, interventions)[0]["due_at"] == due, "nothing else is promised"
    assert sweep(known, TOLD, due - timedelta(seconds=1)).missed == 0
    assert sweep(known, TOLD, due).escalated == 1
    assert rows(known, interventions)[0]["role"] == "director"
    assert [row["channel"] for row in rows(known, outbox) if row["type"] == "intervention.escalated"] == ["mail"]


def test__crisis__has_a_plan_within_24_and_compensation_within_48_hours_of_the_clock(known):
    posted(known, case(kind="escalated", severity="normal"))
    (task,) = rows(known, interventions)
    assert [(row["kind"], row["step"], row["due_at"] - MONDAY) for row in rows(known, deadlines)] == [
        ("step", 1, timedelta(hours=24)), ("step", 2, timedelta(hours=48)),
    ]  # fmt: skip
    assert task["due_at"] == MONDAY + timedelta(hours=48)


@pytest.mark.parametrize("event", [case(severity="high"), case(account="B"), case(at=MONDAY - RECENT - timedelta(minutes=1))],
                         ids=["not urgent", "of an account that no night has seen", "of a backlog"])  # fmt: skip
def test__what_nobody_promised__begins_nothing(known, event):
    assert posted(known, event) == 0
    assert rows(known, interventions) == []


def test__a_case_with_many_events__begins_one_task_however_often_it_is_posted(known):
    assert posted(known, case(), case(kind="reopened")) == 1
    assert posted(known, case(), case(kind="reopened"), at=MONDAY + timedelta(hours=1)) == 0
    assert len(rows(known, interventions)) == 1


def test__resolved__ends_what_was_promised_about_the_case_and_of_no_other(known):
    posted(known, case(1), case(2), case(1, kind="escalated"))
    posted(known, case(1, kind="resolved", severity=None), at=MONDAY + timedelta(minutes=5))
    ended = {row["intervention_id"]: row["status"] for row in rows(known, interventions)}
    assert ended == {
        sla_intervention_id("strategic_urgent", "A", "C1"): "done",
        sla_intervention_id("crisis", "A", "C1"): "done",
        sla_intervention_id("strategic_urgent", "A", "C2"): "assigned",
    }
    assert {
        row["result"]
        for row in rows(known, deadlines)
        if row["intervention_id"] != sla_intervention_id("strategic_urgent", "A", "C2")
    } == {"met"}


@pytest.mark.parametrize("order", [1, -1])
def test__a_case_that_is_over_when_it_is_posted__begins_nothing(known, order):
    events = (case(), case(kind="resolved"))
    assert posted(known, *events[::order]) == 0
    assert rows(known, interventions) == []


def test__conditions__see_the_score_of_the_last_night(known):
    row = {"account_id": "A", "kind": "meeting", "subject": "strategy", "status": "cancelled"}
    assert posted(known, PostedEvent("A", "engagement", "m1", MONDAY, MONDAY, json.dumps(row))) == 1
    assert rows(known, interventions)[0]["reason"] == "meeting strategy cancelled of an account of tier strategic"
