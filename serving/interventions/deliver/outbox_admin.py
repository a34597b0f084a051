"""What the outbox holds, for people to look at, and what they may do about it: have messages sent again, open a channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from serving.database.audit_log import Act, append
from serving.database.engine import reading, writing
from serving.database.tables import channel_states, outbox
from serving.interventions.run.outbox import DEAD, GONE, PENDING


class NoMessage(LookupError):
    """There is no such message to be sent again; the message says why."""


@dataclass(frozen=True)
class OutboxMessage:
    """A message of the outbox, without what it says and whom it is about."""

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
    """The newest messages, of one state or channel if it is named. DatabaseUnavailable."""
    columns = [outbox.c[name] for name in OutboxMessage.__dataclass_fields__]
    wanted = [column == value for column, value in ((outbox.c.state, state), (outbox.c.channel, channel)) if value]
    query = sa.select(*columns).where(*wanted).order_by(outbox.c.created_at.desc(), outbox.c.message_id).limit(most)
    with reading(engine) as connection:
        return [OutboxMessage(**row) for row in connection.execute(query).mappings()]


def count_by_state(engine: sa.Engine) -> dict[tuple[str, str], int]:
    """How many messages, by channel and state. DatabaseUnavailable."""
    query = sa.select(outbox.c.channel, outbox.c.state, sa.func.count()).group_by(outbox.c.channel, outbox.c.state)
    with reading(engine) as connection:
        return {(channel, state): count for channel, state, count in connection.execute(query)}


def replay(engine: sa.Engine, ids: Sequence[str], actor: str, now: datetime) -> int:
    """Have messages sent again under the same ids, with all their attempts before them, whatever became of them.

    NoMessage that names the first one that there is not; nothing is done then. DatabaseUnavailable.
    """
    with writing(engine) as connection:
        known = set(connection.execute(sa.select(outbox.c.message_id).where(outbox.c.message_id.in_(ids))).scalars())
        for unknown in (one for one in ids if one not in known):
            raise NoMessage(f"there is no message '{unknown}'; `foresail outbox list` shows those that there are")
        return _send_again(connection, sorted(known), actor, now)


def replay_dead(engine: sa.Engine, actor: str, now: datetime) -> int:
    """Have every dead message sent again: how many. DatabaseUnavailable."""
    with writing(engine) as connection:
        dead = connection.execute(sa.select(outbox.c.message_id).where(outbox.c.state == DEAD)).scalars().all()
        return _send_again(connection, dead, actor, now)


def reopen(engine: sa.Engine, channel: str, actor: str, now: datetime) -> int:
    """Use a channel again whose receiver wanted no more, and send what was not wanted: how many. DatabaseUnavailable."""
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
