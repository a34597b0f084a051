"""Deciding, sweeping and delivering, killed with -9 at any moment while the receiver fails: nothing is lost, nothing is twofold.

Few kills by default, so that every run of the tests has some; FORESAIL_SOAK_KILLS says how many.
"""

import json
import logging
import os
from collections import Counter
from datetime import timedelta

import pytest
from interventions_at_work import CAPACITY, WEEK, Company, Moody, decide, deliver, sweep_due, week
from night_company import NIGHT, company_in, plan_of, run, table_of

from serving.accounts.event_inbox import PostedEvent
from serving.database.audit_log import verify
from serving.database.engine import open_engine, writing
from serving.database.tables import assignments, audit_log, deadlines, event_inbox, interventions, outbox
from serving.database.upgrade import upgrade
from serving.interventions.deliver.outbox_admin import replay_dead
from serving.interventions.run.outbox import Message
from serving.interventions.run.triggers import react

log = logging.getLogger("soak")

KILLS = int(os.environ.get("FORESAIL_SOAK_KILLS", "2"))
SEED = int(os.environ.get("FORESAIL_SOAK_SEED", "0"))
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
CASES = 30
"""Urgent ones in a week."""


@pytest.fixture
def company(empty_database, tmp_path):
    """Sixty accounts and a night that decides nothing."""
    receiver, engine = Moody(SEED), open_engine(empty_database)
    upgrade(engine)
    company = Company(empty_database, company_in(tmp_path), receiver, SEED)
    run(plan_of(company.folder, interventions=company.settings), engine)
    yield company, engine
    receiver.close()
    engine.dispose()


def urgent_cases(engine, settings, at):
    """Cases come in, which the company has promised to look after."""
    events = [urgent_case(f"A{number}", f"{at:%Y-%m-%d} {number}", at) for number in range(CASES)]
    with writing(engine) as connection:
        assert react(connection, events, settings, {}, at) == CASES


def urgent_case(account, case, at):
    row = {
        "account_id": account, "occurred_at": at.isoformat(), "known_at": at.isoformat(), "event_id": f"opened {case}",
        "case_id": case, "kind": "opened", "severity": "urgent",
    }  # fmt: skip
    return PostedEvent(account, "service", row["event_id"], at, at, json.dumps(row))


def disturbed_week(company, engine, number, seconds):
    """Cases come in; the week is decided, its deadlines pass, and all of it is told, by processes most of which are killed."""
    at = week(number)
    late = at + 2 * DAY
    urgent_cases(engine, company.settings, at)
    company.killed((decide, at), (deliver, at + MINUTE), seconds=seconds)
    company.completed(decide, at)
    for minute in range(0, 12, 3):
        company.killed((sweep_due, late), (deliver, late + minute * MINUTE), seconds=seconds)
    company.completed(sweep_due, late)


def calm_week(company, engine, number):
    """The seconds of each kind of work until it writes, and after."""
    at = week(number)
    urgent_cases(engine, company.settings, at)
    return {
        decide: company.completed(decide, at),
        sweep_due: company.completed(sweep_due, at + 2 * DAY),
        deliver: company.completed(deliver, at + 2 * DAY),
    }


def deliver_the_rest(company, engine, at):
    """The receiver is well again, and somebody sends again what had been given up. A busy machine may answer too late even so."""
    company.receiver.is_well = True
    for number in range(50):
        if not told_to_nobody(engine):
            return
        replay_dead(engine, "somebody", at + number * WEEK)
        company.completed(deliver, at + number * WEEK)
    raise AssertionError(f"nobody was told {told_to_nobody(engine)}")


def told_to_nobody(engine):
    return [row["message_id"] for row in table_of(engine, outbox) if row["state"] != "delivered"]


def assert_decided_alike(engine, weeks):
    """Every week has the interventions and the control of the first two, in which nobody was killed."""
    arms = Counter((row["assigned_at"], row["arm"]) for row in table_of(engine, assignments))
    assert {arm for _, arm in arms} == {"treatment", "control"}
    accounts = {number: {} for number in range(weeks)}
    for row in table_of(engine, assignments):
        accounts[(row["assigned_at"] - NIGHT) // WEEK][row["account_id"]] = row["arm"]
    assert [accounts[number] for number in range(weeks)] == [accounts[0]] * weeks
    decided = Counter(row["decided_at"] for row in table_of(engine, interventions) if row["origin"] == "decision")
    assert decided == {week(number): CAPACITY for number in range(weeks)}


def assert_deadlines_missed_once(engine):
    """Each has a result and one act; what was to be claimed went on to the director, once."""
    found = table_of(engine, deadlines)
    assert {row["result"] for row in found} == {"missed"}
    acts = Counter(
        (row["subject"], detail["deadline"], detail["to"])
        for row in table_of(engine, audit_log)
        if row["action"] in {"intervention_escalated", "intervention_overdue"}
        for detail in [json.loads(row["detail"])]
    )
    missed = ((row["intervention_id"], row["kind"], row["escalate_to"]) for row in found if row["kind"] != "expire")
    assert acts == Counter(missed)
    assert set(acts.values()) == {1}


def assert_ended_once(engine):
    """Decisions expired, each with one event for the history; promises are the director's."""
    ended = Counter(row["intervention_id"] for row in table_of(engine, interventions) if row["status"] == "expired")
    told = Counter(row["event_id"] for row in table_of(engine, event_inbox))
    assert told == {f"{own}/expired": 1 for own in ended}
    roles = {(row["origin"], row["status"], row["role"]) for row in table_of(engine, interventions)}
    assert roles == {("decision", "expired", "team"), ("sla", "assigned", "director")}


def to_be_told(engine):
    """The ids under which a receiver must hear of all that happened, made of what happened, not of the outbox."""
    begun = table_of(engine, interventions)
    missed = [row for row in table_of(engine, deadlines) if row["kind"] != "expire"]
    ended = [row for row in begun if row["status"] == "expired"]
    told = [
        *(("assigned", row["intervention_id"]) for row in begun),
        *(("escalated" if row["escalate_to"] else "overdue", row["deadline_id"]) for row in missed),
        *(("expired", f"{row['intervention_id']}/{row['closed_at'].isoformat()}") for row in ended),
    ]
    return sorted(Message("crm", f"intervention.{what}", cause, {}).message_id for what, cause in told)


def test__killed_at_any_moment__everything_is_decided_missed_and_told__exactly_once_to_who_dedupes_by_id(company):
    company, engine = company
    # Whatever is done for the first time takes longer than it will.
    seconds, weeks = [calm_week(company, engine, number) for number in range(2)][1], 2
    while company.kills.total() < KILLS:
        disturbed_week(company, engine, weeks, seconds)
        weeks += 1
    deliver_the_rest(company, engine, week(weeks))
    assert_decided_alike(engine, weeks)
    assert_deadlines_missed_once(engine)
    assert_ended_once(engine)
    assert sorted(company.receiver.dealt_with) == to_be_told(engine)
    assert verify(engine).is_whole
    log.info(figures(company, engine, weeks))


def figures(company, engine, weeks):
    """For `pytest --log-cli-level=INFO`."""
    receiver, attempts = company.receiver, Counter(row["attempts"] for row in table_of(engine, outbox))
    return (
        f"{engine.dialect.name}: {dict(company.kills)} killed in {weeks} weeks; {len(table_of(engine, interventions))} "
        f"interventions, {len(receiver.dealt_with)} messages, {receiver.came.total()} arrivals, at most "
        f"{max(receiver.came.values())} of one; attempts {dict(sorted(attempts.items()))}; {verify(engine).acts} acts"
    )
