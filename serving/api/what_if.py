"""POST /v1/what-if: the scores of one account if some events had happened."""

from typing import Annotated, Any

from fastapi import APIRouter, Body

from features.timestamps import now
from serving.api.dependencies import Served, Threads
from serving.api.routes import QuickRoute, problems
from serving.api.scores import MAY_FAIL, SCORED
from serving.online.score_request import moment_of
from serving.online.what_if import what_if
from serving.online.what_if_schemas import WhatIf, WhatIfRequest

router = APIRouter(route_class=QuickRoute)

_ASKED: Any = {
    "a complaint": {
        "summary": "a known account complains now",
        "value": {
            "account_id": "17850",
            "events": {"service": [{"kind": "opened", "case_id": "1", "topic": "complaint"}]},
            "explain": "top",
        },
    },
    "an order": {
        "summary": "an account that need not be known orders again",
        "value": {
            "account": {
                "account_id": "a lead",
                "events": {"purchases": [{"occurred_at": "2011-04-02T09:30:00", "amount": 120.5}]},
            },
            "events": {"purchases": [{"amount": 80.0}]},
            "targets": ["churn"],
        },
    },
}
_ANSWERED: Any = {
    "as_of": "2011-09-01T08:15:00Z",
    "account_id": "17850",
    "before": SCORED,
    "after": SCORED,
    "differences": [{"target": "churn", "difference": 0.0}],
}


@router.post(
    "/what-if",
    responses={200: {"content": {"application/json": {"example": _ANSWERED}}}, **problems(*MAY_FAIL)},
)
async def if_it_happened(
    asked: Annotated[WhatIfRequest, Body(openapi_examples=_ASKED)], service: Served, threads: Threads
) -> WhatIf:
    """The scores of one account as they are, and as they would be if these events had happened. Nothing is stored."""
    return await threads.run(what_if, asked, service, moment_of(asked.as_of, service, now()))
