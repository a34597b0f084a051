"""What the last night left for a score on demand: where the account stands, what was said of it before, where severities begin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from serving.database.compiled import Compiled
from serving.database.lookups import Lookups
from serving.database.tables import account_segments, score_history, scores


@dataclass(frozen=True)
class Earlier:
    """The score before: what it spoke for, said (None where it did not score), and which version said it."""

    as_of: datetime
    answer: float | None
    model_version: str


@dataclass(frozen=True)
class Remembered:
    """One account as the last night left it; all None, and nothing earlier, for one that it did not know."""

    quadrant: str | None = None
    tier: str | None = None
    segment: str | None = None
    health: float | None = None
    data_as_of: datetime | None = None
    earlier: dict[str, Earlier] = field(default_factory=dict)
    """By target."""


NOTHING = Remembered()

# Nights score every account for every target, so that the score before is found with one look into an index each.
_before = (
    sa.select(sa.func.max(score_history.c.as_of))
    .where(
        score_history.c.account_id == scores.c.account_id,
        score_history.c.target == scores.c.target,
        score_history.c.as_of < sa.bindparam("as_of", type_=score_history.c.as_of.type),
    )
    .correlate(scores)
    .scalar_subquery()
)
_standing = (
    account_segments.c.quadrant,
    account_segments.c.tier,
    account_segments.c.segment,
    account_segments.c.health,
)
_earlier = (score_history.c.as_of, score_history.c.answer, score_history.c.model_version)
_REMEMBERED = Compiled(
    sa.select(scores.c.account_id, scores.c.target, scores.c.data_as_of, *_standing, *_earlier).select_from(
        scores.outerjoin(account_segments, account_segments.c.account_id == scores.c.account_id).outerjoin(
            score_history,
            sa.and_(
                score_history.c.account_id == scores.c.account_id,
                score_history.c.target == scores.c.target,
                score_history.c.as_of == _before,
            ),
        )
    ),
    scores.c.account_id,
)


def remembered(lookups: Lookups, account_ids: Sequence[str], as_of: datetime) -> Mapping[str, Remembered]:
    """What is remembered of these accounts, and of their scores of moments before `as_of`; those unknown are left out.

    Raises DatabaseUnavailable.
    """
    found: dict[str, Remembered] = {}
    for row in _REMEMBERED.rows(lookups, account_ids, as_of=as_of):
        account_id, target, data_as_of, quadrant, tier, segment, health, moment, answer, version = row
        known = found.setdefault(account_id, Remembered(quadrant, tier, segment, health, data_as_of))
        if moment is not None:
            known.earlier[target] = Earlier(moment, answer, version)
    return found


def cuts_drawn(lookups: Lookups) -> dict[str, float]:
    """All cuts of the last night by name; empty before the first. Raises DatabaseUnavailable."""
    return dict(lookups.rows("select name, value from cuts", ()))
