"""Triggers: a posted event begins the intervention of an SLA with its deadlines, or ends an intervention about a resolved case.

This happens in the transaction that keeps the events: both are written, or neither.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.accounts.event_inbox import PostedEvent
from serving.database.intervention_states import DONE, OPEN
from serving.database.tables import account_segments, interventions, scores
from serving.interventions.declare.calendar import WorkingTime
from serving.interventions.declare.columns import PostedEventOfAccount, posted_rows
from serving.interventions.declare.expressions import holding
from serving.interventions.declare.settings import InterventionSettings, Role, Sla
from serving.interventions.run.lifecycle import Change, Deadline, NewIntervention, begin, change
from serving.segmentation.settings import TargetOf

RECENT = timedelta(days=1)
"""Older events are a backlog that is loaded; no SLA applies to them."""
SEVERITY = {"urgent": "critical", "high": "high", "normal": "medium", "low": "low"}
"""Severity of a case → severity of the intervention."""
ACTOR = "an event"


@dataclass(frozen=True)
class TriggerEvent:
    """A posted event, with the segments and scores of its account."""

    event: PostedEvent
    posted: PostedEventOfAccount

    @property
    def row(self) -> Mapping[str, Any]:
        return self.posted.event

    @property
    def cause(self) -> str:
        """The subject of the SLA: the case, for all its events, or else the event."""
        return self.row.get("case_id") or self.event.event_id

    @property
    def is_resolved(self) -> bool:
        """Whether the event ends a case: no intervention is needed any more."""
        return self.row.get("kind") == "resolved" and "case_id" in self.row


def react(
    connection: sa.Connection,
    events: Sequence[PostedEvent],
    settings: InterventionSettings,
    targets: Mapping[str, TargetOf],
    at: datetime,
) -> int:
    """Begin the interventions of SLAs about these events, and end those about resolved cases; the number that began.

    In the transaction of the connection. An event that is posted again begins nothing.
    """
    recent = [event for event in events if at - event.occurred_at <= RECENT] if settings.sla else []
    if not recent:
        return 0
    seen = _read_events(connection, recent)
    resolved = {(one.event.account_id, one.cause) for one in seen if one.is_resolved}
    # Locked before any note in the audit log: a process that waits for the log may hold one of these rows.
    settled = _resolved_interventions(connection, resolved, settings)
    held = holding(
        posted_rows([one.posted for one in seen], targets), {name: sla.when for name, sla in settings.sla.items()}
    )
    promised = [
        intervention_of_sla(one, name, settings, at)
        for name, holds in held.items()
        for one, is_so in zip(seen, holds, strict=True)
        if is_so and (one.event.account_id, one.cause) not in resolved
    ]
    began = begin(connection, promised, ACTOR, at, settings)
    for own in settled:
        change(connection, own, Change(DONE, ACTOR, at, outcome="case_resolved"), settings)
    return began


def sla_intervention_id(sla: str, account_id: str, cause: str) -> str:
    """The id of the intervention of an SLA for one account and one cause."""
    return f"iv_{hashlib.sha256(json.dumps([sla, account_id, cause]).encode()).hexdigest()[:24]}"


def intervention_of_sla(seen: TriggerEvent, name: str, settings: InterventionSettings, at: datetime) -> NewIntervention:
    """The intervention of an SLA about an event, with its deadlines counted from `at`."""
    sla, own = settings.sla[name], sla_intervention_id(name, seen.event.account_id, seen.cause)
    role, *others = sla.notify
    deadlines, steps = _deadlines_and_steps(sla, settings, at)
    return NewIntervention(
        own, seen.event.account_id, name, "sla", role, member(settings.roles[role], seen.posted.segmentation),
        SEVERITY.get(seen.row.get("severity", ""), "high"), _event_words(seen), at,
        due_at=max((one.due_at for one in deadlines if one.kind != "claim"), default=_claim_due_at(deadlines)),
        steps=steps, deadlines=deadlines, urgent=True, tell=tuple(others),
    )  # fmt: skip


def _claim_due_at(deadlines: Iterable[Deadline]) -> datetime | None:
    """The claim deadline: for some SLAs the only one, and without a due moment the intervention would be listed last."""
    return next((one.due_at for one in deadlines if one.kind == "claim"), None)


def member(role: Role, segmentation: Mapping[str, Any] | None) -> str | None:
    """The member of a role for an account: its owner, or the only member; None where there are several."""
    if role.members == "owner":
        return (segmentation or {}).get("owner")
    return role.members[0] if len(role.members) == 1 else None


def _deadlines_and_steps(
    sla: Sla, settings: InterventionSettings, at: datetime
) -> tuple[tuple[Deadline, ...], tuple[tuple[str, datetime], ...]]:
    """Deadlines and steps with their moments."""
    time = WorkingTime(settings.calendar, sla.business_hours)
    spans = (("claim", sla.claim_within), ("resolve", sla.resolve_within))
    whole = [Deadline(kind, time.due(at, span), None, sla.escalate_to) for kind, span in spans if span]
    steps = tuple((step.do, time.due(at, step.within)) for step in sla.steps)
    of_steps = [Deadline("step", due, number, sla.escalate_to) for number, (_, due) in enumerate(steps, 1)]
    return (*whole, *of_steps), steps


def _event_words(seen: TriggerEvent) -> str:
    """The event in words: urgent case 4711 of a strategic account, a complaint."""
    row, tier = seen.row, (seen.posted.segmentation or {}).get("tier")
    of_whom = f" of an account of tier {tier}" if tier else ""
    if "case_id" in row:
        what = " ".join(filter(None, (row.get("severity"), "case", row["case_id"])))
        return f"{what}{of_whom}" + (f": {row['topic']}" if row.get("topic") else f": {row['kind']}")
    what = " ".join(filter(None, (row.get("kind"), row.get("subject"), row.get("status"))))
    return f"{what or seen.event.stream}{of_whom}"


def _read_events(connection: sa.Connection, events: Sequence[PostedEvent]) -> list[TriggerEvent]:
    accounts = list({event.account_id for event in events})
    stood = {row["account_id"]: row for row in _rows_of(connection, account_segments, accounts)}
    scored: dict[str, list[Mapping[str, Any]]] = {}
    for row in _rows_of(connection, scores, accounts):
        scored.setdefault(row["account_id"], []).append(row)
    read = ((event, json.loads(event.row)) for event in events)
    return [
        TriggerEvent(
            event,
            PostedEventOfAccount(event.stream, row, stood.get(event.account_id), scored.get(event.account_id, [])),
        )
        for event, row in read
    ]


def _rows_of(connection: sa.Connection, table: sa.Table, accounts: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    for start in range(0, len(accounts), 1_000):
        own = table.c.account_id.in_(accounts[start : start + 1_000])
        yield from (dict(row) for row in connection.execute(sa.select(table).where(own)).mappings())


def _resolved_interventions(
    connection: sa.Connection, resolved: Iterable[tuple[str, str]], settings: InterventionSettings
) -> list[str]:
    """The ids of open interventions about resolved cases, given as account and case; the rows are locked."""
    ids = [sla_intervention_id(name, *about) for about in resolved for name in settings.sla]
    query = sa.select(interventions.c.intervention_id).order_by(interventions.c.intervention_id).with_for_update()
    found = list[str]()
    for start in range(0, len(ids), 1_000):
        own = interventions.c.intervention_id.in_(ids[start : start + 1_000])
        found += connection.execute(query.where(own, interventions.c.status.in_(OPEN))).scalars()
    return found
