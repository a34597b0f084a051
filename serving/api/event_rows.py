"""Event rows as they were posted → checked events for the inbox, and what is wrong with the others, row by row.

A row is judged by its schema first (`serving.api.schemas.events`), then by the rules and defaults of ingest. Two things differ
from a file, because here we are told as it becomes known:

    known_at   if absent: when it was posted. What holds (contacts, attributes) begins to hold then, unless it says when
    event_id   if absent: the very id that ingest gives the row, so that the same row in a file is the same event
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from features.history.ingest.validation import REFUSED, Bounds
from features.history.streams import BLANK, STREAMS, Stream
from serving.accounts.checks import POSITION, Checks
from serving.accounts.event_inbox import PostedEvent
from serving.api.findings import said
from serving.api.schemas.events import names_of, read_row
from serving.errors import pointer

Row = dict[str, Any]


@dataclass(frozen=True)
class RefusedRow:
    """What is wrong with a row, and where it stands in the request."""

    detail: str
    pointer: str


Verdict = PostedEvent | RefusedRow


def judge(rows: Sequence[Any], checks: Checks, bounds: Bounds) -> list[Verdict]:
    """The verdict on each row, in their order. The as_of of the bounds is the moment of the posting."""
    read = [_read(row, place) for place, row in enumerate(rows)]
    verdicts: dict[int, Verdict] = {place: row for place, row in enumerate(read) if isinstance(row, RefusedRow)}
    for stream in STREAMS.values():
        own = {place: row for place, row in enumerate(read) if isinstance(row, dict) and row["stream"] == stream.name}
        verdicts |= _judged(stream, own, checks, bounds) if own else {}
    return [verdicts[place] for place in range(len(rows))]


def _read(row: Any, place: int) -> Row | RefusedRow:
    try:
        return read_row(row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, first["loc"])) or "the row"
        return RefusedRow(f"{where}: {said(first, names_of(row))}", pointer("events", place, *first["loc"]))


def _judged(stream: Stream, rows: Mapping[int, Row], checks: Checks, bounds: Bounds) -> dict[int, Verdict]:
    """The verdicts on rows of one stream by their places in the request."""
    verdicts, places = dict[int, Verdict](), list(rows)
    given = [_with_known_at(stream, row, bounds.as_of) for row in rows.values()]
    for checked in checks.of_ids(stream, given, bounds):
        place = places[int(json.loads(checked["row"])[POSITION])]
        if checked["bucket"] == REFUSED:
            verdicts[place] = RefusedRow(checked["refused_reason"], pointer("events", place))
        else:
            verdicts[place] = _event(stream, checked, _known_at(rows[place], checked, bounds))
    return verdicts


def _known_at(row: Row, checked: Mapping[str, Any], bounds: Bounds) -> datetime:
    stated: datetime = checked["known_at"]
    return stated if _is_given(row, "known_at") else bounds.as_of


def _with_known_at(stream: Stream, row: Row, posted_at: datetime) -> Row:
    """What ingest needs to identify a row that does not say when it was known: of what holds, since when, or else now.

    An attribute that goes back to what it was before, without saying when, is thereby another event.
    """
    if not stream.column("known_at").required or _is_given(row, "known_at"):
        return row
    return {**row, "known_at": row["occurred_at"] if _is_given(row, "occurred_at") else posted_at.isoformat()}


def _is_given(row: Row, name: str) -> bool:
    return bool((row.get(name) or "").strip(BLANK))


def _event(stream: Stream, checked: Mapping[str, Any], known_at: datetime) -> PostedEvent:
    columns = {column.name: checked[column.name] for column in stream.columns} | {"known_at": known_at}
    present = {name: _as_json(value) for name, value in columns.items() if value is not None}
    return PostedEvent(
        columns["account_id"], stream.name, columns["event_id"], columns["occurred_at"], known_at,
        json.dumps(present, ensure_ascii=False),
    )  # fmt: skip


def _as_json(value: Any) -> Any:
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
