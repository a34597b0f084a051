"""The sweep: what was missed goes on to whom it should, once, however many sweep and whenever they begin."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.database.audit_log import verify
from serving.database.engine import reading, writing
from serving.database.tables import METADATA, audit_log, deadlines, event_inbox, interventions, outbox
from serving.interventions.declare.settings import Channel, InterventionSettings, Role
from serving.interventions.run.deadlines import SweepResult, sweep
from serving.interventions.run.lifecycle import Change, Deadline, NewIntervention, begin, change

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOLD = InterventionSettings(
    roles={"manager": Role(channels=("chat",)), "director": Role(members=("Dora",), channels=("mail",))},
    channels={"chat": Channel(kind="people", url="${CHAT}"), "mail": Channel(kind="people", url="${MAIL}")},
)
CLAIM = Deadline("claim", NOON + 15 * MINUTE, escalate_to="director")
STEP = Deadline("step", NOON + 60 * MINUTE, step=1)
EXPIRE = Deadline("expire", NOON + timedelta(days=30))


def begun(database, *due, count=1):
    many = [
        NewIntervention(
            f"i{number}",
            "A",
            "strategic_urgent",
            "sla",
            "manager",
            "Ada",
            "critical",
            "urgent case",
            NOON,
            deadlines=due,
        )
        for number in range(count)
    ]
    with writing(database) as connection:
        begin(connection, many, "an event", NOON, TOLD)
        connection.execute(sa.delete(outbox))


def rows(database, table):
    with reading(database) as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def test__before_it_is_due__nothing_happens(database):
    begun(database, CLAIM)
    assert sweep(database, TOLD, NOON + 15 * MINUTE - timedelta(microseconds=1)) == SweepResult()
    assert [row["settled_at"] for row in rows(database, deadlines)] == [None]


def test__unclaimed__goes_to_the_director_who_is_told_at_once(database):
    begun(database, CLAIM)
    assert sweep(database, TOLD, NOON + 15 * MINUTE) == SweepResult(missed=1, escalated=1)
    (it,), (message,) = rows(database, interventions), rows(database, outbox)
    assert (it["status"], it["role"], it["owner"]) == ("assigned", "director", None)
    assert (message["channel"], message["type"], message["urgent"]) == ("mail", "intervention.escalated", True)
    assert rows(database, audit_log)[-1]["action"] == "intervention_escalated"
    assert rows(database, deadlines)[0]["result"] == "missed"
    assert rows(database, deadlines)[0]["settled_at"] == NOON + 15 * MINUTE


def test__a_role_that_is_declared_no_more__does_not_keep_the_others_from_being_told(database):
    begun(database, CLAIM, STEP)
    assert sweep(
        database, TOLD.model_copy(update={"roles": {"manager": TOLD.roles["manager"]}}), NOON + 61 * MINUTE
    ) == (SweepResult(missed=2, escalated=1))
    assert [row["channel"] for row in rows(database, outbox)] == ["chat"]


def test__claimed_in_time__is_not_escalated(database):
    begun(database, CLAIM)
    with writing(database) as connection:
        change(connection, "i0", Change("claimed", "Ada", NOON + 14 * MINUTE), TOLD)
    assert sweep(database, TOLD, NOON + 60 * MINUTE) == SweepResult()


def test__a_step_that_is_late__is_told_to_who_is_to_do_it(database):
    begun(database, STEP)
    assert sweep(database, TOLD, NOON + 61 * MINUTE) == SweepResult(missed=1)
    (it,), (message,) = rows(database, interventions), rows(database, outbox)
    assert (it["role"], it["owner"]) == ("manager", "Ada")
    assert (message["channel"], message["type"], message["urgent"]) == ("chat", "intervention.overdue", False)


def test__what_nobody_has_begun__expires_and_its_other_deadlines_are_void(database):
    begun(database, EXPIRE, Deadline("step", NOON + timedelta(days=40), step=1))
    assert sweep(database, TOLD, NOON + timedelta(days=31)) == SweepResult(expired=1)
    assert rows(database, interventions)[0]["status"] == "expired"
    assert {row["result"] for row in rows(database, deadlines)} == {"missed", "void"}
    assert len(rows(database, event_inbox)) == 1


def test__many_that_expire__in_portions__are_each_told_noted_and_in_the_history_once(database, monkeypatch):
    """And as they stand by then: what nobody claimed had gone to the director in the same sweep."""
    monkeypatch.setattr("serving.interventions.run.lifecycle.AT_ONCE", 2)
    begun(database, CLAIM, EXPIRE, count=5)
    with writing(database) as connection:
        change(connection, "i4", Change("claimed", "Ada", NOON), TOLD)
    crm = {
        **TOLD.channels,
        "crm": Channel(kind="webhook", url="https://crm.example.com", types=("intervention.expired",)),
    }
    found = sweep(database, TOLD.model_copy(update={"channels": crm}), EXPIRE.due_at)
    assert found == SweepResult(missed=4, escalated=4, expired=4)
    status = {row["intervention_id"]: row["status"] for row in rows(database, interventions)}
    assert status == {f"i{number}": "expired" for number in range(4)} | {"i4": "claimed"}
    told = [json.loads(row["payload"])["data"] for row in rows(database, outbox) if row["channel"] == "crm"]
    assert sorted(one["intervention_id"] for one in told) == [f"i{number}" for number in range(4)]
    assert {(one["status"], one["role"], one["owner"]) for one in told} == {("expired", "director", None)}
    acts = [row["subject"] for row in rows(database, audit_log) if row["action"] == "intervention_expired"]
    assert (
        sorted(acts)
        == sorted(row["event_id"].partition("/")[0] for row in rows(database, event_inbox))
        == sorted(set(acts))
    )
    assert verify(database).broken_at is None


def test__sweeping_again__changes_nothing(database):
    begun(database, CLAIM, STEP, EXPIRE)
    sweep(database, TOLD, NOON + timedelta(days=31))
    before = {table.name: rows(database, table) for table in METADATA.sorted_tables}
    assert sweep(database, TOLD, NOON + timedelta(days=32)) == SweepResult()
    assert {table.name: rows(database, table) for table in METADATA.sorted_tables} == before


@pytest.mark.parametrize("sweepers", [4])
def test__many_sweepers__miss_each_deadline_once(database, sweepers):
    begun(database, CLAIM, count=60)
    with ThreadPoolExecutor(sweepers) as pool:
        found = list(pool.map(lambda _: sweep(database, TOLD, NOON + 20 * MINUTE), range(sweepers)))
    assert sum(one.missed for one in found) == 60
    assert len(rows(database, outbox)) == 60
    assert sum(row["action"] == "intervention_escalated" for row in rows(database, audit_log)) == 60
    assert verify(database).broken_at is None
