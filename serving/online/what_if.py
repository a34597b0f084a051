"""The score of one account if some events had happened. Nothing is stored. Knows no HTTP and no clock."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from features.arrays import Array
from features.engine.events import Events
from features.engine.table import build_feature_row
from features.history.streams import STREAMS, Stream
from features.rows import Row
from serving.accounts.inline import Brought
from serving.online.account_scores import account_scores
from serving.online.in_service import InService
from serving.online.schemas import Score, ScoredAccount
from serving.online.score_query import AccountRow, ScoreQuery
from serving.online.score_request import known_row, models_of, unknown_account
from serving.online.what_if_schemas import Difference, WhatIf, WhatIfRequest

Rows = dict[str, list[dict[str, Any]]]
"""By stream, checked and with defaults filled."""


def what_if(request: WhatIfRequest, service: InService, as_of: datetime) -> WhatIf:
    """The scores as they are and as they would be. Raises as `score_request.answer` does, and MalformedEvent for events after as_of."""
    query = ScoreQuery(models_of(request.targets, service), request.explain, as_of)
    account, rows = _account(request, service, as_of)
    supposed = _supposed(request, service, as_of)
    after = account._replace(features=_row(account.account_id, _together(rows, supposed), service, as_of))
    before, would_be = account_scores([account, after], query, service)
    return WhatIf.model_construct(
        as_of=as_of,
        account_id=account.account_id,
        before=before,
        after=would_be,
        differences=_differences(before, would_be),
    )


def _account(request: WhatIfRequest, service: InService, as_of: datetime) -> tuple[AccountRow, Rows]:
    """The account as it is, and all its events."""
    if request.account is None:
        known = str(request.account_id)
        row = known_row(known, service, as_of, "#/account_id")
        found = service.accounts.known([known]).get(known)
        if found is None:
            raise unknown_account(known, as_of, "#/account_id")
        rows = {name: found.events(name) for name in STREAMS}
        # From what was read just now: an event posted in between would be laid to the supposed ones.
        return row._replace(features=_row(known, rows, service, as_of)), rows
    brought = Brought(request.account.account_id, request.account.rows(), ("account", "events"))
    (rows,) = service.inline.checked([brought])
    return AccountRow(brought.account_id, _row(brought.account_id, rows, service, as_of)), rows


def _supposed(request: WhatIfRequest, service: InService, as_of: datetime) -> Rows:
    """The supposed events, checked; as_of stands for a moment that they do not tell."""
    given = {name: [_dated(STREAMS[name], row, as_of) for row in rows] for name, rows in request.supposed().items()}
    brought = Brought(request.account_id or "", given, ("events",))
    (checked,) = service.inline.checked([brought], until=as_of, as_known=request.account_id is not None)
    return checked


def _dated(stream: Stream, row: dict[str, Any], as_of: datetime) -> dict[str, Any]:
    needed = next(column.name for column in stream.shared_columns if column.type == "time" and column.required)
    return row if row.get(needed) is not None else {**row, needed: as_of.isoformat()}


def _together(rows: Rows, supposed: Rows) -> Rows:
    """Both; an event that is there already, by its id or else by its content, happens once."""
    return {name: [*rows[name], *_new(supposed[name], rows[name])] for name in STREAMS}


def _new(supposed: Sequence[dict[str, Any]], rows: Sequence[Row]) -> list[dict[str, Any]]:
    there = {row["event_id"] for row in rows}
    return [row for row in supposed if row["event_id"] not in there]


def _row(account_id: str, rows: Rows, service: InService, as_of: datetime) -> Array:
    return build_feature_row(Events.from_rows(rows, account_id), as_of, service.accounts.features)


def _differences(before: ScoredAccount, after: ScoredAccount) -> list[Difference]:
    return [
        Difference(target=old.target, difference=_difference(_number(old), _number(new)))
        for old, new in zip(before.scores, after.scores, strict=True)
    ]


def _difference(before: float, after: float) -> float | None:
    return None if math.isnan(before) or math.isnan(after) else after - before


def _number(score: Score) -> float:
    """What the score says; NaN where it says nothing, or that it lies beyond the horizon."""
    median = score.days.median if score.days else None
    return next((one for one in (score.probability, score.amount, median) if one is not None), math.nan)
