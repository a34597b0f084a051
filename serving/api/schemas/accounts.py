"""What is answered about accounts: one in full, or many in a list."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from features.history.streams import ACCOUNTS, CONTACTS
from serving.api.schemas.interventions import INTERVENTION
from serving.api.schemas.rows import stream_row, table_row
from serving.database.tables import (
    account_segments,
    interventions,
    not_chosen,
    score_history,
    scores,
    tier_moves,
    warnings,
)
from serving.online.schemas import Reason

_NIGHT = "2026-03-01T00:00:00Z"
_STANDING = {
    "account_id": "17850", "as_of": _NIGHT, "name": "Baker & Sons", "owner": "Ada", "region": "north",
    "industry": "retail", "value": 18200.0, "potential": 0.71, "quadrant": "strategic_core", "tier": "strategic",
    "segment": "at_risk", "health": 41.0, "satisfaction": 55.0, "contribution": 80.0, "exposure": 12.0, "risk": 0.93,
    "band": "high", "value_at_stake": 7644.0, "severity": "high",
}  # fmt: skip
_PAST = {"as_of": "2026-02-28T00:00:00Z", "answer": 0.35, "percentile": 0.88, "band": "high", "model_version": "4"}
_RISK = {
    "target": "churn", "as_of": _NIGHT, "horizon_days": 90, "probability": 0.42, "percentile": 0.93, "band": "high",
    "value_at_stake": 7644.0, "severity": "high", "previous_as_of": "2026-02-28T00:00:00Z", "previous": 0.35,
    "change": 0.07, "model_version": "4",
}  # fmt: skip
_SCORE = _RISK | {
    "amount": None, "days": None, "days_low": None, "days_high": None, "model": "wholesaler-churn", "grade": "B",
    "reasons": None, "why_not": None, "data_as_of": _NIGHT, "history": [_PAST],
    "definition": "churned: no order in (as_of, as_of + 90 days]",
}  # fmt: skip

Segmentation = table_row("Segmentation", account_segments, _STANDING)
"""How the last night left an account."""
PastScore = table_row("PastScore", score_history, _PAST, without=("account_id", "target"))
_CHANGE: Any = (
    float | None,
    Field(description="the answer less the one before; null where either is missing"),
)
_OWN_SCORE: Any = {
    "definition": (
        str | None,
        Field(description="what is predicted, and of whom; null while no model of it is in service"),
    ),
    "reasons": (list[Reason] | None, Field(description="the largest first; null where the night computed none")),
    "change": _CHANGE,
    "history": (list[PastScore], Field(description="of former nights, the newest first")),  # type: ignore[valid-type]
}
StoredScore = table_row("StoredScore", scores, _SCORE, without=("account_id",), **_OWN_SCORE)
_NOT_OF_A_RISK = tuple(column.name for column in scores.columns if column.name not in _RISK)
Risk = table_row("Risk", scores, _RISK, without=_NOT_OF_A_RISK, change=_CHANGE)
Move = table_row(
    "Move", tier_moves,
    {"scheme": "tier", "as_of": _NIGHT, "before": "growth", "after": "strategic", "why": "value rose to 18,200"},
    without=("account_id",),
)  # fmt: skip
AccountIntervention = table_row("AccountIntervention", interventions, INTERVENTION, without=("account_id",))
Warning_ = table_row(
    "Warning", warnings, {"rule": "purchases_down_two_quarters", "severity": "high", "since": _NIGHT, "as_of": _NIGHT},
    without=("account_id",),
)  # fmt: skip
NotChosen = table_row(
    "NotChosen", not_chosen,
    {"playbook": "win_back", "as_of": _NIGHT, "expected": 310.0,
     "why": "capacity of success_manager is used by accounts worth 2,310 or more"},
    without=("account_id",),
)  # fmt: skip
Attributes = stream_row("Attributes", ACCOUNTS, {"name": "Baker & Sons", "region": "north", "owner": "Ada"})
_SINCE: Any = {"since": (datetime, Field(description="since when it has been so"))}
Contact = stream_row(
    "Contact", CONTACTS, {"contact_id": "c1", "role": "decides", "status": "joined", "since": _NIGHT}, **_SINCE
)


class TimelineEvent(BaseModel):
    """One event of the account."""

    stream: str
    event_id: str
    occurred_at: datetime
    known_at: datetime = Field(description="when we could have known it")
    details: dict[str, Any] = Field(description="the stream's own columns that are recorded")


class Timeline(BaseModel):
    """A page of events, the newest first."""

    events: list[TimelineEvent]
    next: str | None = Field(description="the cursor of the page that goes on from here; null on the last")


class Account(BaseModel):
    """All about one account."""

    account_id: str
    as_of: datetime = Field(description="the moment that attributes, contacts and timeline speak for")
    first_known: datetime = Field(description="when the account was first heard of")
    attributes: Attributes = Field(description="what it is, as of now")  # type: ignore[valid-type]
    contacts: list[Contact] = Field(description="whom we know there, those who left among them")  # type: ignore[valid-type]
    segmentation: Segmentation | None = Field(description="how the last night left it; null before its first night")  # type: ignore[valid-type]
    scores: list[StoredScore] = Field(description="of the last night, by target")  # type: ignore[valid-type]
    moves: list[Move] = Field(description="between quadrants, tiers and segments, the newest first")  # type: ignore[valid-type]
    interventions: list[AccountIntervention] = Field(description="what is still to be done, the earliest due first")  # type: ignore[valid-type]
    past_interventions: list[AccountIntervention] = Field(description="what has ended and how, the newest first")  # type: ignore[valid-type]
    warnings: list[Warning_] = Field(description="rules that hold, the newest first")  # type: ignore[valid-type]
    not_chosen: list[NotChosen] = Field(description="playbooks that would have paid and were not chosen, and why")  # type: ignore[valid-type]
    timeline: Timeline


class ListedAccount(BaseModel):
    """An account in a list: its segmentation, and its risks."""

    segmentation: Segmentation  # type: ignore[valid-type]
    risks: list[Risk] = Field(description="its scores of targets that are risks")  # type: ignore[valid-type]


class Accounts(BaseModel):
    """A page of a list."""

    accounts: list[ListedAccount]
    next: str | None = Field(description="the cursor of the page that goes on from here; null on the last")
    count: int | None = Field(description="how many there are on all pages; null unless asked for")


def stored_score(row: Any, history: list[Any], definition: str | None) -> BaseModel:
    """A row of the table scores as it is answered."""
    columns = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
    reasons = None if columns["reasons"] is None else json.loads(columns["reasons"])
    return StoredScore.model_validate(
        {**columns, "reasons": reasons, "change": _change(columns), "history": history, "definition": definition}
    )


def risk(row: Any) -> BaseModel:
    """A row of the table scores as it stands in a list."""
    columns = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
    return Risk.model_validate({**columns, "change": _change(columns)})


def _change(columns: Mapping[str, Any]) -> float | None:
    answer = next((columns[name] for name in ("probability", "amount", "days") if columns[name] is not None), None)
    return None if answer is None or columns["previous"] is None else answer - columns["previous"]
