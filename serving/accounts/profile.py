"""The 360° answer about one account: what is known of it, as of a moment, and how the last night left it.

What the account did and is comes from its events; scores, segmentation, moves and interventions are rows of the database.
"""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa

from features.history.streams import ACCOUNTS, STREAMS
from serving.database.intervention_states import OPEN
from serving.database.tables import (
    account_segments,
    interventions,
    not_chosen,
    score_history,
    scores,
    tier_moves,
    warnings,
)

Event = Mapping[str, Any]

MOST_PAST = 100
"""Past scores of each target, and past moves, that are told."""


class HasEvents(Protocol):
    """An account whose events can be had, stream by stream, in time order."""

    def events(self, stream: str) -> list[dict[str, Any]]:
        """All rows of one stream."""
        ...


class Place(NamedTuple):
    """Where an event stands in the timeline of its account: no two have the same place."""

    occurred_at: datetime
    known_at: datetime
    stream: str
    event_id: str


@dataclass(frozen=True)
class Stored:
    """What the database has of an account beside its events. `history` is by target, the newest first, as `moves` are."""

    segmentation: Any
    scores: list[Any]
    history: Mapping[str, list[Any]]
    moves: list[Any]
    interventions: list[Any]
    """Still to be done, the earliest due first."""
    past_interventions: list[Any]
    """Ended, the newest first."""
    warnings: list[Any]
    not_chosen: list[Any]


def attributes(account: HasEvents, as_of: datetime) -> dict[str, Any]:
    """The account's attributes: of each the newest value that holds, None where none was ever recorded."""
    found: dict[str, Any] = {column.name: None for column in ACCOUNTS.own_columns}
    for row in _seen(account, ACCOUNTS.name, as_of):
        found |= {name: row[name] for name in found if row.get(name) is not None}
    return found


def contacts(account: HasEvents, as_of: datetime) -> list[Event]:
    """Each contact as it stands, those who left among them, by contact_id."""
    newest = {row["contact_id"]: row for row in _seen(account, "contacts", as_of)}
    return [newest[contact_id] for contact_id in sorted(newest)]


def timeline(
    account: HasEvents, as_of: datetime, streams: Sequence[str], limit: int, before: Place | None
) -> tuple[list[tuple[Place, Event]], Place | None]:
    """Up to `limit` events that stand before a place, the newest first, and where the next page goes on; None after the last."""
    events = (
        (Place(row["occurred_at"], row["known_at"], name, row["event_id"]), row)
        for name in STREAMS
        if name in streams
        for row in _seen(account, name, as_of)
    )
    earlier = (event for event in events if before is None or event[0] < before)
    found = heapq.nlargest(limit + 1, earlier, key=lambda event: event[0])
    return found[:limit], found[limit - 1][0] if len(found) > limit else None


def _seen(account: HasEvents, stream: str, as_of: datetime) -> Iterator[Event]:
    """What has happened and is known: a row known later is not seen earlier."""
    return (row for row in account.events(stream) if max(row["known_at"], row["occurred_at"]) <= as_of)


def stored(connection: sa.Connection, account_id: str) -> Stored:
    """What the database has of one account; all of it empty before the first night."""
    history: dict[str, list[Any]] = {}
    for row in _rows(connection, score_history, account_id, score_history.c.as_of.desc()):
        history.setdefault(row.target, []).append(row)
    moves = _rows(connection, tier_moves, account_id, tier_moves.c.as_of.desc(), tier_moves.c.scheme)
    due_first = interventions.c.due_at.is_(None), interventions.c.due_at, interventions.c.intervention_id
    told = _rows(connection, interventions, account_id, *due_first)
    return Stored(
        next(iter(_rows(connection, account_segments, account_id)), None),
        _rows(connection, scores, account_id, scores.c.target),
        {target: rows[:MOST_PAST] for target, rows in history.items()},
        moves[:MOST_PAST],
        [row for row in told if row.status in OPEN],
        sorted((row for row in told if row.closed_at), key=lambda row: row.closed_at, reverse=True)[:MOST_PAST],
        _rows(connection, warnings, account_id, warnings.c.since.desc(), warnings.c.rule),
        _rows(connection, not_chosen, account_id, not_chosen.c.expected.desc(), not_chosen.c.playbook),
    )


def _rows(connection: sa.Connection, table: sa.Table, account_id: str, *order: Any) -> list[Any]:
    return list(connection.execute(sa.select(table).where(table.c.account_id == account_id).order_by(*order)))
