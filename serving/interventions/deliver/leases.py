"""Messages that are due, taken by one dispatcher and not by another, and what became of them.

Nothing is open while a message is under way: who takes it moves its next attempt ahead by a lease, in a short transaction.
A dispatcher that is killed in between leaves it to be tried again after the lease, under the same id. What an attempt
found counts only if nobody took the message since, except that delivered is delivered.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from serving.database.audit_log import Act, append
from serving.database.engine import insert_missing, reading, writing
from serving.database.tables import channel_states, outbox, standings
from serving.interventions.deliver.attempt import DeliveryResult, next_attempt
from serving.interventions.deliver.channel_rate_limit import TokenBucket
from serving.interventions.run.outbox import DEAD, DELIVERED, GONE, PENDING

DISPATCH = "the dispatch"
LEASE = timedelta(seconds=60)
"""Longer than any attempt takes."""
LOOK_AGAIN = timedelta(minutes=1)
"""After which a channel that could not be used is looked at again."""
READ_AT_ONCE = 200


@dataclass(frozen=True)
class LeasedMessage:
    """A message that is this dispatcher's for a lease."""

    message_id: str
    payload: str
    urgent: bool
    created_at: datetime
    attempts: int
    """This one included."""
    name: str | None
    """What people call the account that it is about."""


@dataclass(frozen=True)
class ChannelTerms:
    """On which terms a channel takes messages."""

    at_once: int
    """Texts under way at the same time."""
    together: int = 1
    """Messages that may go into one text; 1: each goes alone, however many there are."""
    digest: timedelta | None = None
    per_minute: float | None = None


@dataclass(frozen=True)
class DispatchCounts:
    """How many messages were delivered, will be tried again, will not, are wanted by nobody, and wait for a channel that can be used."""

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
    """Whether anything waits for a channel."""
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.literal(1)).where(*_is_due(channel, now)).limit(1)).first() is not None


def lease(engine: sa.Engine, channel: str, terms: ChannelTerms, now: datetime) -> list[tuple[LeasedMessage, ...]]:
    """Messages to send now, those of one text together; none while the channel is to be left alone."""
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
    """The texts to send of what is ready, the urgent before: at most so many as are allowed.

    What is not urgent waits until the oldest of it has waited for the digest, and goes together. What would be more texts
    than are allowed goes together too, rather than late.
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
    """Write down what became of messages, all in one transaction."""
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
        # Acts come last: whoever waits for his turn in the audit log may hold what is changed above.
        append(connection, [_act_of_death(row, channel, now) for row in _still_dead(connection, dead)])
    return DispatchCounts(len(rows) - len(failed), 0 if gone else len(failed) - len(dead), len(dead), gone)


def hold(engine: sa.Engine, channel: str, problem: str, now: datetime) -> DispatchCounts:
    """Nothing of a channel can be sent: its messages say why, and are looked at again in a minute. No attempt is counted."""
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
        sa.select(*columns, (outbox.c.attempts + 1).label("attempts"), standings.c.name)
        .join_from(outbox, standings, outbox.c.account_id == standings.c.account_id, isouter=True)
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
    """The row of a channel, which nobody else can change until the transaction ends; made at its first message."""
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
    """Those that died of this attempt: not those that somebody else has delivered, or tried again, meanwhile."""
    own = outbox.c.message_id.in_([row["own"] for row in dead]), outbox.c.state == DEAD
    query = sa.select(outbox.c.message_id, outbox.c.attempts).where(*own)
    held = {row.message_id: row.attempts for row in connection.execute(query)}
    return [row for row in dead if held.get(row["own"]) == row["taken"]]


def _act_of_death(row: Mapping[str, Any], channel: str, now: datetime) -> Act:
    return Act(now, DISPATCH, "message_dead", row["own"], {"channel": channel, "attempts": row["taken"]})


def _keep_quiet(connection: sa.Connection, channel: str, answers: Sequence[DeliveryResult], now: datetime) -> None:
    asked = [answer.quiet for answer in answers if answer.quiet is not None]
    if asked:
        _set_state(connection, channel, quiet_until=now + max(asked))


def _close_channel(connection: sa.Connection, channel: str, now: datetime) -> int:
    """The channel is wanted no more: how many of its messages are not."""
    _set_state(connection, channel, gone_at=now)
    gone = _give_up_messages(connection, channel)
    append(connection, [Act(now, DISPATCH, "channel_gone", channel)])
    return gone


def _give_up_messages(connection: sa.Connection, channel: str) -> int:
    waiting = outbox.c.channel == channel, outbox.c.state == PENDING
    said = sa.func.coalesce(outbox.c.problem, "the receiver has answered 410 before: it wants no more of this channel")
    return connection.execute(sa.update(outbox).where(*waiting).values(state=GONE, problem=said)).rowcount
