"""The requests and answers of the service, as its OpenAPI page shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, FailFast, Field, GetPydanticSchema, create_model, model_validator
from pydantic_core import PydanticCustomError

from features.streams import STREAMS, Column, Stream

MOST_ACCOUNTS = 1000
MOST_EXPLAINED = 100
MOST_TARGETS = 100
MOST_ROWS = 10_000
"""Event rows of one stream of one account."""
MOST_ROWS_TOGETHER = 30_000
"""Event rows in one request: what can be checked and scored well before the answer comes too late."""
MOST_MEMBERS = 50
"""Names in one JSON object; every unknown one is a finding, and a body has room for a hundred thousand."""

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL has no text with NUL characters."""
Text = Annotated[str, Field(pattern=NO_NUL)]
AccountId = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]

_JSON_TYPES: dict[str, Any] = {"text": Text, "time": str, "number": float}


class Request(BaseModel):
    """What callers send: a misspelt name is an error, and a number is not guessed from text."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _few_members(cls, given: Any) -> Any:
        if isinstance(given, dict) and len(given) > MOST_MEMBERS:
            raise PydanticCustomError(
                "too_many_members", "Object should have at most {most} members", {"most": MOST_MEMBERS}
            )
        return given


def _event_model(stream: Stream) -> type[BaseModel]:
    """One row of a stream, without the account: that is told once, around the rows."""
    fields: Any = {column.name: field_of(column) for column in stream.columns if column.name != "account_id"}
    return create_model(
        f"{stream.name.capitalize()}Event", __base__=Request, __doc__=f"Grain: {stream.grain}.", **fields
    )


def field_of(column: Column) -> tuple[Any, Any]:
    """The type and description of a column, for pydantic's `create_model`."""
    unit = f" ({column.unit})" if column.unit else ""
    described = Field(
        default=... if column.required else None,
        description=f"{column.meaning}{unit}; if absent: {column.absent}",
        json_schema_extra={"format": "date-time"} if column.type == "time" else None,
    )
    kind: Any = _JSON_TYPES[column.type]
    return (kind if column.required else kind | None), described


def _events_model() -> type[BaseModel]:
    fields: Any = {
        # One bad row is told, and not all of many thousands: validation holds up every other request.
        name: (
            Annotated[list[_event_model(stream)], FailFast()],  # type: ignore[misc]
            Field(default=[], max_length=MOST_ROWS, description=f"each row: {stream.grain}"),
        )
        for name, stream in STREAMS.items()
    }
    return create_model("AccountEvents", __base__=Request, __doc__="What happened to one account, by stream.", **fields)


AccountEvents = _events_model()
"""Made from the declared streams, so that a new column is known here as soon as it is declared."""


class InlineAccount(Request):
    """An account that the history need not know: it is scored on these events alone."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "account_id": "a lead",
                "events": {"purchases": [{"occurred_at": "2011-04-02T09:30:00", "order_id": "1", "amount": 120.5}]},
            }
        }
    )

    account_id: AccountId
    events: Annotated[BaseModel, GetPydanticSchema(lambda _, handler: handler(AccountEvents))]

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """The rows by stream, as they were sent."""
        return self.events.model_dump(exclude_unset=True)


class ScoreRequest(Request):
    """Accounts to score: known ones by id, others with their events."""

    # One example: BentoML's page knows OpenAPI 3.0, which has no list of them.
    model_config = ConfigDict(json_schema_extra={"example": {"account_ids": ["17850"], "explain": "top"}})

    account_ids: Annotated[list[AccountId], FailFast()] = Field(default=[], max_length=MOST_ACCOUNTS)
    accounts: Annotated[list[InlineAccount], FailFast()] = Field(default=[], max_length=MOST_ACCOUNTS)
    as_of: str | None = Field(
        default=None,
        description="the moment that the scores speak for: an ISO date or time, in the project's timezone if it has no "
        "offset; if absent, the service's own as_of, or now",
        json_schema_extra={"format": "date-time"},
    )
    targets: list[str] | None = Field(
        default=None, min_length=1, max_length=MOST_TARGETS, description="if absent: all that are served"
    )
    explain: Literal["none", "top"] = Field(default="none", description="top: the reasons that weigh most")

    @model_validator(mode="before")
    @classmethod
    def _few_rows(cls, given: Any) -> Any:
        """Counts before anything is validated, so that far too much is refused at once."""
        accounts = given.get("accounts") if isinstance(given, dict) else None
        rows = sum(map(_rows_in, accounts)) if isinstance(accounts, list) else 0
        if rows > MOST_ROWS_TOGETHER:
            raise PydanticCustomError(
                "too_many_rows",
                "Request should have at most {most} event rows, not {rows}",
                {"most": MOST_ROWS_TOGETHER, "rows": rows},
            )
        return given


def _rows_in(account: Any) -> int:
    """How many event rows an account brings along, in whatever shape it comes: 0 for one that has not the right one."""
    events = account.get("events") if isinstance(account, dict) else None
    streams = events.values() if isinstance(events, dict) else ()
    return sum(len(rows) for rows in streams if isinstance(rows, list))


class Reason(BaseModel):
    """A signed driver of a score."""

    feature: str
    value: float | None = Field(description="the account's value of the feature; null if absent")
    direction: Literal["raises", "lowers"]
    size: float = Field(description="by how much, in log-odds before calibration")
    words: str


class Days(BaseModel):
    """How long until something happens, in days after as_of; null lies beyond the horizon, further than anybody was followed."""

    median: float | None
    low: float | None = Field(description="one in ten comes sooner")
    high: float | None = Field(description="one in ten comes later")


class Score(BaseModel):
    """One account's score for one target."""

    target: str
    definition: str = Field(description="what is predicted, and of whom")
    as_of: datetime
    horizon_days: int
    probability: float | None = Field(
        description="calibrated; null where why_not says why, and for a target that asks for something else"
    )
    amount: float | None = Field(
        description="of a target that asks for value: what to expect, in the project's currency"
    )
    days: Days | None = Field(description="of a target that asks for the next order: when to expect it")
    percentile: float | None = Field(
        description="mid-rank among the accounts that the model was last compared with, 0 to 1"
    )
    band: Literal["low", "medium", "high"] | None
    why_not: str | None = Field(description="why there is no score")
    reasons: list[Reason] = Field(
        description="the largest first; empty if not asked for, not scored, or none stands out"
    )
    model: str = Field(description="name of the registered model")
    model_version: str
    grade: Literal["A", "B", "C", "none"] | None = Field(
        description="how far the model's scores can be relied on, against the simple rule; null for a model that was "
        "never graded"
    )


class ProblemDetail(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    pointer: str | None = None


class ScoredAccount(BaseModel):
    """The scores of one account, or why there are none."""

    account_id: str
    scores: list[Score]
    error: ProblemDetail | None = Field(
        default=None, description="why this account, unlike others, could not be scored"
    )


class ScoreResponse(BaseModel):
    """One entry for each account asked for: first account_ids, then accounts, in their order."""

    as_of: datetime
    accounts: list[ScoredAccount]


class Model(BaseModel):
    """The champion of one target."""

    target: str
    definition: str = Field(description="what is predicted, and of whom")
    answer: str = Field(description="probability, amount or days")
    horizon_days: int
    model: str = Field(description="name of the registered model")
    model_version: str
    grade: str | None = Field(description="A, B, C or none; null for a model that was never graded")


class Models(BaseModel):
    """The champions in service, in the order of the project's targets."""

    models: list[Model]


def names_at(place: Sequence[str | int], asked: type[BaseModel] = ScoreRequest) -> list[str]:
    """The names that a request of this kind may have where `place` (the path of a finding, its own name last) was found."""
    if "events" in place[:-1]:
        inside = list(place[place.index("events") + 1 :])
        return [*STREAMS] if len(inside) == 1 else [column.name for column in STREAMS[str(inside[0])].columns]
    return [*(InlineAccount if place[0] == "accounts" else asked).model_fields]
