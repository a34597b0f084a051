"""Messages in an outbox, as interventions put them there."""

from datetime import UTC, datetime

import sqlalchemy as sa

from serving.database.engine import reading, writing
from serving.database.tables import outbox
from serving.interventions.declare.settings import Channel, InterventionSettings
from serving.interventions.run.outbox import Message, enqueue

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLDER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
DATA = {
    "intervention_id": "iv_1", "account_id": "A-17", "playbook": "win_back", "origin": "decision", "status": "assigned",
    "role": "success_manager", "owner": "Ann", "severity": "high", "reason": "ordered nothing for 90 days", "say": None,
    "due_at": "2026-03-03T12:00:00+00:00",
}  # fmt: skip


def webhook(url, **more):
    return Channel(kind="webhook", url=url, secrets=(SECRET,), allow_private=True, **more)


def told(**channels):
    return InterventionSettings(channels=channels)


def put(database, channel, count=1, now=NOON, *, urgent=False, first=0, **data):
    """So many messages for a channel; their ids."""
    payload = {"type": "intervention.assigned", "timestamp": now.isoformat(), "data": DATA | data}
    made = [
        Message(channel, "intervention.assigned", f"iv_{number}", payload, f"iv_{number}", "A-17", urgent)
        for number in range(first, first + count)
    ]
    with writing(database) as connection:
        enqueue(connection, made, now)
    return [message.message_id for message in made]


def held(database):
    """Every message by id."""
    with reading(database) as connection:
        return {row["message_id"]: dict(row) for row in connection.execute(sa.select(outbox)).mappings()}


def states(database):
    return [row["state"] for row in held(database).values()]
