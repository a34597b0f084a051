"""The work list: pages of filtered interventions, the earliest due first; and one intervention with its details."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from serving.database.tables import deadlines, intervention_comments, intervention_steps, interventions
from serving.interventions.run.lifecycle import NoIntervention

FILTERS = ("status", "owner", "role", "playbook", "account_id", "severity", "origin")


@dataclass(frozen=True)
class PageEnd:
    """The last intervention of a page, where the next page begins; `due_at` is None without a due moment."""

    due_at: datetime | None
    intervention_id: str


@dataclass(frozen=True)
class InterventionDetails:
    """One intervention with its steps, deadlines and comments, in their order."""

    intervention: Any
    steps: list[Any]
    deadlines: list[Any]
    comments: list[Any]


def interventions_page(
    connection: sa.Connection,
    having: Mapping[str, Sequence[str]],
    due_before: datetime | None,
    limit: int,
    after: PageEnd | None,
) -> tuple[list[Any], PageEnd | None]:
    """Up to `limit` interventions, and the beginning of the next page; None after the last page. Interventions without a due moment come last."""
    columns = interventions.c
    query = sa.select(interventions).where(*(columns[name].in_(words) for name, words in having.items()))
    if due_before is not None:
        query = query.where(columns.due_at < due_before)
    if after is not None:
        query = query.where(_is_after(after))
    ordered = query.order_by(columns.due_at.is_(None), columns.due_at, columns.intervention_id).limit(limit + 1)
    rows = list(connection.execute(ordered))
    found = rows[:limit]
    return found, PageEnd(found[-1].due_at, found[-1].intervention_id) if len(rows) > limit else None


def _is_after(after: PageEnd) -> sa.ColumnElement[bool]:
    due_at, own = interventions.c.due_at, interventions.c.intervention_id
    if after.due_at is None:
        return sa.and_(due_at.is_(None), own > after.intervention_id)
    same = sa.and_(due_at == after.due_at, own > after.intervention_id)
    return sa.or_(due_at > after.due_at, same, due_at.is_(None))


def intervention_details(connection: sa.Connection, intervention_id: str) -> InterventionDetails:
    """One intervention with its steps, deadlines and comments. NoIntervention."""
    found = connection.execute(
        sa.select(interventions).where(interventions.c.intervention_id == intervention_id)
    ).first()
    if found is None:
        raise NoIntervention(f"there is no intervention '{intervention_id}'")
    return InterventionDetails(
        found,
        _of(connection, intervention_steps, intervention_id, intervention_steps.c.number),
        _of(connection, deadlines, intervention_id, deadlines.c.due_at, deadlines.c.deadline_id),
        _of(
            connection,
            intervention_comments,
            intervention_id,
            intervention_comments.c.at,
            intervention_comments.c.comment_id,
        ),
    )


def _of(connection: sa.Connection, table: sa.Table, intervention_id: str, *order: sa.ColumnElement[Any]) -> list[Any]:
    return list(connection.execute(sa.select(table).where(table.c.intervention_id == intervention_id).order_by(*order)))
