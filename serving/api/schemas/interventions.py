"""What is asked and answered about interventions."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from serving.api.schemas.rows import table_row
from serving.database.tables import deadlines, intervention_comments, intervention_steps, interventions
from serving.online.schemas import NO_NUL, AccountId, Instant, Request, Text

MOST_LISTED = 500
_NIGHT, _DUE = "2026-03-01T00:00:00Z", "2026-03-03T09:00:00Z"
INTERVENTION = {
    "intervention_id": "iv_5b1f6e0c2f0d4b7a9c3e8d21", "account_id": "17850", "playbook": "win_back", "origin": "decision",
    "status": "assigned", "role": "success_manager", "owner": "Ada", "severity": "high", "reason": "no order for 61 days",
    "say": "ask what has changed, then offer the spare parts at cost", "decided_at": _NIGHT, "due_at": _DUE, "cost": 120.0,
    "expected": 491.5, "effect": 0.08, "effect_source": "assumed", "value_at_stake": 7644.0, "outcome": None,
    "outcome_note": None, "changed_at": _NIGHT, "closed_at": None,
}  # fmt: skip
_STEP = {"number": 1, "do": "call", "due_at": _DUE, "done_at": None, "done_by": None}
_DEADLINE = {
    "kind": "claim",
    "step": None,
    "due_at": _DUE,
    "escalate_to": "director",
    "settled_at": None,
    "result": None,
}
_COMMENT = {"at": _NIGHT, "actor": "Ada", "text": "they are in a meeting until noon"}
_ITS_OWN = ("intervention_id", "account_id")

Step = table_row("InterventionStep", intervention_steps, _STEP, without=_ITS_OWN)
Deadline = table_row("InterventionDeadline", deadlines, _DEADLINE, without=("deadline_id", *_ITS_OWN))
Comment = table_row("InterventionComment", intervention_comments, _COMMENT, without=("comment_id", *_ITS_OWN))
ListedIntervention = table_row("ListedIntervention", interventions, INTERVENTION)
_PARTS: Any = {
    "steps": (list[Step], Field(description="in their order")),  # type: ignore[valid-type]
    "deadlines": (list[Deadline], Field(description="the earliest first, settled ones among them")),  # type: ignore[valid-type]
    "comments": (list[Comment], Field(description="the oldest first")),  # type: ignore[valid-type]
}
Intervention = table_row(
    "Intervention",
    interventions,
    INTERVENTION | {"steps": [_STEP], "deadlines": [_DEADLINE], "comments": [_COMMENT]},
    **_PARTS,
)
"""One intervention in full."""


class Interventions(BaseModel):
    """A page of interventions, the earliest due first."""

    interventions: list[ListedIntervention]  # type: ignore[valid-type]
    next: str | None = Field(description="the cursor of the page that goes on from here; null on the last")


class InterventionPlace(BaseModel):
    """Where a page of interventions ended."""

    model_config = ConfigDict(extra="forbid")

    due_at: Instant | None
    intervention_id: Text


Status = Literal["proposed", "assigned", "claimed", "in_progress", "done", "dismissed", "expired"]


class InterventionQuery(BaseModel):
    """Which interventions are listed. Of a parameter given several times any may hold."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = Field(default=[], description="if absent: what is still to be done")
    owner: list[Text] = []
    role: list[Text] = []
    playbook: list[Text] = []
    account_id: list[AccountId] = []
    severity: list[Literal["low", "medium", "high", "critical"]] = []
    origin: list[Literal["decision", "rule", "sla"]] = []
    due_before: Instant | None = Field(default=None, description="due before this moment")
    limit: int = Field(default=50, ge=1, le=MOST_LISTED)
    cursor: str | None = Field(default=None, description="`next` of the page before")


Person = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]
Remark = Annotated[str, Field(min_length=1, max_length=10_000, pattern=NO_NUL)]


class By(Request):
    """Who acts."""

    model_config = ConfigDict(json_schema_extra={"example": {"by": "Ada"}})

    by: Person = Field(description="the person who acts; the API key that was used is noted beside")


class HandOver(By):
    """To whom it goes."""

    model_config = ConfigDict(json_schema_extra={"example": {"by": "Ada", "to": "Ben"}})

    to: Person = Field(description="who is to do it from now on")


class Complete(By):
    """What came of it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"by": "Ada", "outcome": "renewed", "note": "signed for two years"}}
    )

    outcome: Word = Field(description="in a word of your own, the same for the same: renewed, no_answer, refused ...")
    note: Remark | None = Field(default=None, description="the same in a sentence")


class Dismiss(By):
    """Why it will not be done."""

    model_config = ConfigDict(json_schema_extra={"example": {"by": "Ada", "reason": "they asked not to be called"}})

    reason: Remark


class Say(By):
    """A remark."""

    model_config = ConfigDict(json_schema_extra={"example": {"by": "Ada", "text": _COMMENT["text"]}})

    text: Remark


class Reported(BaseModel):
    """What became of a message from another system."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"intervention_id": "iv_5b1f6e0c2f0d4b7a9c3e8d21", "changed": True, "status": "done"}
        }
    )

    intervention_id: str
    changed: bool
    status: str = Field(description="where the intervention stands now")
    why_not: str | None = Field(description="why nothing was changed")
    at: datetime | None = Field(default=None, description="when its status last changed")
