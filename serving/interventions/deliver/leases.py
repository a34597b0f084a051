"""Leases: each due message is leased to one dispatcher, which sends it and records the result.

No transaction is open during an attempt: a lease moves the next attempt ahead, in a short transaction. After a killed
dispatcher the message is sent again when its lease ends, under the same id. The result of an attempt counts only while the
lease is the latest one, except that delivered is delivered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.database.audit_log import Act, append
from serving.database.engine import insert_missing, reading, writing
from serving.database.tables import account_segments, channel_states, outbox
from serving.interventions.deliver.attempt import DeliveryResult, next_attempt
from serving.interventions.deliver.channel_rate_limit import TokenBucket
from serving.interventions.run.outbox import DEAD, DELIVERED, GONE, PENDING

DISPATCH = "the dispatch"
LEASE = timedelta(seconds=60)
"""Longer than any attempt takes."""
LOOK_AGAIN = timedelta(minutes=1)
"""After which an unusable channel is tried again."""
READ_AT_ONCE = 200


@dataclass(frozen=True)
class LeasedMessage:
    """A message leased to this dispatcher."""

    message_id: str
    payload: str
    urgent: bool
    created_at: datetime
    attempts: int
    """Including this attempt."""
    name: str | None
    """The name of the message's account."""


@dataclass(frozen=True)
class ChannelTerms:
    """How a channel accepts messages."""

    at_once: int
    """Texts under way at the same time."""
    together: int = 1
    """The most messages in one text; 1: each message alone."""
    digest: timedelta | None = None
    per_minute: float | None = None


@dataclass(frozen=True)
class DispatchCounts:
    """The counts of a round: delivered, to be tried again, dead, refused by a receiver for good, held for an unusable channel."""

    delivered: int = 0
    again: int = 0
    dead: int = 0
    gone: int = 0
    held: int = 0

    def __add__(self, other: "DispatchCounts") -> "DispatchCounts":
        return DispatchCounts(
            *(mine + its for mine, its in zip(vars(self).values(), vars(other).values(), strict=True))
        )


def is_due(engine: sa.Engine, channel: str, now: datetime) -> bool:
    """Whether a channel has due messages."""
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.literal(1)).where(*_is_due(channel, now)).limit(1)).first() is not None


def lease(engine: sa.Engine, channel: str, terms: ChannelTerms, now: datetime) -> list[tuple[LeasedMessage, ...]]:
    """Lease the messages to send now, grouped by text; none while the channel must wait."""
    with writing(engine) as connection:
        state = _locked_state(connection, channel, now)
        if state["gone_at"] is not None:
            _give_up_messages(connection, channel)
            return []
        if state["quiet_until"] is not None and state["quiet_until"] > now:
            return []
        bucket = _bucket(state, terms, now)
        texts = texts_to_send(_ready(connection, channel, now), terms, now, None if bucket is None else bucket.whole)
        _write_leases(connection, [message for text in texts for message in text], now)
        if bucket is not None:
            _set_state(connection, channel, tokens=bucket.without(len(texts)).tokens, filled_at=bucket.at)
        return texts


def texts_to_send(
    ready: Sequence[LeasedMessage], terms: ChannelTerms, now: datetime, allowed: int | None
) -> list[tuple[LeasedMessage, ...]]:
    """The texts to send, the urgent ones first: at most `allowed` of them.

    Messages that are not urgent wait until the oldest has waited for the digest, and share texts. Messages that would need
    more texts than are allowed share texts too, rather than wait.
    """
    urgent = [message for message in ready if message.urgent]
    others = [message for message in ready if not message.urgent]
    if terms.digest is not None and others and min(one.created_at for one in others) + terms.digest > now:
        others = []
    each = terms.together if terms.digest is not None else 1
    texts = [*_portions(urgent, 1), *_portions(others, each)]
    most = terms.at_once if allowed is None else min(allowed, terms.at_once)
    if allowed is not None and len(texts) > allowed:
        texts = _portions([*urgent, *others], terms.together)
    return texts[:most]


def record_results(
    engine: sa.Engine,
    channel: str,
    found: Sequence[tuple[LeasedMessage, DeliveryResult]],
    now: datetime,
    chance: Callable[[], float],
) -> DispatchCounts:
    """Record the results of messages, all in one transaction."""
    rows = [_row_change(message, answer, now, chance) for message, answer in found]
    failed = [row for row in rows if row["new_state"] != DELIVERED]
    dead = [row for row in failed if row["new_state"] == DEAD]
    gone = 0
    with writing(engine) as connection:
        _write_delivered(connection, [row for row in rows if row["new_state"] == DELIVERED], now)
        _write_failed(connection, failed)
        _keep_quiet(connection, channel, [answer for _, answer in found], now)
        if any(answer.is_gone for _, answer in found):
            gone = _close_channel(connection, channel, now)
        # Acts come last: a process that waits for the audit log may hold rows that are changed above.
        append(connection, [_act_of_death(row, channel, now) for row in _still_dead(connection, dead)])
    return DispatchCounts(len(rows) - len(failed), 0 if gone else len(failed) - len(dead), len(dead), gone)


def hold(engine: sa.Engine, channel: str, problem: str, now: datetime) -> DispatchCounts:
    """Hold the messages of an unusable channel for a minute, with the problem; no attempt is counted."""
    change = sa.update(outbox).where(*_is_due(channel, now)).values(problem=problem, next_at=now + LOOK_AGAIN)
    with writing(engine) as connection:
        return DispatchCounts(held=connection.execute(change).rowcount)


def _is_due(channel: str, now: datetime) -> tuple[sa.ColumnElement[bool], ...]:
    return outbox.c.channel == channel, outbox.c.state == PENDING, outbox.c.next_at <= now


def _ready(connection: sa.Connection, channel: str, now: datetime) -> list[LeasedMessage]:
    ids = (
        sa.select(outbox.c.message_id)
        .where(*_is_due(channel, now))
        .order_by(outbox.c.urgent.desc(), outbox.c.created_at, outbox.c.message_id)
        .limit(READ_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    columns = (outbox.c[name] for name in ("message_id", "payload", "urgent", "created_at"))
    query = (
        sa.select(*columns, (outbox.c.attempts + 1).label("attempts"), account_segments.c.name)
        .join_from(outbox, account_segments, outbox.c.account_id == account_segments.c.account_id, isouter=True)
        .where(outbox.c.message_id.in_(connection.execute(ids).scalars().all()))
        .order_by(outbox.c.urgent.desc(), outbox.c.created_at, outbox.c.message_id)
    )
    return [LeasedMessage(**row) for row in connection.execute(query).mappings()]


def _write_leases(connection: sa.Connection, taken: Sequence[LeasedMessage], now: datetime) -> None:
    ids = [message.message_id for message in taken]
    change = sa.update(outbox).where(outbox.c.message_id.in_(ids))
    if ids:
        connection.execute(change.values(next_at=now + LEASE, attempts=outbox.c.attempts + 1))


def _portions(messages: Sequence[LeasedMessage], most: int) -> list[tuple[LeasedMessage, ...]]:
    return [tuple(messages[start : start + most]) for start in range(0, len(messages), most)]


def _locked_state(connection: sa.Connection, channel: str, now: datetime) -> dict[str, Any]:
    """The row of a channel, locked until the transaction ends; created with its first message."""
    made = insert_missing(connection, channel_states).values(channel=channel, tokens=None, filled_at=now)
    connection.execute(made)
    query = sa.select(channel_states).where(channel_states.c.channel == channel).with_for_update()
    return dict(connection.execute(query).mappings().one())


def _bucket(state: Mapping[str, Any], terms: ChannelTerms, now: datetime) -> TokenBucket | None:
    if terms.per_minute is None:
        return None
    if state["tokens"] is None:
        return TokenBucket.full(terms.per_minute, now)
    return TokenBucket(terms.per_minute, state["tokens"], state["filled_at"]).refilled(now)


def _set_state(connection: sa.Connection, channel: str, **values: Any) -> None:
    connection.execute(sa.update(channel_states).where(channel_states.c.channel == channel).values(**values))


def _row_change(
    message: LeasedMessage, answer: DeliveryResult, now: datetime, chance: Callable[[], float]
) -> dict[str, Any]:
    """The change of one row."""
    own = {"own": message.message_id, "taken": message.attempts}
    if answer.problem is None:
        return {**own, "new_state": DELIVERED}
    again = next_attempt(message.attempts, now, chance)
    if answer.quiet is not None and again is not None:
        again = max(again, now + answer.quiet)
    state = DEAD if again is None else PENDING
    return {**own, "new_state": state, "again": again or now, "said": answer.problem}


def _write_delivered(connection: sa.Connection, rows: Sequence[Mapping[str, Any]], now: datetime) -> None:
    change = (
        sa.update(outbox)
        .where(outbox.c.message_id == sa.bindparam("own"), outbox.c.state != DELIVERED)
        .values(state=DELIVERED, delivered_at=now, problem=None)
    )
    if rows:
        connection.execute(change, [{"own": row["own"]} for row in rows])


def _write_failed(connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    change = (
        sa.update(outbox)
        .where(
            outbox.c.message_id == sa.bindparam("own"),
            outbox.c.state == PENDING,
            outbox.c.attempts == sa.bindparam("taken"),
        )
        .values(state=sa.bindparam("new_state"), next_at=sa.bindparam("again"), problem=sa.bindparam("said"))
    )
    if rows:
        connection.execute(change, list(rows))


def _still_dead(connection: sa.Connection, dead: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Messages that this attempt made dead: not those that another dispatcher delivered or leased meanwhile."""
    own = outbox.c.message_id.in_([row["own"] for row in dead]), outbox.c.state == DEAD
    query = sa.select(outbox.c.message_id, outbox.c.attempts).where(*own)
    held = {row.message_id: row.attempts for row in connection.execute(query)}
    return [row for row in dead if held.get(row["own"]) == row["taken"]]


def _act_of_death(row: Mapping[str, Any], channel: str, now: datetime) -> Act:
    return Act(now, DISPATCH, "message_dead", row["own"], {"channel": channel, "attempts": row["taken"]})


def _keep_quiet(connection: sa.Connection, channel: str, answers: Sequence[DeliveryResult], now: datetime) -> None:
    waits = [answer.quiet for answer in answers if answer.quiet is not None]
    if waits:
        _set_state(connection, channel, quiet_until=now + max(waits))


def _close_channel(connection: sa.Connection, channel: str, now: datetime) -> int:
    """Close a channel whose receiver accepts no more; the number of messages given up."""
    _set_state(connection, channel, gone_at=now)
    gone = _give_up_messages(connection, channel)
    append(connection, [Act(now, DISPATCH, "channel_gone", channel)])
    return gone


def _give_up_messages(connection: sa.Connection, channel: str) -> int:
    waiting = outbox.c.channel == channel, outbox.c.state == PENDING
    said = sa.func.coalesce(outbox.c.problem, "the receiver has answered 410 before: it wants no more of this channel")
    return connection.execute(sa.update(outbox).where(*waiting).values(state=GONE, problem=said)).rowcount
