"""A request for scores → its answer, from what is in service. Knows no HTTP and no clock."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from features.arrays import Array
from features.engine.table import build_feature_row
from features.timestamps import read_moment
from registry.loader import LoadedModel
from serving.accounts.last_scores import NOTHING, remembered
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
from serving.observability.metrics import note_accounts, note_scores, stage
from serving.online import schemas
from serving.online.entries import scored
from serving.online.explanation import Question, Subject
from serving.online.in_service import InService

FEW = 8
"""So many accounts are scored sooner than a thread could take over."""


def as_of_asked(as_of: str | None, service: InService, now: datetime) -> datetime:
    """The moment that the answer speaks for, in UTC: the request's, else the settings', else now."""
    if as_of is None:
        return service.settings.moment or now
    try:
        return read_moment(as_of, service.settings.timezone)
    except ValueError as error:
        raise Problem(MALFORMED_REQUEST, f"as_of: {error}", pointer="#/as_of") from error


def is_quick(request: schemas.ScoreRequest, service: InService) -> bool:
    """Whether the answer takes so little that handing it to a thread would cost more, and waits for nobody.

    A database on this machine is a file; any other may be slow, and must not hold up those who do not ask it.
    """
    few = len(request.account_ids) <= FEW and not request.accounts
    is_local = few and request.explain == "none" and service.accounts.is_local
    return is_local and service.accounts.has_few_posted(request.account_ids)


def answer(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> schemas.ScoreResponse:
    """The scores asked for. Raises Problem where the request as a whole cannot be answered.

    An account that is not known is an error of its entry, if others were asked for; alone, of the whole.
    """
    question = Question(models_asked(request.targets, service), request.explain, as_of)
    _refuse_too_many(request)
    note_accounts(len(request.account_ids) + len(request.accounts))
    subjects = [*_known(request, service, as_of), *_inline(request, service, as_of)]
    if len(subjects) == 1 and isinstance(subjects[0], Problem):
        raise subjects[0]
    found = scored([each for each in subjects if not isinstance(each, Problem)], question, service)
    note_scores((score.target, score.model_version, score.percentile) for entry in found for score in entry.scores)
    entries = iter(found)
    accounts = [*request.account_ids, *(account.account_id for account in request.accounts)]
    return schemas.ScoreResponse.model_construct(
        as_of=as_of,
        accounts=[
            _error(account, subject) if isinstance(subject, Problem) else next(entries)
            for account, subject in zip(accounts, subjects, strict=True)
        ],
    )


def warm_up(service: InService) -> None:
    """Do once what the first request would otherwise wait for: compile the kernel, touch the models, explain."""
    if service.models:
        earliest = service.settings.earliest
        bought = {"purchases": [{"occurred_at": earliest.isoformat(), "amount": 1.0}]}
        request = {"accounts": [{"account_id": "warm-up", "events": bought}], "targets": list(service.models)}
        as_of = earliest + timedelta(days=1)
        answer(schemas.ScoreRequest.model_validate({**request, "explain": "top"}), service, as_of)


def models_asked(targets: Sequence[str] | None, service: InService) -> list[LoadedModel]:
    """The models of the targets asked for, in their order; of all where none is named. A Problem for one that has none."""
    served = service.settings.models
    for number, target in enumerate(targets or ()):
        if target not in served:
            known = ", ".join(served)
            raise Problem(
                UNKNOWN_TARGET, f"there is no target '{target}'; served are {known}", pointer=pointer("targets", number)
            )
    asked = list(dict.fromkeys(targets or served))
    for target in asked:
        if target not in service.models:
            raise service.problems[target].with_traceback(None)
    return [service.models[target] for target in asked]


def _subjects_known(account_ids: Sequence[str], service: InService, as_of: datetime) -> list[Subject | None]:
    """The accounts of these ids with what is remembered of them; None for one that is not known by as_of."""
    if not account_ids:
        return []
    try:
        rows = service.accounts.rows(account_ids, as_of)
        if any(row is None for row in rows) and service.accounts.is_empty():
            raise Problem(
                HISTORY_UNAVAILABLE, "no account is at hand yet; run `foresail nightly`, or `foresail serve` again"
            )
        with stage("lookup"):
            memory = remembered(service.accounts.lookups, account_ids, as_of)
    except DatabaseUnavailable as error:
        raise Problem(DATABASE_UNAVAILABLE, str(error)) from error
    return [
        None if row is None else Subject(account, row, memory.get(account, NOTHING))
        for account, row in zip(account_ids, rows, strict=True)
    ]


def subject_known(account_id: str, service: InService, as_of: datetime, place: str) -> Subject:
    """The account of this id; a Problem for one that is not known by as_of. `place` points at it in the request."""
    (subject,) = _subjects_known([account_id], service, as_of)
    if subject is None:
        raise unknown(account_id, as_of, place)
    return subject


def unknown(account_id: str, as_of: datetime, place: str) -> Problem:
    """That nothing is known of an account; `place` points at it in the request."""
    return Problem(
        UNKNOWN_ACCOUNT,
        f"nothing is known of account '{account_id}' as of {as_of.isoformat()}; send its events along, "
        "or ingest them first",
        pointer=place,
    )


def _inline_rows(accounts: Sequence[schemas.InlineAccount], service: InService, as_of: datetime) -> list[Array]:
    """The features of accounts by the events that they bring along. A Problem lists every row that breaks a rule."""
    if not accounts:
        return []
    events = service.inline.events([(account.account_id, account.rows()) for account in accounts])
    with stage("features"):
        return [build_feature_row(of_one, as_of, service.accounts.features) for of_one in events]


def _refuse_too_many(request: schemas.ScoreRequest) -> None:
    asked = len(request.account_ids) + len(request.accounts)
    if asked == 0:
        raise Problem(
            MALFORMED_REQUEST, "no account is asked for; give account_ids, or accounts with their events", pointer="#"
        )
    most = _MOST[request.explain]
    if asked > most:
        why = {"none": "", "top": " with reasons, which take longer", "all": " with every contribution"}
        detail = f"{asked} accounts are asked for; at most {most} at a time{why[request.explain]}"
        raise Problem(MALFORMED_REQUEST, detail, pointer="#")


_MOST = {"none": schemas.MOST_ACCOUNTS, "top": schemas.MOST_EXPLAINED, "all": schemas.MOST_EXPLAINED_WHOLLY}


def _known(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[Subject | Problem]:
    """The accounts asked for by id, and a Problem in the place of each that is not known."""
    found = _subjects_known(request.account_ids, service, as_of)
    return [
        subject or unknown(account, as_of, pointer("account_ids", number))
        for number, (account, subject) in enumerate(zip(request.account_ids, found, strict=True))
    ]


def _inline(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[Subject]:
    rows = _inline_rows(request.accounts, service, as_of)
    return [Subject(account.account_id, row) for account, row in zip(request.accounts, rows, strict=True)]


def _error(account_id: str, problem: Problem) -> schemas.ScoredAccount:
    return schemas.ScoredAccount(account_id=account_id, scores=[], error=schemas.ProblemDetail(**problem.members()))
