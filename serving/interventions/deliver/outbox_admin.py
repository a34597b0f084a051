"""The outbox for operators: list its messages, send messages again, reopen a channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from features.errors import ExitCode, ForesailError
from serving.database.audit_log import Act, append
from serving.database.engine import reading, writing
from serving.database.tables import channel_states, outbox
from serving.interventions.run.outbox import DEAD, GONE, PENDING


class NoMessage(ForesailError, LookupError):
    """There is no message of this id."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class OutboxMessage:
    """A message of the outbox, without its payload and its account."""

    message_id: str
    channel: str
    type: str
    state: str
    urgent: bool
    created_at: datetime
    next_at: datetime
    attempts: int
    delivered_at: datetime | None
    problem: str | None


def list_messages(engine: sa.Engine, *, state: str | None, channel: str | None, most: int) -> list[OutboxMessage]:
    """The newest messages, filtered by state and channel. DatabaseUnavailable."""
    columns = [outbox.c[name] for name in OutboxMessage.__dataclass_fields__]
    wanted = [column == value for column, value in ((outbox.c.state, state), (outbox.c.channel, channel)) if value]
    query = sa.select(*columns).where(*wanted).order_by(outbox.c.created_at.desc(), outbox.c.message_id).limit(most)
    with reading(engine) as connection:
        return [OutboxMessage(**row) for row in connection.execute(query).mappings()]


def count_by_state(engine: sa.Engine) -> dict[tuple[str, str], int]:
    """The number of messages by channel and state. DatabaseUnavailable."""
    query = sa.select(outbox.c.channel, outbox.c.state, sa.func.count()).group_by(outbox.c.channel, outbox.c.state)
    with reading(engine) as connection:
        return {(channel, state): count for channel, state, count in connection.execute(query)}


def replay(engine: sa.Engine, ids: Sequence[str], actor: str, now: datetime) -> int:
    """Send messages again under the same ids, with a full number of attempts, whatever their state.

    NoMessage names the first unknown id; nothing is changed then. DatabaseUnavailable.
    """
    with writing(engine) as connection:
        known = set(connection.execute(sa.select(outbox.c.message_id).where(outbox.c.message_id.in_(ids))).scalars())
        for unknown in (one for one in ids if one not in known):
            raise NoMessage(f"there is no message '{unknown}'; `foresail outbox list` shows the messages that exist")
        return _send_again(connection, sorted(known), actor, now)


def replay_dead(engine: sa.Engine, actor: str, now: datetime) -> int:
    """Send every dead message again; their number. DatabaseUnavailable."""
    with writing(engine) as connection:
        dead = connection.execute(sa.select(outbox.c.message_id).where(outbox.c.state == DEAD)).scalars().all()
        return _send_again(connection, dead, actor, now)


def reopen(engine: sa.Engine, channel: str, actor: str, now: datetime) -> int:
    """Reopen a channel that its receiver had closed, and send its refused messages again; their number. DatabaseUnavailable."""
    closed = channel_states.c.channel == channel
    with writing(engine) as connection:
        connection.execute(sa.update(channel_states).where(closed).values(gone_at=None, quiet_until=None))
        append(connection, [Act(now, actor, "channel_reopened", channel)])
        gone = sa.select(outbox.c.message_id).where(outbox.c.channel == channel, outbox.c.state == GONE)
        return _send_again(connection, connection.execute(gone).scalars().all(), actor, now)


def _send_again(connection: sa.Connection, ids: Sequence[str], actor: str, now: datetime) -> int:
    for start in range(0, len(ids), 1_000):
        own = outbox.c.message_id.in_(ids[start : start + 1_000])
        again = {"state": PENDING, "next_at": now, "attempts": 0, "delivered_at": None, "problem": None}
        connection.execute(sa.update(outbox).where(own).values(**again))
    append(connection, [Act(now, actor, "message_replayed", one) for one in ids])
    return len(ids)
