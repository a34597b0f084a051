"""What must leave: written in the transaction that decided it, delivered afterwards, at least once, under one id."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.database.engine import insert_missing
from serving.database.tables import outbox

PENDING, DELIVERED, DEAD, GONE = "pending", "delivered", "dead", "gone"


@dataclass(frozen=True)
class Message:
    """One message to one channel. `cause` and `channel` together identify it: the same cause is told there once."""

    channel: str
    type: str
    """intervention.assigned, intervention.escalated, intervention.closed ..."""
    cause: str
    """What made it, unique for each thing to tell: an intervention's id, with the deadline that was missed ..."""
    payload: Mapping[str, Any]
    intervention_id: str | None = None
    account_id: str | None = None
    urgent: bool = False

    @property
    def message_id(self) -> str:
        """msg_ and 32 hex digits."""
        key = json.dumps([self.channel, self.type, self.cause])
        return f"msg_{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def enqueue(connection: sa.Connection, messages: Iterable[Message], now: datetime) -> None:
    """Write messages, in the transaction of the connection; one that was written before stays as it was."""
    rows = [_outbox_row(message, now) for message in messages]
    if rows:
        connection.execute(insert_missing(connection, outbox), rows)


def _outbox_row(message: Message, now: datetime) -> dict[str, Any]:
    payload = json.dumps(message.payload, ensure_ascii=False)
    row = {**vars(message), "message_id": message.message_id, "payload": payload}
    row.pop("cause")
    return {**row, "created_at": now, "next_at": now, "attempts": 0, "state": PENDING}
