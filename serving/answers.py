"""A request for scores → its answer, from what is in service. Knows no HTTP and no clock."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from features.moments import read_moment
from features.table import build_feature_row
from serving.api import schemas
from serving.api.problems import (
    DATABASE_UNAVAILABLE,
    HISTORY_UNAVAILABLE,
    MALFORMED_REQUEST,
    UNKNOWN_ACCOUNT,
    UNKNOWN_TARGET,
    Problem,
    pointer,
)
from serving.database.engine import DatabaseUnavailable
from serving.in_service import InService
from serving.model_store import LoadedModel
from serving.reasons import Reason
from serving.scoring import Rows, Scores, reasons_for, score_rows

Array = np.ndarray[Any, Any]


def as_of_asked(request: schemas.ScoreRequest, service: InService, now: datetime) -> datetime:
    """The moment that the answer speaks for, in UTC: the request's, else the settings', else now."""
    if request.as_of is None:
        return service.settings.moment or now
    try:
        return read_moment(request.as_of, service.settings.timezone)
    except ValueError as error:
        raise Problem(MALFORMED_REQUEST, f"as_of: {error}", pointer="#/as_of") from error


def is_quick(request: schemas.ScoreRequest, service: InService) -> bool:
    """Whether the answer takes so little that handing it to a thread would cost more: a few accounts of a local database."""
    few = len(request.account_ids) <= 8 and not request.accounts
    return few and request.explain == "none" and service.accounts.is_local


def answer(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> schemas.ScoreResponse:
    """The scores asked for. Raises Problem where the request as a whole cannot be answered.

    An account that is not known is an error of its entry, if others were asked for; alone, of the whole.
    """
    models = _models(request, service)
    _refuse_too_many(request)
    rows = [*_known_rows(request, service, as_of), *_inline_rows(request, service, as_of)]
    found = _together([row for row in rows if not isinstance(row, Problem)], service)
    scores = zip(*(_scores(loaded, found, request, service, as_of) for loaded in models), strict=True)
    accounts = [*request.account_ids, *(account.account_id for account in request.accounts)]
    entries = [
        _error(account, row)
        if isinstance(row, Problem)
        else schemas.ScoredAccount(account_id=account, scores=list(next(scores)))
        for account, row in zip(accounts, rows, strict=True)
    ]
    return schemas.ScoreResponse(as_of=as_of, accounts=entries)


def warm_up(service: InService) -> None:
    """Do once what the first request would otherwise wait for: compile the kernel, touch the models, explain."""
    if service.models:
        earliest = service.settings.earliest
        bought = {"purchases": [{"occurred_at": earliest.isoformat(), "amount": 1.0}]}
        request = {"accounts": [{"account_id": "warm-up", "events": bought}], "targets": list(service.models)}
        as_of = earliest + timedelta(days=1)
        answer(schemas.ScoreRequest.model_validate({**request, "explain": "top"}), service, as_of)


def _models(request: schemas.ScoreRequest, service: InService) -> list[LoadedModel]:
    """The models of the targets asked for, in their order; of all where none is named."""
    served = service.settings.models
    for number, target in enumerate(request.targets or ()):
        if target not in served:
            known = ", ".join(served)
            raise Problem(
                UNKNOWN_TARGET, f"there is no target '{target}'; served are {known}", pointer=pointer("targets", number)
            )
    targets = list(dict.fromkeys(request.targets or served))
    for target in targets:
        if target not in service.models:
            raise service.problems[target].with_traceback(None)
    return [service.models[target] for target in targets]


def _refuse_too_many(request: schemas.ScoreRequest) -> None:
    asked = len(request.account_ids) + len(request.accounts)
    if asked == 0:
        raise Problem(
            MALFORMED_REQUEST, "no account is asked for; give account_ids, or accounts with their events", pointer="#"
        )
    most = schemas.MOST_EXPLAINED if request.explain == "top" else schemas.MOST_ACCOUNTS
    if asked > most:
        why = " with reasons, which take longer" if request.explain == "top" else ""
        raise Problem(MALFORMED_REQUEST, f"{asked} accounts are asked for; at most {most} at a time{why}", pointer="#")


def _known_rows(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[Array | Problem]:
    """The features of the accounts asked for by id, and a Problem in the place of each that is not known."""
    if not request.account_ids:
        return []
    try:
        rows = service.accounts.rows(request.account_ids, as_of)
        if any(row is None for row in rows) and service.accounts.is_empty():
            raise Problem(
                HISTORY_UNAVAILABLE, "no account is at hand yet; run `foresail nightly`, or `foresail serve` again"
            )
    except DatabaseUnavailable as error:
        raise Problem(DATABASE_UNAVAILABLE, str(error)) from error
    found = [
        _unknown(account, number, as_of) if row is None else row
        for number, (account, row) in enumerate(zip(request.account_ids, rows, strict=True))
    ]
    alone = len(found) == 1 and not request.accounts
    if alone and isinstance(found[0], Problem):
        raise found[0]
    return found


def _unknown(account_id: str, number: int, as_of: datetime) -> Problem:
    return Problem(
        UNKNOWN_ACCOUNT,
        f"nothing is known of account '{account_id}' as of {as_of.isoformat()}; send its events under accounts, "
        "or ingest them first",
        pointer=pointer("account_ids", number),
    )


def _inline_rows(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[Array]:
    events = service.inline.events([(account.account_id, account.rows()) for account in request.accounts])
    return [build_feature_row(of_one, as_of, service.accounts.features) for of_one in events]


def _together(rows: Sequence[Array], service: InService) -> Rows:
    features = service.accounts.features
    return Rows(features.names, np.array(rows, dtype=np.float64).reshape(-1, len(features)))


def _scores(
    loaded: LoadedModel, rows: Rows, request: schemas.ScoreRequest, service: InService, as_of: datetime
) -> list[schemas.Score]:
    """One target's score of every row."""
    scores = score_rows(loaded, rows)
    reasons: dict[int, list[Reason]] = {}
    if request.explain == "top":
        scored = np.flatnonzero(~np.isnan(scores.answers))
        found = reasons_for(loaded, rows.at(scored), service.settings.currency)
        reasons = dict(zip(scored.tolist(), found, strict=True))
    return [_score(loaded, scores, row, reasons.get(row, ()), as_of) for row in range(len(rows.matrix))]


def _score(loaded: LoadedModel, scores: Scores, row: int, reasons: Sequence[Reason], as_of: datetime) -> schemas.Score:
    is_scored = scores.why_not[row] is None
    return schemas.Score.model_construct(
        target=loaded.target.name,
        definition=loaded.target.definition,
        as_of=as_of,
        horizon_days=loaded.target.horizon_days,
        **_answer(loaded, scores, row, is_scored),
        percentile=float(scores.percentile[row]) if is_scored else None,
        band=scores.band[row],
        why_not=scores.why_not[row],
        reasons=[schemas.Reason.model_construct(**vars(reason)) for reason in reasons],
        model=loaded.name,
        model_version=loaded.version,
        grade=loaded.grade,
    )


def _answer(loaded: LoadedModel, scores: Scores, row: int, is_scored: bool) -> dict[str, Any]:
    """The answer under the name of its kind; the others are null."""
    answer: Any = float(scores.answers[row]) if is_scored else None
    if scores.bounds is not None and is_scored:
        days = zip(("median", "low", "high"), (answer, *scores.bounds[row].tolist()), strict=True)
        answer = schemas.Days(**{name: None if value == math.inf else value for name, value in days})
    return {"probability": None, "amount": None, "days": None, loaded.target.answer: answer}


def _error(account_id: str, problem: Problem) -> schemas.ScoredAccount:
    return schemas.ScoredAccount(account_id=account_id, scores=[], error=schemas.ProblemDetail(**problem.members()))
