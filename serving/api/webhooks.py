"""POST /v1/webhooks/{channel}: what a CRM, a tracker or a no-code engine reports of an intervention, signed by it."""

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request

from features.timestamps import now
from serving.api.dependencies import Served, Threads
from serving.api.problems import BAD_SIGNATURE, UNKNOWN_CHANNEL, UNKNOWN_INTERVENTION, Problem
from serving.api.routes import problems
from serving.api.schemas.interventions import Reported
from serving.database.engine import writing
from serving.database.intervention_states import CLAIMED
from serving.interventions.declare.settings import IncomingWebhook
from serving.interventions.deliver.status_reports import StatusReport, UnreadableReport, read_status_report
from serving.interventions.deliver.webhook_signatures import verify_signature
from serving.interventions.run.lifecycle import Change, NotAllowed, change, lock_intervention
from serving.online.in_service import InService
from serving.online.schemas import Text

router = APIRouter()
_PROBLEMS = problems(UNKNOWN_CHANNEL, BAD_SIGNATURE, UNKNOWN_INTERVENTION)
_EXAMPLE = {"intervention_id": "iv_5b1f6e0c2f0d4b7a9c3e8d21", "status": "done"}
_TAKES = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {}, "example": _EXAMPLE}}},
    "security": [],
}
"""Told to the OpenAPI document alone: nobody's JSON is read before its signature is checked."""


@router.post("/webhooks/{channel}", responses=_PROBLEMS, openapi_extra=_TAKES)
async def report(
    channel: Annotated[Text, Path(description="the name of a table [webhooks.NAME]", examples=["jira"])],
    request: Request,
    service: Served,
    threads: Threads,
) -> Reported:
    """What another system says became of an intervention. The signature is checked, and a report that says nothing new changes nothing.

    A word that is not declared, and a status that the intervention cannot take, are answered with success and `why_not`:
    the sender would send them again and again otherwise.
    """
    declared = service.settings.interventions.webhooks.get(channel)
    if declared is None:
        raise Problem(UNKNOWN_CHANNEL, f"there is no table [webhooks.{channel}] in the project file")
    body = await request.body()
    verify_signature(declared, body, request.headers)
    return await threads.run(_taken, service, channel, declared, body, now())


def _taken(service: InService, channel: str, declared: IncomingWebhook, body: bytes, at: datetime) -> Reported:
    report = read_status_report(declared, _as_json(body))
    with writing(service.database) as connection:
        return _changed(connection, report, f"{report.actor or 'webhook'} ({channel})", service, at)


def _as_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableReport("there is no JSON in the message, or too deep a one") from None


def _changed(connection: Any, told: StatusReport, actor: str, service: InService, at: datetime) -> Reported:
    before, why_not = lock_intervention(connection, told.intervention_id), None
    after = before
    if told.to is None:
        why_not = f"the word '{told.word}' is not declared under [webhooks], words"
    else:
        owner = told.actor if told.to == CLAIMED else None
        try:
            wanted = Change(told.to, actor, at, owner=owner, outcome=told.word)
            after = dict(change(connection, told.intervention_id, wanted, service.settings.interventions))
        except NotAllowed as refused:
            why_not = str(refused)
    return Reported(
        intervention_id=told.intervention_id,
        changed=after != before,
        status=after["status"],
        why_not=why_not,
        at=after["changed_at"],
    )
