"""POST /v1/events: what has just happened, told row by row, and seen by the next score."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Header, Request
from starlette.responses import Response

from features.history.ingest.validation import Bounds
from features.timestamps import now
from serving.accounts import event_inbox
from serving.accounts.event_inbox import PostedEvent
from serving.api.dependencies import Caller, Served, Threads
from serving.api.event_rows import Verdict, judge
from serving.api.schemas.events import EventResult, EventResults, PostRequest
from serving.database.audit_log import Act, append
from serving.database.engine import writing
from serving.interventions.run.triggers import react
from serving.online.in_service import InService
from serving.runtime.idempotency import Answer, KeyedRequest, run_once_per_key

router = APIRouter()


@router.post(
    "/events",
    response_model=EventResults,
    responses={207: {"model": EventResults, "description": "Some rows were refused; the others are kept."}},
)
async def post_events(
    body: PostRequest,
    request: Request,
    service: Served,
    threads: Threads,
    caller: Caller,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="a text of the caller's own: the same request with the same key is done once, and answered again as it was",
        ),
    ] = None,
) -> Response:
    """Events of any accounts and streams. Each row is judged by itself: the good ones are kept whatever the others are.

    An event that occurred after this moment is refused. An id that was merged into another account is resolved, and an
    account that was erased is turned away, by the next night.
    """
    posting = _Posting(service, caller, now())
    asked = (
        KeyedRequest.of(caller, idempotency_key, "POST", request.url.path, await request.body())
        if idempotency_key
        else None
    )
    answer = await threads.run(posting.answer, body.events, asked)
    return Response(answer.body, answer.status, media_type="application/json")


class _Posting:
    """One request: judged without the database, then stored, noted and answered in one transaction."""

    def __init__(self, service: InService, caller: str | None, now: datetime) -> None:
        self.service, self.caller, self.now = service, caller, now
        self.clock = service.settings.moment or now

    def answer(self, rows: list[Any], asked: KeyedRequest | None) -> Answer:
        settings = self.service.settings
        verdicts = judge(rows, self.service.inline.checks, Bounds(settings.earliest, self.clock, settings.timezone))
        with writing(self.service.database) as connection:
            if asked is None:
                return self._stored(connection, verdicts)
            return run_once_per_key(connection, asked, self.now, lambda: self._stored(connection, verdicts))

    def _stored(self, connection: sa.Connection, verdicts: list[Verdict]) -> Answer:
        good = [verdict for verdict in verdicts if isinstance(verdict, PostedEvent)]
        fresh = event_inbox.post(connection, good, self.clock, self.caller)
        self._react(connection, [event for event, is_new in zip(good, fresh, strict=True) if is_new])
        is_new = iter(fresh)
        results = [_result(index, verdict, is_new) for index, verdict in enumerate(verdicts)]
        counts = Counter(result.status for result in results)
        numbers = {status: counts[status] for status in ("accepted", "duplicate", "refused")}
        append(connection, [Act(self.now, self.caller or "no key", "events_posted", "event_inbox", numbers)])
        status = HTTPStatus.MULTI_STATUS if numbers["refused"] else HTTPStatus.OK
        return Answer(status, EventResults(**numbers, results=results).model_dump_json(exclude_none=True))

    def _react(self, connection: sa.Connection, events: list[PostedEvent]) -> None:
        """An urgent case must not wait for a night. Begun by a service that speaks for a moment gone by, it would be overdue."""
        settings = self.service.settings
        if settings.as_of is None:
            react(connection, events, settings.interventions, settings.targets, self.clock)


def _result(index: int, verdict: Verdict, is_new: Iterator[bool]) -> EventResult:
    if isinstance(verdict, PostedEvent):
        return EventResult(index=index, status="accepted" if next(is_new) else "duplicate", event_id=verdict.event_id)
    return EventResult(index=index, status="refused", detail=verdict.detail, pointer=verdict.pointer)
