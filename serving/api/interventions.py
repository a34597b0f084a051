"""/v1/interventions: what is to be done for whom by when, and how people take it on, hand it over and end it."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from features.timestamps import now
from serving.api.cursors import cursor_of, place_of
from serving.api.dependencies import Caller, Served, Threads
from serving.api.problems import UNKNOWN_INTERVENTION, WRONG_STATE
from serving.api.routes import problems
from serving.api.schemas.interventions import (
    By,
    Complete,
    Dismiss,
    HandOver,
    Intervention,
    InterventionPlace,
    InterventionQuery,
    Interventions,
    Say,
)
from serving.database.engine import reading, writing
from serving.database.intervention_states import ASSIGNED, CLAIMED, DISMISSED, DONE, IN_PROGRESS, OPEN
from serving.interventions.run import listing
from serving.interventions.run.lifecycle import Change, change, comment, finish_step
from serving.interventions.run.listing import FILTERS, PageEnd
from serving.online.in_service import InService
from serving.online.schemas import Text
from serving.runtime.idempotency import Answer, Asked, once
from serving.runtime.request_pool import Heavy

router = APIRouter()

Id = Annotated[Text, Path(description="the intervention", examples=["iv_5b1f6e0c2f0d4b7a9c3e8d21"])]
Key = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="a text of the caller's own: the same request with the same key is done once, and answered again as it was",
    ),
]
_CHANGES: Any = {"response_model": Intervention, "responses": problems(UNKNOWN_INTERVENTION, WRONG_STATE)}


@router.get("/interventions")
async def interventions(
    service: Served, threads: Threads, query: Annotated[InterventionQuery, Query()]
) -> Interventions:
    """What is to be done, the earliest due first. Without `status`: what is still to be done."""
    return await threads.run(_page, service, query)


@router.get("/interventions/{intervention_id}", response_model=Intervention, responses=problems(UNKNOWN_INTERVENTION))
async def intervention(intervention_id: Id, service: Served, threads: Threads) -> Response:
    """One intervention with its steps, deadlines and comments."""
    return _as_json(await threads.run(_one, service, intervention_id))


@dataclass(frozen=True)
class Changing:
    """A request that changes something: done once under its key, in one transaction, answered with how it stands then."""

    request: Request
    service: InService
    threads: Heavy
    caller: str | None
    key: str | None

    async def run(
        self, intervention_id: str, change: Callable[[sa.Connection, str, datetime], Any], by: str
    ) -> Response:
        """The answer after `change`, which is given the connection, the actor and the moment."""
        body = await self.request.body()
        asked = Asked.of(self.caller, self.key, "POST", self.request.url.path, body) if self.key else None
        answer = await self.threads.run(self._answer, intervention_id, change, by, asked, now())
        return _as_json(answer)

    def _answer(
        self, intervention_id: str, change: Callable[..., Any], by: str, asked: Asked | None, at: datetime
    ) -> Answer:
        actor = f"{by} ({self.caller})" if self.caller else by

        def changed() -> Answer:
            change(connection, actor, at)
            return _told(connection, intervention_id)

        with writing(self.service.database) as connection:
            return changed() if asked is None else once(connection, asked, at, changed)


def changing(
    request: Request, service: Served, threads: Threads, caller: Caller, idempotency_key: Key = None
) -> Changing:
    """The request at hand."""
    return Changing(request, service, threads, caller, idempotency_key)


ChangingNow = Annotated[Changing, Depends(changing)]


@router.post("/interventions/{intervention_id}/claim", **_CHANGES)
async def claim(intervention_id: Id, body: By, at_hand: ChangingNow) -> Response:
    """Somebody takes it on, which stops the clock of the claim. Whoever has claimed it already may say so again."""
    return await _moved(at_hand, intervention_id, body, CLAIMED, owner=body.by)


@router.post("/interventions/{intervention_id}/start", **_CHANGES)
async def start(intervention_id: Id, body: By, at_hand: ChangingNow) -> Response:
    """Work on it has begun."""
    return await _moved(at_hand, intervention_id, body, IN_PROGRESS)


@router.post("/interventions/{intervention_id}/hand-over", **_CHANGES)
async def hand_over(intervention_id: Id, body: HandOver, at_hand: ChangingNow) -> Response:
    """It goes to somebody else, who is to claim it."""
    return await _moved(at_hand, intervention_id, body, ASSIGNED, owner=body.to)


@router.post("/interventions/{intervention_id}/complete", **_CHANGES)
async def complete(intervention_id: Id, body: Complete, at_hand: ChangingNow) -> Response:
    """It is done. The outcome becomes part of the account's history."""
    return await _moved(at_hand, intervention_id, body, DONE, outcome=body.outcome, note=body.note)


@router.post("/interventions/{intervention_id}/dismiss", **_CHANGES)
async def dismiss(intervention_id: Id, body: Dismiss, at_hand: ChangingNow) -> Response:
    """It will not be done, for a reason. Its account stays in its playbook's treatment group."""
    return await _moved(at_hand, intervention_id, body, DISMISSED, outcome="dismissed", note=body.reason)


@router.post("/interventions/{intervention_id}/steps/{number}/done", **_CHANGES)
async def step_done(
    intervention_id: Id, number: Annotated[int, Path(ge=1, le=1_000)], body: By, at_hand: ChangingNow
) -> Response:
    """One step is done. Done once, it stays so."""

    def finish(connection: sa.Connection, actor: str, at: datetime) -> None:
        finish_step(connection, intervention_id, number, actor, at)

    return await at_hand.run(intervention_id, finish, body.by)


@router.post("/interventions/{intervention_id}/comments", **_CHANGES)
async def say(intervention_id: Id, body: Say, at_hand: ChangingNow) -> Response:
    """A remark of somebody."""

    def remark(connection: sa.Connection, actor: str, at: datetime) -> None:
        comment(connection, intervention_id, f"co_{uuid.uuid4().hex}", body.text, actor, at)

    return await at_hand.run(intervention_id, remark, body.by)


async def _moved(at_hand: Changing, intervention_id: str, body: By, to: str, **how: Any) -> Response:
    told = at_hand.service.settings.interventions

    def move(connection: sa.Connection, actor: str, at: datetime) -> None:
        change(connection, intervention_id, Change(to, actor, at, **how), told)

    return await at_hand.run(intervention_id, move, body.by)


def _page(service: InService, query: InterventionQuery) -> Interventions:
    having = {"status": OPEN} | {name: words for name in FILTERS if (words := getattr(query, name))}
    place = place_of(query.cursor, InterventionPlace) if query.cursor else None
    after = PageEnd(place.due_at, place.intervention_id) if place else None
    with reading(service.database) as connection:
        rows, last = listing.interventions_page(connection, having, query.due_before, query.limit, after)
    return Interventions(interventions=rows, next=cursor_of(InterventionPlace(**vars(last))) if last else None)


def _one(service: InService, intervention_id: str) -> Answer:
    with reading(service.database) as connection:
        return _told(connection, intervention_id)


def _told(connection: sa.Connection, intervention_id: str) -> Answer:
    found = listing.intervention_details(connection, intervention_id)
    parts = {"steps": found.steps, "deadlines": found.deadlines, "comments": found.comments}
    told: BaseModel = Intervention.model_validate({**found.intervention._mapping, **parts})  # noqa: SLF001  as in profile.py
    return Answer(HTTPStatus.OK, told.model_dump_json())


def _as_json(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type="application/json")
