"""Accounts as the last night left them: filtered, sorted, and page by page.

A page goes on after the account that the page before ended with, by its value in the sorted column and its id. So
accounts that come, go or move between two pages neither repeat nor hide any other: only one that moves itself may be seen
twice or not at all. Accounts without a value come last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from serving.database.tables import account_segments, scores

Row = sa.Row[Any]
Filled = sa.Select[Any]

DESCENDING = {"value_at_stake": True, "value": True, "health": False, "name": False}
"""What can be sorted by, and whether the largest comes first unless it is asked for otherwise: the most at stake, the least healthy."""
FILTERS = ("band", "tier", "quadrant", "segment", "severity", "owner", "region", "industry")


@dataclass(frozen=True)
class Listing:
    """Which accounts, in which order. `having` gives the words that a column may hold; without any, every account has it."""

    having: Mapping[str, Sequence[str]]
    sort: str
    descending: bool

    @property
    def column(self) -> sa.ColumnElement[Any]:
        return account_segments.c[self.sort]

    @property
    def holds(self) -> sa.ColumnElement[bool]:
        """What is true of the accounts."""
        return sa.and_(sa.true(), *(account_segments.c[name].in_(words) for name, words in self.having.items()))


@dataclass(frozen=True)
class After:
    """The account that the page before ended with."""

    value: float | str | None
    account_id: str


def page(
    connection: sa.Connection, listing: Listing, limit: int, after: After | None
) -> tuple[list[Row], After | None]:
    """Up to `limit` accounts, and where the next page goes on; None after the last."""
    # Two queries and no `nulls last`: so both databases walk the index instead of sorting all accounts.
    rows = [] if after and after.value is None else _filled(connection, listing, limit + 1, after)
    if len(rows) <= limit:
        rows += _missing(connection, listing, limit + 1 - len(rows), after if after and after.value is None else None)
    found, more = rows[:limit], len(rows) > limit
    return found, After(getattr(found[-1], listing.sort), found[-1].account_id) if more else None


def count(connection: sa.Connection, listing: Listing) -> int:
    """How many accounts the listing has in all."""
    return connection.execute(
        sa.select(sa.func.count()).select_from(account_segments).where(listing.holds)
    ).scalar_one()


def risks_of(connection: sa.Connection, account_ids: Sequence[str]) -> dict[str, list[Row]]:
    """By account, its scores of targets that are risks, by target."""
    found: dict[str, list[Row]] = {}
    is_theirs = scores.c.account_id.in_(account_ids), scores.c.severity.is_not(None)
    for row in connection.execute(sa.select(scores).where(*is_theirs).order_by(scores.c.account_id, scores.c.target)):
        found.setdefault(row.account_id, []).append(row)
    return found


def _filled(connection: sa.Connection, listing: Listing, limit: int, after: After | None) -> list[Row]:
    key = sa.tuple_(listing.column, account_segments.c.account_id)
    query = _query(listing, limit, listing.column.is_not(None), listing.column, account_segments.c.account_id)
    if after:
        last = sa.tuple_(sa.literal(after.value), sa.literal(after.account_id))
        query = query.where(key < last if listing.descending else key > last)
    return list(connection.execute(query))


def _missing(connection: sa.Connection, listing: Listing, limit: int, after: After | None) -> list[Row]:
    own = account_segments.c.account_id
    query = _query(listing, limit, listing.column.is_(None), own)
    if after:
        query = query.where(own < after.account_id if listing.descending else own > after.account_id)
    return list(connection.execute(query))


def _query(listing: Listing, limit: int, part: sa.ColumnElement[bool], *order: sa.ColumnElement[Any]) -> Filled:
    ordered = [column.desc() if listing.descending else column.asc() for column in order]
    return sa.select(account_segments).where(listing.holds, part).order_by(*ordered).limit(limit)
