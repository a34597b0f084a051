"""What changed since the last score: the answer then and now, and which features moved it, by one model at both moments."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.arrays import Array, Floats
from registry.loader import LoadedModel
from serving.accounts.last_scores import Earlier
from serving.accounts.reader import AccountReader
from serving.scoring.reasons import Reason, reasons_of
from serving.scoring.scores import Rows

Moment = tuple[str, datetime]
"""An account, and a moment that a score of it spoke for."""


@dataclass(frozen=True)
class Movement:
    """What one feature, and those that tell the same story, did to a score between two moments."""

    reason: Reason
    """Told by the value now; its direction and size are those of the movement."""
    before: float | None
    """The value then; None = absent."""


def difference(now: float, earlier: Earlier) -> float | None:
    """The answer now less the one before; None unless both are numbers."""
    if earlier.answer is None or not math.isfinite(now):
        return None
    return now - earlier.answer


def earlier_rows(accounts: AccountReader, moments: Sequence[Moment]) -> dict[Moment, Array]:
    """The features of accounts as they were at moments before; an account not known at its moment is left out."""
    by_moment: dict[datetime, list[str]] = {}
    for account, as_of in dict.fromkeys(moments):
        by_moment.setdefault(as_of, []).append(account)
    return {
        (account, as_of): row
        for as_of, named in by_moment.items()
        for account, row in zip(named, accounts.rows(named, as_of), strict=True)
        if row is not None
    }


def movements(
    loaded: LoadedModel, now: Rows, contributions: Floats, then: Mapping[int, Array], currency: str
) -> dict[int, list[Movement]]:
    """What moved the score of some rows, the largest first: by the number of the row, for each that has one in `then`.

    `contributions` (rows, features of the model) are those of `now`. What is told is what its theme added or took away
    since then, so a fact that was as true before is not among it, however much it weighs.
    """
    if not then:
        return {}
    places = np.array(list(then), dtype=np.intp)
    before = Rows(now.names, np.array(list(then.values()), dtype=np.float64))
    moved = contributions[places] - loaded.model.contributions(before.columns(loaded.reads))
    told = zip(then, moved.tolist(), now.at(places).values(), before.values(), strict=True)
    return {
        place: [_movement(reason, old) for reason in reasons_of(loaded.features, of_one, new, currency=currency)]
        for place, of_one, new, old in told
    }


def _movement(reason: Reason, before: Mapping[str, float]) -> Movement:
    value = before[reason.feature]
    return Movement(reason, None if math.isnan(value) else value)
