"""What POST /v1/events takes and gives: rows of any stream, made from the declared streams, each judged by itself."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, GetJsonSchemaHandler, TypeAdapter, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from features.history.streams import STREAMS, Stream
from serving.online.schemas import AccountId, EventId, Request, field_of

MOST_POSTED = 10_000


def _row_model(stream: Stream) -> type[BaseModel]:
    columns: Any = {column.name: field_of(column) for column in stream.columns[1:]}
    known_at = Field(
        default=None,
        description="when we could have known it; if absent: when it was posted",
        json_schema_extra={"format": "date-time"},
    )
    # PostgreSQL's index of identities takes no long ones, and one row must not cost the others their place.
    columns["event_id"] = (EventId | None, columns["event_id"][1])
    named: Any = {"account_id": (AccountId, ...), "stream": (Literal[stream.name], ...)}
    columns["known_at"] = (str | None, known_at)
    return create_model(
        f"Posted{stream.name.capitalize()}Row", __base__=Request, __doc__=f"Grain: {stream.grain}.", **named, **columns
    )


ROWS = {name: _row_model(stream) for name, stream in STREAMS.items()}
"""The model of a row of each stream."""
_UNION: Any = ROWS["purchases"]
for _model in ROWS.values():
    _UNION |= _model


class _JudgedByItself:
    """Any JSON is let in, so that one bad row does not cost the others their place; the schema says what a good one is."""

    @classmethod
    def __get_pydantic_core_schema__(cls, *_: Any) -> CoreSchema:
        return core_schema.any_schema()

    @classmethod
    def __get_pydantic_json_schema__(cls, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter(Annotated[_UNION, Discriminator("stream")]).core_schema)


class PostRequest(Request):
    """Events of any accounts and streams, in any order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "events": [
                    {
                        "account_id": "17850",
                        "stream": "purchases",
                        "occurred_at": "2026-03-01T09:30:00Z",
                        "amount": 120.5,
                    },
                    {"account_id": "17850", "stream": "accounts", "owner": "Ada"},
                ]
            }
        }
    )

    events: list[Annotated[Any, _JudgedByItself]] = Field(
        min_length=1, max_length=MOST_POSTED, description="rows of the streams, each with its account and its stream"
    )


class EventResult(BaseModel):
    """What became of one row."""

    index: int = Field(description="where the row stands in the request, from 0")
    status: Literal["accepted", "duplicate", "refused"] = Field(
        description="accepted: kept, and seen by the next score (an event that the history has already changes nothing); "
        "duplicate: posted before, or twice in this request: the first stays; refused: detail says why"
    )
    event_id: str | None = Field(default=None, description="what identifies the event, with its account and stream")
    detail: str | None = Field(default=None, description="why the row was refused")
    pointer: str | None = Field(default=None, description="JSON pointer of what is wrong with it, as a URI fragment")


class EventResults(BaseModel):
    """What became of each row, in their order."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "accepted": 1,
                "duplicate": 0,
                "refused": 1,
                "results": [
                    {"index": 0, "status": "accepted", "event_id": "b9f115312522ea4267c2ccf2140e7508"},
                    {
                        "index": 1,
                        "status": "refused",
                        "detail": "there is no 'ower' here; did you mean 'owner'?",
                        "pointer": "#/events/1/ower",
                    },
                ],
            }
        }
    )

    accepted: int
    duplicate: int
    refused: int
    results: list[EventResult]


class _OfNoStream(BaseModel):
    """What can be said of a row whose stream is not known."""

    stream: Literal[tuple(STREAMS)]  # type: ignore[valid-type]


def read_row(row: Any) -> dict[str, Any]:
    """The members of a row that were given, numbers as floats. ValidationError for one that breaks the schema."""
    return _model_of(row).model_validate(row).model_dump(exclude_unset=True)


def names_of(row: Any) -> list[str]:
    """The names that the row may have."""
    return [*_model_of(row).model_fields]


def _model_of(row: Any) -> type[BaseModel]:
    stream = row.get("stream") if isinstance(row, dict) else None
    return ROWS.get(stream, _OfNoStream) if isinstance(stream, str) else _OfNoStream
