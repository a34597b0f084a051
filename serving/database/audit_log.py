"""Every act, in a chain: each one's hash covers the one before, so that an altered, removed or inserted act shows.

No act names an account: an intervention has an id of its own, so that erasing an account leaves the chain whole.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from serving.database.engine import reading
from serving.database.tables import audit_log

BEGINNING = "0" * 64
"""What the first act has in the place of the hash before."""
_LOCK = 0x666F7265
"""The number of PostgreSQL's advisory lock that puts acts in a row."""


@dataclass(frozen=True)
class Act:
    """Who did what to what, and from what to what: `detail`, as JSON can hold it."""

    at: datetime
    actor: str
    """An API key's id, a command, the night, the sweep."""
    action: str
    subject: str
    detail: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Verified:
    """How many acts fit, the hash of the last of them, and the position of the first that does not."""

    acts: int
    head: str
    broken_at: int | None
    is_head_missing: bool = False
    """Whether the head that was asked for is not in the chain: the log was cut off before it, or is another one."""

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None and not self.is_head_missing


def append(connection: sa.Connection, acts: Sequence[Act]) -> None:
    """Add acts to the chain, in the transaction of the connection; until it ends nobody else can."""
    if not acts:
        return
    if connection.dialect.name == "postgresql":
        # Two who read the same last hash would fork the chain. SQLite has one writer at a time anyway.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    last = sa.select(audit_log.c.hash).order_by(audit_log.c.position.desc()).limit(1)
    rows, before = list[dict[str, Any]](), connection.execute(last).scalar() or BEGINNING
    for act in acts:
        detail = None if act.detail is None else json.dumps(act.detail, ensure_ascii=False, sort_keys=True)
        row = {**vars(act), "detail": detail}
        before = row["hash"] = hash_of(before, act.at, act.actor, act.action, act.subject, detail)
        rows.append(row)
    connection.execute(sa.insert(audit_log), rows)


def hash_of(before: str, at: datetime, actor: str, action: str, subject: str, detail: str | None) -> str:
    """SHA-256, hex, of the hash before and the act as a JSON list; the moment in UTC to the microsecond."""
    told = [before, at.astimezone(UTC).isoformat(timespec="microseconds"), actor, action, subject, detail]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


def verify(engine: sa.Engine, head: str | None = None) -> Verified:
    """Follow the chain from its beginning.

    What was cut off at the end does not show by itself: give the `head` of an earlier verification, written down elsewhere.
    """
    with reading(engine) as connection:
        rows = connection.execution_options(yield_per=10_000).execute(
            sa.select(audit_log).order_by(audit_log.c.position)
        )
        return _followed(rows, head)


def _followed(rows: Iterable[Any], head: str | None) -> Verified:
    acts, before, is_missing = 0, BEGINNING, head not in {None, BEGINNING}
    for row in rows:
        if row.hash != hash_of(before, row.at, row.actor, row.action, row.subject, row.detail):
            return Verified(acts, before, row.position, is_missing)
        acts, before = acts + 1, row.hash
        is_missing = is_missing and before != head
    return Verified(acts, before, None, is_missing)
