"""A request for scores → the scores of its accounts, from what is in service. Knows no HTTP and no clock.

| stage | file |
| --- | --- |
| the request: its models, its moment, a row of features for each account | this file, score_query |
| the scores of these rows, value at stake and severity | account_scores |
| reasons, contributions, and what moved a score | explanation, changes |
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from features.arrays import Array
from features.engine.table import build_feature_row
from features.timestamps import read_moment
from registry.loader import LoadedModel
from serving.accounts.last_scores import NOTHING, remembered
from serving.errors import HistoryUnavailable, MalformedRequest, UnknownAccount, UnknownTarget, pointer
from serving.observability.metrics import note_accounts, note_scores, stage
from serving.online import schemas
from serving.online.account_scores import account_scores
from serving.online.in_service import InService
from serving.online.score_query import AccountRow, ScoreQuery

FEW = 8
"""So many accounts are scored sooner than a thread could take over."""


def moment_of(as_of: str | None, service: InService, now: datetime) -> datetime:
    """The moment that the answer speaks for, in UTC: the request's, else the settings', else now."""
    if as_of is None:
        return service.settings.moment or now
    try:
        return read_moment(as_of, service.settings.timezone)
    except ValueError as error:
        raise MalformedRequest(f"as_of: {error}", pointer="#/as_of") from error


def is_quick(request: schemas.ScoreRequest, service: InService) -> bool:
    """Whether the answer takes so little that handing it to a thread would cost more, and waits for nobody.

    A database on this machine is a file; any other may be slow, and must not hold up those who do not ask it.
    """
    few = len(request.account_ids) <= FEW and not request.accounts
    is_local = few and request.explain == "none" and service.accounts.is_local
    return is_local and service.accounts.has_few_posted(request.account_ids)


def answer(
    request: schemas.ScoreRequest, service: InService, as_of: datetime
) -> list[schemas.ScoredAccount | UnknownAccount]:
    """The scores of every account of the request, first `account_ids`, then `accounts`, in their order.

    An account that is not known is an UnknownAccount in its place if the request has other accounts, and is raised if it
    has none. Raises MalformedRequest, MalformedEvent, UnknownTarget, ModelUnavailable, HistoryUnavailable or
    DatabaseUnavailable where the request as a whole cannot be answered.
    """
    query = ScoreQuery(models_of(request.targets, service), request.explain, as_of)
    _refuse_too_many(request)
    note_accounts(len(request.account_ids) + len(request.accounts))
    rows = [*_known(request, service, as_of), *_inline(request, service, as_of)]
    if len(rows) == 1 and isinstance(rows[0], UnknownAccount):
        raise rows[0]
    scored = account_scores([row for row in rows if not isinstance(row, UnknownAccount)], query, service)
    note_scores((score.target, score.model_version, score.percentile) for entry in scored for score in entry.scores)
    entries = iter(scored)
    return [row if isinstance(row, UnknownAccount) else next(entries) for row in rows]


def warm_up(service: InService) -> None:
    """Answer one made-up request, so that the first real one waits for no compiler: kernel, models, reasons."""
    if service.models:
        earliest = service.settings.earliest
        bought = {"purchases": [{"occurred_at": earliest.isoformat(), "amount": 1.0}]}
        request = {"accounts": [{"account_id": "warm-up", "events": bought}], "targets": list(service.models)}
        as_of = earliest + timedelta(days=1)
        answer(schemas.ScoreRequest.model_validate({**request, "explain": "top"}), service, as_of)


def models_of(targets: Sequence[str] | None, service: InService) -> list[LoadedModel]:
    """The models of these targets, in their order; of all targets where none is named.

    UnknownTarget for a target that the project does not have, ModelUnavailable for one without a model in service.
    """
    served = service.settings.models
    for number, target in enumerate(targets or ()):
        if target not in served:
            known = ", ".join(served)
            raise UnknownTarget(
                f"there is no target '{target}'; served are {known}", pointer=pointer("targets", number)
            )
    wanted = list(dict.fromkeys(targets or served))
    for target in wanted:
        if target not in service.models:
            raise service.missing[target].with_traceback(None)
    return [service.models[target] for target in wanted]


def _known_rows(account_ids: Sequence[str], service: InService, as_of: datetime) -> list[AccountRow | None]:
    """The accounts of these ids with what is remembered of them; None for one that is not known by as_of."""
    if not account_ids:
        return []
    rows = service.accounts.rows(account_ids, as_of)
    if any(row is None for row in rows) and service.accounts.is_empty():
        raise HistoryUnavailable("no account is at hand yet; run `foresail nightly`, or `foresail serve` again")
    with stage("lookup"):
        memory = remembered(service.accounts.lookups, account_ids, as_of)
    return [
        None if row is None else AccountRow(account, row, memory.get(account, NOTHING))
        for account, row in zip(account_ids, rows, strict=True)
    ]


def known_row(account_id: str, service: InService, as_of: datetime, place: str) -> AccountRow:
    """The account of this id; UnknownAccount if it is not known by as_of. `place` points at it in the request."""
    (row,) = _known_rows([account_id], service, as_of)
    if row is None:
        raise unknown_account(account_id, as_of, place)
    return row


def unknown_account(account_id: str, as_of: datetime, place: str) -> UnknownAccount:
    """The error for an account of which nothing is known; `place` points at it in the request."""
    return UnknownAccount(
        f"nothing is known of account '{account_id}' as of {as_of.isoformat()}; send its events along, "
        "or ingest them first",
        pointer=place,
    )


def _inline_rows(accounts: Sequence[schemas.InlineAccount], service: InService, as_of: datetime) -> list[Array]:
    """The features of accounts by the events of the request. MalformedEvent lists every row that breaks a rule."""
    if not accounts:
        return []
    events = service.inline.events([(account.account_id, account.rows()) for account in accounts])
    with stage("features"):
        return [build_feature_row(of_account, as_of, service.accounts.features) for of_account in events]


def _refuse_too_many(request: schemas.ScoreRequest) -> None:
    accounts = len(request.account_ids) + len(request.accounts)
    if accounts == 0:
        raise MalformedRequest("no account is asked for; give account_ids, or accounts with their events", pointer="#")
    most = _MOST[request.explain]
    if accounts > most:
        why = {"none": "", "top": " with reasons, which take longer", "all": " with every contribution"}
        detail = f"{accounts} accounts are asked for; at most {most} at a time{why[request.explain]}"
        raise MalformedRequest(detail, pointer="#")


_MOST = {"none": schemas.MOST_ACCOUNTS, "top": schemas.MOST_EXPLAINED, "all": schemas.MOST_EXPLAINED_WHOLLY}


def _known(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[AccountRow | UnknownAccount]:
    """The accounts of `account_ids`, and an UnknownAccount in the place of each that is not known."""
    rows = _known_rows(request.account_ids, service, as_of)
    return [
        row or unknown_account(account, as_of, pointer("account_ids", number))
        for number, (account, row) in enumerate(zip(request.account_ids, rows, strict=True))
    ]


def _inline(request: schemas.ScoreRequest, service: InService, as_of: datetime) -> list[AccountRow]:
    rows = _inline_rows(request.accounts, service, as_of)
    return [AccountRow(account.account_id, row) for account, row in zip(request.accounts, rows, strict=True)]
