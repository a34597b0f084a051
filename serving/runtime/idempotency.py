"""Requests that must not be done twice: each with an idempotency key of its caller, kept for a day."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from serving.database.engine import insert_missing
from serving.database.tables import idempotency_keys as keys
from serving.errors import KeyReused

KEPT = timedelta(hours=24)
UNDER_WAY = 0
"""The status of a request that this transaction is about to answer; nobody else ever sees it."""


@dataclass(frozen=True)
class Answer:
    """A status and a body, as they were first given."""

    status: int
    body: str


@dataclass(frozen=True)
class Asked:
    """A request that carries a key. `request` is the hash of all that must be the same if the key is used again."""

    caller: str
    key: str
    request: str

    @classmethod
    def of(cls, caller: str | None, key: str, method: str, path: str, body: bytes) -> "Asked":
        """Callers without an API key share one room of keys."""
        return cls(caller or "", key, hashlib.sha256(f"{method} {path}\n".encode() + body).hexdigest())


def once(connection: sa.Connection, asked: Asked, now: datetime, do: Callable[[], Answer]) -> Answer:
    """The answer of `do`, or the one given before to the same request; both in the transaction of the connection.

    Of two at the same time the second waits until the first is committed, and is given its answer; if the first failed,
    the second is done. KeyReused if the key was used for another request.
    """
    connection.execute(sa.delete(keys).where(keys.c.created_at <= now - KEPT))
    if not _is_new(connection, asked, now):
        return _given_before(connection, asked)
    answer = do()
    connection.execute(sa.update(keys).where(_own(asked)).values(status=answer.status, answer=answer.body))
    return answer


def _is_new(connection: sa.Connection, asked: Asked, now: datetime) -> bool:
    row = {**vars(asked), "status": UNDER_WAY, "answer": "", "created_at": now}
    statement = insert_missing(connection, keys).values(row).returning(keys.c.key)
    return connection.execute(statement).first() is not None


def _given_before(connection: sa.Connection, asked: Asked) -> Answer:
    row = connection.execute(sa.select(keys.c.request, keys.c.status, keys.c.answer).where(_own(asked))).one()
    if row.request != asked.request:
        raise KeyReused(
            f"the idempotency key '{asked.key}' was used for another request less than a day ago; use a new one"
        )
    return Answer(row.status, row.answer)


def _own(asked: Asked) -> sa.ColumnElement[bool]:
    return sa.and_(keys.c.caller == asked.caller, keys.c.key == asked.key)
