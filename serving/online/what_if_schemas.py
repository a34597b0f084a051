"""What POST /v1/what-if takes and gives."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, model_validator
from pydantic_core import PydanticCustomError

from serving.online.schemas import (  # fmt: skip
    EXPLAIN,
    AccountId,
    Explain,
    InlineAccount,
    Request,
    ScoredAccount,
    Targets,
    events_model,
    few_rows,
)

SupposedEvents = events_model(
    "SupposedEvents", "Events that are only supposed, by stream.", event="Supposed", timeless=True
)


class WhatIfRequest(Request):
    """One account, and events that are supposed to have happened to it. Nothing of it is stored."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "account_id": "17850",
                "events": {"service": [{"kind": "opened", "case_id": "1", "topic": "complaint"}]},
                "explain": "top",
            }
        }
    )

    account_id: AccountId | None = Field(default=None, description="a known account; or give account")
    account: InlineAccount | None = Field(default=None, description="an account with its events; or give account_id")
    events: Annotated[BaseModel, GetPydanticSchema(lambda _, handler: handler(SupposedEvents))] = Field(
        default_factory=SupposedEvents, description="none: both scores are as they are"
    )
    as_of: str | None = Field(
        default=None,
        description="the moment that the scores speak for, and of events that name none; no event may lie after it. "
        "If absent, the service's own as_of, or now",
        json_schema_extra={"format": "date-time"},
    )
    targets: Targets = None
    explain: Explain = EXPLAIN

    @model_validator(mode="before")
    @classmethod
    def _few_rows(cls, given: Any) -> Any:
        """Counts before anything is validated, so that far too much is refused at once."""
        return few_rows(given, [given, given.get("account")]) if isinstance(given, dict) else given

    @model_validator(mode="after")
    def _one_account(self) -> "WhatIfRequest":
        if (self.account_id is None) == (self.account is None):
            raise PydanticCustomError("one_account", "give either account_id or account")
        return self

    def supposed(self) -> dict[str, list[dict[str, Any]]]:
        """The rows by stream, as they were sent."""
        return self.events.model_dump(exclude_unset=True)


class Difference(BaseModel):
    """What the events would do to one score."""

    target: str
    difference: float | None = Field(
        description="the answer after less the one before: of probability, amount or median days; null unless both are there"
    )


class WhatIf(BaseModel):
    """The scores as they are, and as they would be."""

    as_of: datetime
    account_id: str
    before: ScoredAccount
    after: ScoredAccount = Field(description="segments are those of the last night: events move them in the next one")
    differences: list[Difference] = Field(description="in the order of the scores")
