"""The requests and answers of the service, as its OpenAPI page shows them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    GetPydanticSchema,
    create_model,
    model_validator,
)
from pydantic_core import PydanticCustomError

from features.history.streams import STREAMS, Column, Stream

MOST_ACCOUNTS = 1000
MOST_EXPLAINED = 100
MOST_EXPLAINED_WHOLLY = 10
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


def _written_out(moment: Any) -> Any:
    """Refuse a bare number: pydantic would take it for seconds since 1970, and no document says so."""
    try:
        float(moment)
    except (TypeError, ValueError):
        return moment
    raise PydanticCustomError("no_moment", "write a moment out as ISO 8601 does, like 2026-03-01T09:00:00Z")


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written_out),
    Field(ge=datetime(1, 1, 2, tzinfo=UTC), le=datetime(9999, 12, 30, tzinfo=UTC)),
]
"""A moment that can be told in every timezone."""
EventId = Annotated[str, Field(max_length=200, pattern=NO_NUL)]
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


def _event_model(stream: Stream, name: str, timeless: bool) -> type[BaseModel]:
    """One row of a stream, without the account: that is told once, around the rows."""
    fields: Any = {
        column.name: _timeless(column) if timeless and column in stream.shared_columns else field_of(column)
        for column in stream.columns
        if column.name != "account_id"
    }
    return create_model(
        f"{name}{stream.name.capitalize()}Event", __base__=Request, __doc__=f"Grain: {stream.grain}.", **fields
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


def _timeless(column: Column) -> tuple[Any, Any]:
    """Of an event that is only supposed: a moment that must be told elsewhere is as_of here."""
    return field_of(replace(column, required=False, absent="as_of") if column.required else column)


def events_model(name: str, meaning: str, *, event: str = "", timeless: bool = False) -> type[BaseModel]:
    """A model of rows by stream; the models of its rows are called <event><Stream>Event. `timeless`: they need no moment."""
    fields: Any = {
        # One bad row is told, and not all of many thousands: validation holds up every other request.
        stream: (
            Annotated[list[_event_model(declared, event, timeless)], FailFast()],  # type: ignore[misc]
            Field(default=[], max_length=MOST_ROWS, description=f"each row: {declared.grain}"),
        )
        for stream, declared in STREAMS.items()
    }
    return create_model(name, __base__=Request, __doc__=meaning, **fields)


AccountEvents = events_model("AccountEvents", "What happened to one account, by stream.")
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


Explain = Literal["none", "top", "all"]
EXPLAIN: Any = Field(
    default="none",
    description="top: the reasons that weigh most, and what moved the score since the one before; all: the contribution "
    "of every feature too",
)


Targets = Annotated[
    list[str] | None,
    Field(min_length=1, max_length=MOST_TARGETS, description="if absent: all that are served"),
]


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
    targets: Targets = None
    explain: Explain = EXPLAIN

    @model_validator(mode="before")
    @classmethod
    def _few_rows(cls, given: Any) -> Any:
        """Counts before anything is validated, so that far too much is refused at once."""
        accounts = given.get("accounts") if isinstance(given, dict) else None
        return few_rows(given, accounts if isinstance(accounts, list) else [])


def few_rows(given: Any, accounts: Iterable[Any]) -> Any:
    """What was given, unless the accounts in it bring along more event rows than can be answered in time."""
    rows = sum(map(_rows_in, accounts))
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


# Answers are plain dataclasses inside: making a model of pydantic's takes ten times longer, and there are many in an answer.


def _told(description: str) -> Any:
    return Field(description=description)


@dataclass(slots=True)
class Reason:
    """A signed driver of a score."""

    feature: str
    value: Annotated[float | None, _told("the account's value of the feature; null if absent")]
    direction: Literal["raises", "lowers"]
    size: Annotated[float, _told("by how much, in log-odds before calibration; of amounts and days in their logarithm")]
    words: str


@dataclass(slots=True)
class Moved(Reason):
    """A feature that moved a score since the one before, by the same model at both moments."""

    before: Annotated[float | None, _told("the value that it had then; null if absent")]


@dataclass(slots=True)
class Contribution:
    """What one feature did to a score; all of them and a constant of the model add up to it, before calibration."""

    feature: str
    value: Annotated[float | None, _told("the account's value of the feature; null if absent")]
    size: Annotated[float, _told("signed, in log-odds; of amounts and days in their logarithm")]


@dataclass(slots=True)
class Change:
    """What changed since the last score."""

    previous_as_of: Annotated[datetime, _told("the moment of the score before")]
    previous: Annotated[float | None, _told("what it said: probability, amount or median days; null if not scored")]
    difference: Annotated[float | None, _told("the answer now less the one before; null unless both are there")]
    model_version: Annotated[str, _told("the version that said so; where it is not today's, the model moved as well")]
    reasons: Annotated[list[Moved], _told("what moved most, the largest first; empty if not asked for")]


@dataclass(slots=True)
class Days:
    """How long until something happens, in days after as_of; null lies beyond the horizon, further than anybody was followed."""

    median: float | None
    low: Annotated[float | None, _told("one in ten comes sooner")]
    high: Annotated[float | None, _told("one in ten comes later")]


@dataclass(slots=True)
class Score:
    """One account's score for one target."""

    target: str
    definition: Annotated[str, _told("what is predicted, and of whom")]
    as_of: datetime
    horizon_days: int
    probability: Annotated[
        float | None,
        _told("calibrated; null where why_not says why, and for a target that asks for something else"),
    ]
    amount: Annotated[float | None, _told("of a target that asks for value: what to expect, in the project's currency")]
    days: Annotated[Days | None, _told("of a target that asks for the next order: when to expect it")]
    percentile: Annotated[
        float | None, _told("mid-rank among the accounts that the model was last compared with, 0 to 1")
    ]
    band: Literal["low", "medium", "high"] | None
    value_at_stake: Annotated[
        float | None,
        _told("of a risk: probability × what the account should bring in a year, in the project's currency"),
    ]
    severity: Annotated[
        Literal["low", "medium", "high", "critical"] | None,
        _told("of a risk: by value at stake, as the last night ranked; null before the first night"),
    ]
    why_not: Annotated[str | None, _told("why there is no score")]
    reasons: Annotated[list[Reason], _told("the largest first; empty if not asked for, not scored, or none stands out")]
    contributions: Annotated[list[Contribution], _told("of every feature, the largest first; empty unless asked for")]
    change: Annotated[Change | None, _told("since the last score; null where there was none before as_of")]
    model: Annotated[str, _told("name of the registered model")]
    model_version: str
    grade: Annotated[
        Literal["A", "B", "C", "none"] | None,
        _told(
            "how far the model's scores can be relied on, against the simple rule; null for a model that was never graded"
        ),
    ]


PROBLEM_MEDIA_TYPE = "application/problem+json"


class ProblemDetail(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    pointer: str | None = None


@dataclass(slots=True)
class ScoredAccount:
    """The scores of one account, or why there are none.

    Where it stands is as the last night saw it: null before the first night, and for an account that came inline.
    """

    account_id: str
    scores: list[Score]
    quadrant: Annotated[str | None, _told("in the value × potential matrix")] = None
    tier: str | None = None
    segment: Annotated[str | None, _told("of its lifecycle")] = None
    health: Annotated[float | None, _told("0 to 100")] = None
    data_as_of: Annotated[
        datetime | None, _told("up to when every source had been read; events posted since are seen as well")
    ] = None
    error: Annotated[ProblemDetail | None, _told("why this account, unlike others, could not be scored")] = None


class ScoreResponse(BaseModel):
    """One entry for each account asked for: first account_ids, then accounts, in their order."""

    as_of: datetime
    accounts: list[ScoredAccount]


def names_at(place: Sequence[str | int], asked: type[BaseModel] = ScoreRequest) -> list[str]:
    """The names that a request of this kind may have where `place` (the path of a finding, its own name last) was found."""
    if "events" in place[:-1]:
        inside = list(place[place.index("events") + 1 :])
        return [*STREAMS] if len(inside) == 1 else [column.name for column in STREAMS[str(inside[0])].columns]
    return [*(InlineAccount if place[0] in ("account", "accounts") and len(place) > 1 else asked).model_fields]
