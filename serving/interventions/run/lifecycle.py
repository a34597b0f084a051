"""The states of an intervention, and the only code that moves an intervention from state to state.

    proposed ─► assigned ─► claimed ─► in_progress ─► done
                    └───────────┴───────────┴──────► dismissed, expired

A change, its acts in the audit log, its deadlines, its messages and its event in the history are one transaction: a killed
process leaves all of it or nothing.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from features.errors import ExitCode, ForesailError
from serving.accounts.event_inbox import PostedEvent, post
from serving.database.audit_log import Act, append
from serving.database.engine import insert_missing
from serving.database.intervention_states import ASSIGNED, CLAIMED, CLOSED, DISMISSED, DONE, EXPIRED, IN_PROGRESS, MAY
from serving.database.tables import deadlines, intervention_comments, intervention_steps, interventions
from serving.interventions.declare.calendar import WorkingTime
from serving.interventions.declare.settings import InterventionSettings
from serving.interventions.run.outbox import Message, enqueue


class NoIntervention(ForesailError, LookupError):
    """There is no intervention of that id."""

    exit_code = ExitCode.USAGE


class NotAllowed(ForesailError, ValueError):
    """The intervention is in a state that does not lead there; the message says in which and what it leads to."""

    exit_code = ExitCode.USAGE


AT_ONCE = 1_000
"""Interventions that one statement names."""


@dataclass(frozen=True)
class Deadline:
    """A due moment, business hours counted. `escalate_to` is the role that is told if it is missed."""

    kind: str
    """claim, resolve, step or expire."""
    due_at: datetime
    step: int | None = None
    escalate_to: str | None = None


@dataclass(frozen=True)
class NewIntervention:
    """An intervention as it begins; the fields are described as the columns of the table interventions."""

    intervention_id: str
    account_id: str
    playbook: str
    origin: str
    role: str
    owner: str | None
    severity: str
    reason: str
    decided_at: datetime
    due_at: datetime | None = None
    say: str | None = None
    cost: float = 0.0
    expected: float | None = None
    effect: float | None = None
    effect_source: str | None = None
    value_at_stake: float | None = None
    steps: tuple[tuple[str, datetime], ...] = ()
    """Each step with its due moment, in order."""
    deadlines: tuple[Deadline, ...] = field(default=())
    urgent: bool = False
    """Whether messages to people are sent at once, not in a digest."""
    tell: tuple[str, ...] = ()
    """Roles that get a message besides the role of the intervention."""


@dataclass(frozen=True)
class Change:
    """A change of one intervention: the new state, the actor, the owner or outcome."""

    to: str
    actor: str
    at: datetime
    owner: str | None = None
    outcome: str | None = None
    note: str | None = None


def begin(
    connection: sa.Connection,
    begun: Sequence[NewIntervention],
    actor: str,
    at: datetime,
    settings: InterventionSettings,
) -> int:
    """Write new interventions, assigned, with their steps, deadlines, acts and messages; the number of new ones.

    In the transaction of the connection. An intervention whose id exists stays as it is, so that a repeated decision begins
    nothing twice.
    """
    first = {one.intervention_id: one for one in reversed(begun)}
    written = _insert_new(connection, first, at)
    new = [one for own, one in first.items() if own in written]
    if not new:
        return 0
    _insert(connection, intervention_steps, [step for one in new for step in _step_rows(one)])
    _insert(connection, deadlines, [row for one in new for row in _deadline_rows(one)])
    append(connection, [_act_of_beginning(one, actor, at) for one in new])
    enqueue(connection, [message for one in new for message in _messages_of_beginning(one, settings, at)], at)
    return len(new)


def change(
    connection: sa.Connection, intervention_id: str, wanted: Change, settings: InterventionSettings
) -> Mapping[str, Any]:
    """Move one intervention to a state, in the transaction of the connection; its row after the change.

    The same state with the same owner and outcome changes nothing. NoIntervention, NotAllowed.
    """
    before = lock_intervention(connection, intervention_id)
    if _is_done_already(before, wanted):
        return before
    if wanted.to not in MAY.get(before["status"], ()):
        raise NotAllowed(_refusal(before, wanted.to))
    (after,) = _move(connection, [before], wanted, settings)
    return after


def _move(
    connection: sa.Connection, those: Sequence[Mapping[str, Any]], wanted: Change, settings: InterventionSettings
) -> list[Mapping[str, Any]]:
    """Move locked interventions by one change; their rows after it."""
    values, ids = _changed_columns(wanted), [before["intervention_id"] for before in those]
    moved: list[Mapping[str, Any]] = [{**before, **values} for before in those]
    connection.execute(sa.update(interventions).where(interventions.c.intervention_id.in_(ids)).values(values))
    _settle_by_change(connection, deadlines.c.intervention_id.in_(ids), wanted)
    pairs = list(zip(those, moved, strict=True))
    for before, after in pairs:
        if wanted.to == ASSIGNED and before["status"] in {CLAIMED, IN_PROGRESS}:
            _insert(connection, deadlines, _restarted_deadlines(after, settings, wanted.at))
    append(connection, [_act_of_change(before, after, wanted) for before, after in pairs])
    enqueue(
        connection, [message for after in moved for message in _messages_of_change(after, wanted, settings)], wanted.at
    )
    if wanted.to in CLOSED:
        post(connection, [_as_event(after, wanted) for after in moved], wanted.at, None)
    return moved


def finish_step(connection: sa.Connection, intervention_id: str, number: int, actor: str, at: datetime) -> None:
    """Note that a step is done, which meets its deadline; a step that is done stays done. NoIntervention if there is no such step.

    A step that is done counts as a beginning: the intervention neither escalates nor expires, claimed or not.
    """
    step = intervention_steps.c.intervention_id == intervention_id, intervention_steps.c.number == number
    lock_intervention(connection, intervention_id)
    done = connection.execute(sa.select(intervention_steps.c.done_at).where(*step)).first()
    if done is None:
        raise NoIntervention(f"intervention '{intervention_id}' has no step {number}")
    if done.done_at is not None:
        return
    connection.execute(sa.update(intervention_steps).where(*step).values(done_at=at, done_by=actor))
    own, its = deadlines.c.intervention_id == intervention_id, deadlines.c.kind == "step"
    met = sa.or_(sa.and_(its, deadlines.c.step == number), deadlines.c.kind.in_(_DEADLINES_OF_BEGINNING))
    _settle_deadlines(connection, at, (own, met), "met")
    append(connection, [Act(at, actor, "intervention_step_done", intervention_id, {"step": number})])


def comment(
    connection: sa.Connection, intervention_id: str, comment_id: str, text: str, actor: str, at: datetime
) -> None:
    """Write a comment; the audit log notes the comment, not its text. NoIntervention."""
    about = lock_intervention(connection, intervention_id)
    row = {"comment_id": comment_id, "intervention_id": intervention_id, "account_id": about["account_id"]}
    connection.execute(sa.insert(intervention_comments).values({**row, "at": at, "actor": actor, "text": text}))
    append(connection, [Act(at, actor, "intervention_commented", intervention_id, {"comment": comment_id})])


def expire(
    connection: sa.Connection, intervention_ids: Sequence[str], actor: str, at: datetime, settings: InterventionSettings
) -> None:
    """Expire interventions that were not begun in time; those that were begun go on."""
    wanted = Change(EXPIRED, actor, at)
    for start in range(0, len(intervention_ids), AT_ONCE):
        own = interventions.c.intervention_id.in_(intervention_ids[start : start + AT_ONCE])
        query = sa.select(interventions).where(own).order_by(interventions.c.intervention_id).with_for_update()
        those = [dict(row) for row in connection.execute(query).mappings() if EXPIRED in MAY.get(row["status"], ())]
        if those:
            _move(connection, those, wanted, settings)


def lock_intervention(connection: sa.Connection, intervention_id: str) -> dict[str, Any]:
    """The row of an intervention, locked until the transaction ends. NoIntervention."""
    found = (
        connection.execute(sa.select(interventions).where(_has_id(intervention_id)).with_for_update())
        .mappings()
        .first()
    )
    if found is None:
        raise NoIntervention(f"there is no intervention '{intervention_id}'")
    return dict(found)


def intervention_messages(
    settings: InterventionSettings,
    type_: str,
    cause: str,
    about: Mapping[str, Any],
    at: datetime,
    *,
    roles: Iterable[str] = (),
    urgent: bool = False,
) -> list[Message]:
    """The messages about an intervention: to every webhook of the type, and to the people of these roles."""
    payload = {"type": type_, "timestamp": at.astimezone(UTC).isoformat(), "data": as_json_fields(about)}
    webhooks = (
        name
        for name, one in settings.channels.items()
        if one.kind == "webhook" and (not one.types or type_ in one.types)
    )
    # A role of an old deadline may be declared no more; that must not keep the others from being settings.
    people = (channel for role in roles if role in settings.roles for channel in settings.roles[role].channels)
    ids = about["intervention_id"], about["account_id"]
    return [Message(name, type_, cause, payload, *ids, urgent) for name in dict.fromkeys([*webhooks, *people])]


def as_json_fields(about: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an intervention, as JSON can hold them."""
    return {
        name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
        for name, value in about.items()
    }


def _insert_new(connection: sa.Connection, begun: Mapping[str, NewIntervention], at: datetime) -> set[str]:
    """The ids of the inserted interventions; inserted in the order of ids, so that two writers of the same ids do not deadlock."""
    if not begun:
        return set()
    statement = insert_missing(connection, interventions).returning(interventions.c.intervention_id)
    return set(connection.execute(statement, [_columns(begun[own], at) for own in sorted(begun)]).scalars())


_NO_COLUMNS = {"steps", "deadlines", "urgent", "tell"}


def _columns(one: NewIntervention, at: datetime) -> dict[str, Any]:
    columns = {name: value for name, value in vars(one).items() if name not in _NO_COLUMNS}
    return {**columns, "status": ASSIGNED, "changed_at": at, "outcome": None, "outcome_note": None, "closed_at": None}


def _step_rows(one: NewIntervention) -> list[dict[str, Any]]:
    own = {"intervention_id": one.intervention_id, "account_id": one.account_id, "done_at": None, "done_by": None}
    return [{**own, "number": number, "do": do, "due_at": due} for number, (do, due) in enumerate(one.steps, 1)]


def _deadline_rows(one: NewIntervention) -> list[dict[str, Any]]:
    named = ((f"{each.kind}-{each.step}" if each.step else each.kind, each) for each in one.deadlines)
    return [_deadline_row(one.intervention_id, one.account_id, name, each) for name, each in named]


def _deadline_row(intervention_id: str, account_id: str, name: str, one: Deadline) -> dict[str, Any]:
    own = {"intervention_id": intervention_id, "account_id": account_id, "settled_at": None, "result": None}
    return {**own, **asdict(one), "deadline_id": f"{intervention_id}/{name}"}


def _restarted_deadlines(
    about: Mapping[str, Any], settings: InterventionSettings, at: datetime
) -> list[dict[str, Any]]:
    """The deadlines of beginning, again: the new owner of a claimed intervention must claim it, too."""
    sla, playbook = settings.sla.get(about["playbook"]), settings.playbooks.get(about["playbook"])
    within, again = (one.claim_within if (one := sla or playbook) else None), list[Deadline]()
    if within is not None:
        due = WorkingTime(settings.calendar, sla.business_hours if sla else None).due(at, within)
        again.append(Deadline("claim", due, escalate_to=sla.escalate_to if sla else None))
    if about["origin"] != "sla":
        again.append(Deadline("expire", at + timedelta(days=settings.policy.expire_days)))
    own = about["intervention_id"], about["account_id"]
    return [_deadline_row(*own, f"{one.kind}/{at.astimezone(UTC).isoformat()}", one) for one in again]


def _insert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(sa.insert(table), rows)


def _act_of_beginning(one: NewIntervention, actor: str, at: datetime) -> Act:
    detail = {"playbook": one.playbook, "origin": one.origin, "to": ASSIGNED, "role": one.role, "owner": one.owner}
    return Act(at, actor, "intervention_begun", one.intervention_id, detail)


def _messages_of_beginning(one: NewIntervention, settings: InterventionSettings, at: datetime) -> list[Message]:
    about, type_ = _columns(one, at), "intervention.assigned"
    return intervention_messages(
        settings, type_, one.intervention_id, about, at, roles=(one.role, *one.tell), urgent=one.urgent
    )


def _messages_of_change(after: Mapping[str, Any], wanted: Change, settings: InterventionSettings) -> list[Message]:
    cause = f"{after['intervention_id']}/{wanted.at.isoformat()}"
    roles = (after["role"],) if wanted.to == ASSIGNED else ()
    return intervention_messages(settings, f"intervention.{wanted.to}", cause, after, wanted.at, roles=roles)


def _is_done_already(before: Mapping[str, Any], wanted: Change) -> bool:
    same = wanted.owner in {None, before["owner"]} and wanted.outcome in {None, before["outcome"]}
    return before["status"] == wanted.to and same


def _refusal(before: Mapping[str, Any], to: str) -> str:
    status, owner = before["status"], before["owner"]
    if status == to and status in CLOSED:
        return f"it is {status} already, with the outcome '{before['outcome']}', which stays: add a comment"
    leads = " or ".join(MAY[status]) if status in MAY else "nothing more"
    return f"it is {status}{f' by {owner}' if owner else ''}, which leads to {leads}, not to {to}"


def _changed_columns(wanted: Change) -> dict[str, Any]:
    """The columns that a change writes; the owner stays unless the change names one."""
    values: dict[str, Any] = {"status": wanted.to, "changed_at": wanted.at}
    if wanted.owner:
        values["owner"] = wanted.owner
    if wanted.to in CLOSED:
        values |= {"closed_at": wanted.at, "outcome": wanted.outcome, "outcome_note": wanted.note}
    return values


def _settle_by_change(connection: sa.Connection, own: sa.ColumnElement[bool], wanted: Change) -> None:
    """Deadlines that the change meets, and those that it makes void."""
    if wanted.to in {CLAIMED, IN_PROGRESS}:
        _settle_deadlines(connection, wanted.at, (own, deadlines.c.kind.in_(_DEADLINES_OF_BEGINNING)), "met")
    if wanted.to == DONE:
        _settle_deadlines(connection, wanted.at, (own,), "met")
    if wanted.to in {DISMISSED, EXPIRED}:
        _settle_deadlines(connection, wanted.at, (own,), "void")


_DEADLINES_OF_BEGINNING = ("claim", "expire")
"""Deadlines that end when work on the intervention begins."""


def _settle_deadlines(connection: sa.Connection, at: datetime, which: Sequence[Any], result: str) -> None:
    """Settle running deadlines; a deadline of the past is missed, also before a sweep has found it."""
    connection.execute(
        sa.update(deadlines)
        .where(deadlines.c.settled_at.is_(None), *which)
        .values(settled_at=at, result=sa.case((deadlines.c.due_at < at, "missed"), else_=result))
    )


def _act_of_change(before: Mapping[str, Any], after: Mapping[str, Any], wanted: Change) -> Act:
    # Without the outcome: its free text may name an account, and an act stays for ever.
    detail = {
        "from": before["status"], "to": after["status"], "owner_before": before["owner"], "owner": after["owner"],
    }  # fmt: skip
    return Act(wanted.at, wanted.actor, f"intervention_{wanted.to}", after["intervention_id"], detail)


def _as_event(after: Mapping[str, Any], wanted: Change) -> PostedEvent:
    """The event of the history: an intervention of this playbook, and how it ended."""
    event_id, moment = (
        f"{after['intervention_id']}/{wanted.to}",
        wanted.at.astimezone(UTC).isoformat(timespec="microseconds"),
    )
    row = {
        "account_id": after["account_id"], "occurred_at": moment, "known_at": moment, "kind": "intervention",
        "subject": after["playbook"], "status": wanted.to, "event_id": event_id,
    }  # fmt: skip
    return PostedEvent(
        after["account_id"], "engagement", event_id, wanted.at, wanted.at, json.dumps(row, ensure_ascii=False)
    )


def _has_id(intervention_id: str) -> sa.ColumnElement[bool]:
    return interventions.c.intervention_id == intervention_id
