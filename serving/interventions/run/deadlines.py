"""Deadlines are rows, not timers: one sweep in one transaction finds missed deadlines, and escalates or expires.

Each deadline is missed once, however many sweepers there are. A restart changes nothing: the next sweep finds what fell due
meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.database.audit_log import Act, append
from serving.database.engine import writing
from serving.database.intervention_states import ASSIGNED, OPEN
from serving.database.tables import deadlines, interventions
from serving.interventions.declare.settings import InterventionSettings
from serving.interventions.run.lifecycle import expire, intervention_messages
from serving.interventions.run.outbox import Message, enqueue

SWEEP = "the sweep"
AT_ONCE = 10_000
"""Deadlines in one transaction: SQLite has one writer at a time."""


@dataclass(frozen=True)
class SweepResult:
    """The counts of a sweep: missed deadlines, escalated interventions, expired interventions."""

    missed: int = 0
    escalated: int = 0
    expired: int = 0


def sweep(engine: sa.Engine, settings: InterventionSettings, now: datetime) -> SweepResult:
    """Settle every due deadline, `AT_ONCE` at a time: its `escalate_to` role gets a message, and an unclaimed intervention.

    DatabaseUnavailable; deadlines settled before it stay settled.
    """
    swept = SweepResult()
    while True:
        with writing(engine) as connection:
            due = _due_rows(connection, now)
            found = _settle_due(connection, due, settings, now)
        swept = SweepResult(
            swept.missed + found.missed, swept.escalated + found.escalated, swept.expired + found.expired
        )
        if len(due) < AT_ONCE:
            return swept


def _due_rows(connection: sa.Connection, now: datetime) -> list[Mapping[str, Any]]:
    """Running deadlines of the past, each with its intervention; rows locked by another sweeper are skipped."""
    is_due = deadlines.c.settled_at.is_(None), deadlines.c.due_at <= now
    own = (deadlines.c.deadline_id, deadlines.c.kind, deadlines.c.step, deadlines.c.escalate_to)
    missed_at = deadlines.c.due_at.label("missed_at")
    query = (
        sa.select(interventions, *own, missed_at)
        .join_from(deadlines, interventions, deadlines.c.intervention_id == interventions.c.intervention_id)
        .where(*is_due, interventions.c.status.in_(OPEN))
        .order_by(deadlines.c.due_at, deadlines.c.deadline_id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _settle_due(
    connection: sa.Connection, due: Sequence[Mapping[str, Any]], settings: InterventionSettings, now: datetime
) -> SweepResult:
    if not due:
        return SweepResult()
    expiring = [row for row in due if row["kind"] == "expire"]
    missed = [row for row in due if row["kind"] != "expire"]
    escalated = [row for row in missed if row["escalate_to"]]
    _mark(connection, [row["deadline_id"] for row in due], now)
    _hand_on(connection, [row for row in escalated if row["kind"] == "claim"], now)
    append(connection, [_act(row, now) for row in missed])
    enqueue(connection, [message for row in missed for message in _messages_of_missed(row, settings, now)], now)
    expire(connection, [row["intervention_id"] for row in expiring], SWEEP, now, settings)
    return SweepResult(len(missed), len(escalated), len(expiring))


def _mark(connection: sa.Connection, ids: Sequence[str], now: datetime) -> None:
    for start in range(0, len(ids), 1_000):
        own = deadlines.c.deadline_id.in_(ids[start : start + 1_000])
        connection.execute(sa.update(deadlines).where(own).values(settled_at=now, result="missed"))


def _hand_on(connection: sa.Connection, unclaimed: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """An unclaimed intervention goes to the role of the escalation, for any of its members."""
    change = (
        sa.update(interventions)
        .where(interventions.c.intervention_id == sa.bindparam("own"))
        .values(role=sa.bindparam("to"), owner=None, status=ASSIGNED, changed_at=now)
    )
    if unclaimed:
        connection.execute(change, [{"own": row["intervention_id"], "to": row["escalate_to"]} for row in unclaimed])


def _act(row: Mapping[str, Any], now: datetime) -> Act:
    detail = {
        "deadline": row["kind"],
        "step": row["step"],
        "due_at": row["missed_at"].isoformat(),
        "to": row["escalate_to"],
    }
    return Act(
        now,
        SWEEP,
        "intervention_escalated" if row["escalate_to"] else "intervention_overdue",
        row["intervention_id"],
        detail,
    )


def _messages_of_missed(row: Mapping[str, Any], settings: InterventionSettings, now: datetime) -> list[Message]:
    about = {name: row[name] for name in interventions.c.keys()}  # noqa: SIM118  a table is no dictionary
    is_escalated = row["escalate_to"] is not None
    if is_escalated and row["kind"] == "claim":
        about |= {"role": row["escalate_to"], "owner": None}
    type_ = "intervention.escalated" if is_escalated else "intervention.overdue"
    to = row["escalate_to"] or row["role"]
    return intervention_messages(settings, type_, row["deadline_id"], about, now, roles=(to,), urgent=is_escalated)
