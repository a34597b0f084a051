"""The service's client for Python: typed answers, problems as exceptions, patience with a service that is busy.

with Client("http://127.0.0.1:3000", key="...") as foresail:
    foresail.events([{"account_id": "17850", "stream": "purchases", "occurred_at": "2011-04-02", "amount": 120.5}])
    (account,) = foresail.scores(["17850"]).accounts
"""

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from features.rows import Row
from serving.api.schemas.accounts import Account, Accounts, ListedAccount
from serving.api.schemas.events import EventResults
from serving.api.schemas.interventions import Intervention, Interventions
from serving.api.schemas.models import Models
from serving.online.schemas import PROBLEM_MEDIA_TYPE, ScoreResponse
from serving.online.what_if_schemas import WhatIf

Answer = TypeVar("Answer", bound=BaseModel)

MOST_SECONDS = 30.0
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class ProblemError(Exception):
    """The service's answer was no success. `type` is stable; `pointer` says where in the request, if it is known."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{problem['title']}: {problem['detail']}")
        self.type, self.status, self.detail = problem["type"], problem["status"], problem["detail"]
        self.pointer, self.errors = problem.get("pointer"), problem.get("errors", [])


class Client:
    """Asks one service. An answer of 429 or 503 is waited for and asked for again, `retries` times; so is a lost connection.

    All that can be asked may be asked again: events have identities, and each post its idempotency key.
    """

    def __init__(self, url: str, *, key: str | None = None, timeout: float = 10.0, retries: int = 3) -> None:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout)
        self.retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def scores(self, account_ids: Sequence[str] = (), **asked: Any) -> ScoreResponse:
        """Scores of accounts, as POST /v1/scores takes it: `accounts` with their events, `targets`, `as_of`, `explain`."""
        return self._post(ScoreResponse, "/v1/scores", {"account_ids": list(account_ids), **asked})

    def what_if(self, **asked: Any) -> WhatIf:
        """The scores of one account if these events had happened, as POST /v1/what-if takes it."""
        return self._post(WhatIf, "/v1/what-if", asked)

    def events(self, events: Sequence[Row], *, idempotency_key: str | None = None) -> EventResults:
        """Post events, each with account_id and stream. Rows that are refused are no exception: look at `refused`."""
        headers = {"idempotency-key": idempotency_key or str(uuid.uuid4())}
        return self._post(EventResults, "/v1/events", {"events": list(events)}, headers)

    def account(self, account_id: str, **asked: Any) -> Account:
        """All about one account; `stream`, `limit` and `cursor` choose the page of its timeline."""
        return self._get(Account, f"/v1/accounts/{quote(account_id, safe='')}", asked)

    def accounts(self, **asked: Any) -> Iterator[ListedAccount]:
        """Every account of a list, page after page: filters, `sort`, `order`, and `limit` for the size of a page."""
        page = self._get(Accounts, "/v1/accounts", asked)
        yield from page.accounts
        while page.next is not None:
            page = self._get(Accounts, "/v1/accounts", {**asked, "cursor": page.next})
            yield from page.accounts

    def interventions(self, **asked: Any) -> Iterator[BaseModel]:
        """What is to be done, the earliest due first, page after page: filters as GET /v1/interventions takes them."""
        page = self._get(Interventions, "/v1/interventions", asked)
        yield from page.interventions
        while page.next is not None:
            page = self._get(Interventions, "/v1/interventions", {**asked, "cursor": page.next})
            yield from page.interventions

    def intervention(self, intervention_id: str) -> BaseModel:
        """One intervention with its steps, deadlines and comments."""
        return self._get(Intervention, _path(intervention_id), {})

    def change(self, intervention_id: str, action: str, **told: Any) -> BaseModel:
        """`claim`, `start`, `hand-over`, `complete`, `dismiss`, `comments` or `steps/1/done`, told `by` whom; how it stands then."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        return self._post(Intervention, f"{_path(intervention_id)}/{action}", told, headers)

    def models(self) -> Models:
        """The champions in service."""
        return self._get(Models, "/v1/models", {})

    def _get(self, kind: type[Answer], path: str, asked: Mapping[str, Any]) -> Answer:
        return kind.model_validate_json(self._ask("GET", path, params=asked).content)

    def _post(self, kind: type[Answer], path: str, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
        return kind.model_validate_json(self._ask("POST", path, json=body, headers=headers).content)

    def _ask(self, method: str, path: str, **content: Any) -> httpx.Response:
        for _ in range(self.retries):
            try:
                response = self._http.request(method, path, **content)
            except httpx.TransportError:
                time.sleep(1.0)
                continue
            if response.status_code not in BUSY:
                return _success(response)
            time.sleep(_seconds(response.headers.get("retry-after", "")))
        return _success(self._http.request(method, path, **content))


def _path(intervention_id: str) -> str:
    return f"/v1/interventions/{quote(intervention_id, safe='')}"


def _seconds(retry_after: str) -> float:
    """How long to wait, half a minute at most; a second where a proxy says nothing, or a date."""
    return min(float(retry_after), MOST_SECONDS) if retry_after.isdecimal() else 1.0


def _success(response: httpx.Response) -> httpx.Response:
    """The answer, if it is one; ProblemError for a problem, httpx.HTTPStatusError for what something in between says."""
    if response.headers.get("content-type", "").startswith(PROBLEM_MEDIA_TYPE):
        raise ProblemError(response.json())
    return response.raise_for_status()
