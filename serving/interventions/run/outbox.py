"""The outbox: messages are written in the transaction of the decision, and delivered later, at least once, under one id."""

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
    """One message to one channel. `cause`, `type` and `channel` identify it: one message for each cause."""

    channel: str
    type: str
    """intervention.assigned, intervention.escalated, intervention.closed ..."""
    cause: str
    """The unique cause of the message: an intervention's id, the id of a missed deadline ..."""
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
    """Write messages in the transaction of the connection; a message that exists stays as it is."""
    rows = [_outbox_row(message, now) for message in messages]
    if rows:
        connection.execute(insert_missing(connection, outbox), rows)


def _outbox_row(message: Message, now: datetime) -> dict[str, Any]:
    payload = json.dumps(message.payload, ensure_ascii=False)
    row = {**vars(message), "message_id": message.message_id, "payload": payload}
    row.pop("cause")
    return {**row, "created_at": now, "next_at": now, "attempts": 0, "state": PENDING}
