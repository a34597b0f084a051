"""POST /v1/scores: the scores of accounts, known ones by id, others by the events sent along.

`score_response` is the one path of a request for scores: the native endpoint of the service takes it, too.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body

from features.timestamps import now
from serving.api.dependencies import Served, Threads
from serving.api.problems import (
    BUSY,
    DATABASE_UNAVAILABLE,
    MALFORMED_EVENT,
    MALFORMED_REQUEST,
    NO_CHAMPION,
    NOT_JSON,
    NOT_READY,
    TOO_LARGE,
    TOO_SLOW,
    UNKNOWN_ACCOUNT,
    UNKNOWN_TARGET,
    WRONG_MEDIA_TYPE,
    problem_of,
)  # fmt: skip
from serving.api.routes import QuickRoute, problems
from serving.errors import UnknownAccount
from serving.online.in_service import InService
from serving.online.schemas import ProblemDetail, ScoredAccount, ScoreRequest, ScoreResponse
from serving.online.score_request import answer, is_quick, moment_of
from serving.runtime.request_pool import Heavy

router = APIRouter(route_class=QuickRoute)

MAY_FAIL = (
    NOT_JSON, UNKNOWN_ACCOUNT, TOO_LARGE, WRONG_MEDIA_TYPE, MALFORMED_REQUEST, MALFORMED_EVENT, UNKNOWN_TARGET,
    NOT_READY, NO_CHAMPION, DATABASE_UNAVAILABLE, BUSY, TOO_SLOW,
)  # fmt: skip
"""What whoever asks for scores has to be ready for."""

_ASKED: Any = {
    "by id": {
        "summary": "a known account, with the reasons of its scores",
        "value": {"account_ids": ["17850"], "explain": "top"},
    },
    "many": {
        "summary": "some targets of several accounts, at a moment",
        "value": {"account_ids": ["17850", "13047"], "targets": ["churn"], "as_of": "2011-09-01"},
    },
    "inline": {
        "summary": "an account that need not be known",
        "value": {
            "accounts": [
                {
                    "account_id": "a lead",
                    "events": {"purchases": [{"occurred_at": "2011-04-02T09:30:00", "amount": 120.5}]},
                }
            ]
        },
    },
}
SCORED: dict[str, Any] = {
    "account_id": "17850",
    "quadrant": "strategic_core",
    "tier": "strategic",
    "segment": "at_risk",
    "health": 41.5,
    "data_as_of": "2011-09-01T00:00:00Z",
    "scores": [
        {
            "target": "churn",
            "definition": "churned: no order in (as_of, as_of + 90 days]; of accounts that ordered in the 365 days before",
            "as_of": "2011-09-01T08:15:00Z",
            "horizon_days": 90,
            "probability": 0.62,
            "amount": None,
            "days": None,
            "percentile": 0.93,
            "band": "high",
            "value_at_stake": 8412.5,
            "severity": "critical",
            "why_not": None,
            "reasons": [
                {
                    "feature": "purchases_days_since_last",
                    "value": 71.0,
                    "direction": "raises",
                    "size": 0.84,
                    "words": "no order for 71 days, usually every 24",
                }
            ],
            "contributions": [],
            "change": {
                "previous_as_of": "2011-08-31T00:00:00Z",
                "previous": 0.55,
                "difference": 0.07,
                "model_version": "4",
                "reasons": [],
            },
            "model": "wholesaler-churn",
            "model_version": "4",
            "grade": "A",
        }
    ],
    "error": None,
}
"""One entry of an answer, for the OpenAPI page."""
_ANSWERED: Any = {"as_of": "2011-09-01T08:15:00Z", "accounts": [SCORED]}


@router.post(
    "/scores",
    responses={200: {"content": {"application/json": {"example": _ANSWERED}}}, **problems(*MAY_FAIL)},
)
async def scores(
    asked: Annotated[ScoreRequest, Body(openapi_examples=_ASKED)], service: Served, threads: Threads
) -> ScoreResponse:
    """The scores of up to 1,000 accounts: of known ones by id, of others from the events sent along.

    One entry for each account asked for, first account_ids, then accounts, in their order. With explain up to 100 accounts
    (top) or 10 (all).
    """
    return await score_response(asked, service, threads)


async def score_response(request: ScoreRequest, service: InService, heavy: Heavy) -> ScoreResponse:
    """The answer: at once where it takes little, else by a thread of the request pool. Raises as `answer` does, and Busy."""
    as_of = moment_of(request.as_of, service, now())
    if is_quick(request, service):
        return response_as_of(request, service, as_of)
    return await heavy.run(response_as_of, request, service, as_of)


def response_as_of(request: ScoreRequest, service: InService, as_of: datetime) -> ScoreResponse:
    """The answer for a moment; an account that is not known, beside others that are, has the problem in its entry."""
    entries = answer(request, service, as_of)
    account_ids = [*request.account_ids, *(account.account_id for account in request.accounts)]
    return ScoreResponse.model_construct(
        as_of=as_of,
        accounts=[
            _error(account_id, entry) if isinstance(entry, UnknownAccount) else entry
            for account_id, entry in zip(account_ids, entries, strict=True)
        ],
    )


def _error(account_id: str, error: UnknownAccount) -> ScoredAccount:
    detail = ProblemDetail(**problem_of(error).members())
    return ScoredAccount(account_id=account_id, scores=[], error=detail)
