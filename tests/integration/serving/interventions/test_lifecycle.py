"""An intervention from its beginning to its end: what may follow what, and what each change leaves behind."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from serving.database.audit_log import verify
from serving.database.engine import reading, writing
from serving.database.intervention_states import CLOSED, MAY, OPEN
from serving.database.tables import (
    METADATA,
    audit_log,
    deadlines,
    event_inbox,
    intervention_steps,
    interventions,
    outbox,
)
from serving.interventions.declare.settings import Channel, InterventionSettings, Role, Sla
from serving.interventions.run.deadlines import SweepResult, sweep
from serving.interventions.run.lifecycle import (
    Change,
    Deadline,
    NewIntervention,
    NoIntervention,
    NotAllowed,
    begin,
    change,
    finish_step,
)

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SOON = NOON + timedelta(minutes=10)
LATER = NOON + timedelta(hours=1)
TOLD = InterventionSettings(
    roles={"manager": Role(members="owner", channels=("chat",)), "lead": Role(members=("Lea",), channels=("mail",))},
    channels={
        "chat": Channel(kind="people", url="${CHAT}"),
        "mail": Channel(kind="people", url="${MAIL}"),
        "crm": Channel(
            kind="webhook", url="https://crm.example.com", types=("intervention.assigned", "intervention.done")
        ),
    },
)
BEGUN = NewIntervention(
    "i1", "A", "win_back", "decision", "manager", "Ada", "high", "no order for 61 days", NOON,
    due_at=NOON + timedelta(days=2), cost=120.0, expected=310.0,
    steps=(("call", NOON + timedelta(days=1)), ("repair plan", NOON + timedelta(days=2))),
    deadlines=(
        Deadline("claim", NOON + timedelta(minutes=15), escalate_to="lead"),
        Deadline("step", NOON + timedelta(days=1), step=1), Deadline("step", NOON + timedelta(days=2), step=2),
    ),
    tell=("lead",),
)  # fmt: skip


@pytest.fixture
def begun(database):
    """The database with the intervention, assigned."""
    with writing(database) as connection:
        assert begin(connection, [BEGUN], "the night", NOON, TOLD) == 1
    return database


def rows(database, table):
    with reading(database) as connection:
        return [dict(row) for row in connection.execute(sa.select(table)).mappings()]


def moved(database, to, **how):
    with writing(database) as connection:
        return change(connection, "i1", Change(to, how.pop("actor", "Ada"), how.pop("at", LATER), **how), TOLD)


def at(database, status):
    """The intervention in a state, whichever way it came there."""
    with writing(database) as connection:
        connection.execute(sa.update(interventions).values(status=status))


def test__begin__tells_its_role_those_named_and_every_webhook_that_wants_it(begun):
    assert {row["channel"] for row in rows(begun, outbox)} == {"chat", "mail", "crm"}
    told = json.loads(rows(begun, outbox)[0]["payload"])
    assert (told["type"], told["data"]["account_id"], told["data"]["due_at"]) == (
        "intervention.assigned", "A", "2026-03-04T12:00:00+00:00",
    )  # fmt: skip


def test__begin__again__leaves_everything_as_it_stands(begun):
    moved(begun, "claimed")
    before = {table.name: rows(begun, table) for table in METADATA.sorted_tables}
    with writing(begun) as connection:
        assert begin(connection, [BEGUN, BEGUN], "the night", LATER, TOLD) == 0
    assert {table.name: rows(begun, table) for table in METADATA.sorted_tables} == before


@pytest.mark.parametrize("status", [*OPEN, *CLOSED])
@pytest.mark.parametrize("to", [*OPEN, *CLOSED])
def test__change__is_allowed_where_the_table_says_so_and_refused_with_nothing_written(begun, status, to):
    at(begun, status)
    before = {table.name: rows(begun, table) for table in METADATA.sorted_tables}
    if to == status:
        assert moved(begun, to)["status"] == status
    elif to in MAY.get(status, ()):
        assert moved(begun, to, outcome="A wants no more")["status"] == to
        assert rows(begun, audit_log)[-1]["detail"] == json.dumps(
            {"from": status, "owner": "Ada", "owner_before": "Ada", "to": to}
        )
        return
    else:
        with pytest.raises(NotAllowed, match=f"it is {status}"):
            moved(begun, to)
    assert {table.name: rows(begun, table) for table in METADATA.sorted_tables} == before


def test__claim__of_what_another_has_claimed__is_refused_and_says_by_whom(begun):
    moved(begun, "claimed", owner="Ada")
    with pytest.raises(NotAllowed, match="claimed by Ada"):
        moved(begun, "claimed", owner="Ben")
    assert rows(begun, interventions)[0]["owner"] == "Ada"


def test__claim__meets_its_deadline_and_leaves_the_steps_running(begun):
    moved(begun, "claimed", at=SOON)
    assert {row["deadline_id"]: row["result"] for row in rows(begun, deadlines)} == {
        "i1/claim": "met", "i1/step-1": None, "i1/step-2": None,
    }  # fmt: skip


def test__claim__after_its_deadline__is_no_promise_kept_though_no_sweep_has_seen_it(begun):
    moved(begun, "claimed", at=LATER)
    assert {row["deadline_id"]: row["result"] for row in rows(begun, deadlines)}["i1/claim"] == "missed"


def test__hand_over__is_told_to_its_role(begun):
    moved(begun, "assigned", owner="Ben")
    (told,) = (row for row in rows(begun, outbox) if row["channel"] == "chat" and row["created_at"] == LATER)
    assert json.loads(told["payload"])["data"]["owner"] == "Ben"


def test__hand_over__of_what_was_claimed__starts_the_clock_of_the_claim_again(begun):
    promise = Sla(when="true", notify=("manager",), claim_within="15m", escalate_to="lead", business_hours="always")
    told = TOLD.model_copy(update={"sla": {"win_back": promise}})
    moved(begun, "claimed", at=SOON)
    with writing(begun) as connection:
        change(connection, "i1", Change("assigned", "Ada", LATER, owner="Ben"), told)
    due = LATER + timedelta(minutes=15)
    assert sweep(begun, told, due - timedelta(seconds=1)) == SweepResult()
    assert sweep(begun, told, due) == SweepResult(missed=1, escalated=1)
    assert rows(begun, interventions)[0]["role"] == "lead"
    assert sweep(begun, told, LATER + timedelta(days=told.policy.expire_days)).expired == 1


def test__begin__by_two_at_once__is_once(database):
    with ThreadPoolExecutor(4) as pool:

        def begin_it(number):
            with writing(database) as connection:
                return begin(connection, [BEGUN, replace(BEGUN, intervention_id=f"o{number}")], "an event", NOON, TOLD)

        assert sorted(pool.map(begin_it, range(4))) == [1, 1, 1, 2]
    assert len(rows(database, interventions)) == 5
    assert verify(database).is_whole


def test__step__done__meets_its_own_deadline_and_that_of_beginning_once(begun):
    with writing(begun) as connection:
        finish_step(connection, "i1", 1, "Ada", SOON)
        finish_step(connection, "i1", 1, "Ben", LATER + timedelta(hours=1))
    (step,) = (row for row in rows(begun, intervention_steps) if row["number"] == 1)
    assert (step["done_at"], step["done_by"]) == (SOON, "Ada")
    met = {row["deadline_id"] for row in rows(begun, deadlines) if row["result"] == "met"}
    assert met == {"i1/claim", "i1/step-1"}


@pytest.mark.parametrize(("to", "result"), [("done", "met"), ("dismissed", "void"), ("expired", "void")])
def test__end__settles_every_deadline_and_is_told_to_the_history(begun, to, result):
    moved(begun, to, outcome="renewed", note="signed for two years", at=SOON)
    assert {row["result"] for row in rows(begun, deadlines)} == {result}
    (told,) = rows(begun, event_inbox)
    assert (told["account_id"], told["stream"], told["occurred_at"]) == ("A", "engagement", SOON)
    assert {name: json.loads(told["row"])[name] for name in ("kind", "subject", "status")} == {
        "kind": "intervention", "subject": "win_back", "status": to,
    }  # fmt: skip
    ended = rows(begun, interventions)[0]
    assert (ended["closed_at"], ended["outcome"], ended["outcome_note"]) == (SOON, "renewed", "signed for two years")


def test__end__told_again_is_nothing_new__with_another_outcome_is_refused(begun):
    moved(begun, "done", outcome="renewed")
    assert moved(begun, "done", outcome="renewed")["outcome"] == "renewed"
    with pytest.raises(NotAllowed, match="it is done already, with the outcome 'renewed', which stays: add a comment"):
        moved(begun, "done", outcome="lost")
    assert [row["outcome"] for row in rows(begun, interventions)] == ["renewed"]


def test__chain__covers_every_change(begun):
    moved(begun, "claimed")
    moved(begun, "done")
    assert [row["action"] for row in rows(begun, audit_log)] == [
        "intervention_begun",
        "intervention_claimed",
        "intervention_done",
    ]
    assert verify(begun).broken_at is None


def test__unknown_intervention__is_said(database):
    with pytest.raises(NoIntervention, match="no intervention 'i1'"):
        moved(database, "claimed")
