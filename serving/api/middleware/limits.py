"""What stands around every route and mounted app: bounds on what comes in, problems for whatever fails.

`as_answers` turns a foreseen error of a BentoML endpoint into its answer. `ProblemAnswers` does the rest: it
refuses bodies that are too large or not JSON, ends what takes too long, and rewrites what BentoML and Starlette say
by themselves (404, 405, failed validation, 500) into problems, without a traceback.
"""

import asyncio
import functools
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar, cast

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.api.findings import problem_of_findings
from serving.api.middleware.observed import route_of
from serving.api.problems import (
    FAILED,
    FORESEEN,
    TOO_LARGE,
    TOO_SLOW,
    UNKNOWN_PATH,
    WRONG_MEDIA_TYPE,
    WRONG_METHOD,
    Kind,
    Problem,
    problem_of,
)
from serving.online.schemas import PROBLEM_MEDIA_TYPE

MAX_BODY_BYTES = 4_000_000
WITHIN_SECONDS = 4.5
"""Less than BentoML's own timeout, which answers in words of its own."""

log = logging.getLogger("bentoml.foresail")

P = ParamSpec("P")
T = TypeVar("T")

_KIND_OF_STATUS = {kind.status: kind for kind in (UNKNOWN_PATH, WRONG_METHOD, TOO_LARGE, WRONG_MEDIA_TYPE, FAILED)}


def as_answers(endpoint: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Lets a BentoML endpoint raise foreseen errors: BentoML would log each with a traceback and hide its message."""

    @functools.wraps(endpoint)
    async def answered(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await endpoint(*args, **kwargs)
        except FORESEEN as error:
            return cast(T, problem_of(error).answer())

    return answered


class ProblemAnswers:
    """ASGI middleware: what comes in is JSON of a bounded size, what goes out, in bounded time, a success or a problem."""

    def __init__(
        self, app: ASGIApp, max_body_bytes: int = MAX_BODY_BYTES, within_seconds: float = WITHIN_SECONDS
    ) -> None:
        self.app = app
        self.max_body_bytes = max_body_bytes
        self.within_seconds = within_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        with suppress(_Disconnected):
            try:
                body = await self._body(scope, receive)
                async with asyncio.timeout(self.within_seconds):
                    await self.app(scope, body, answer.send)
                await answer.finish()
            except FORESEEN as error:
                await answer.problem(problem_of(error))
            except TimeoutError:
                asked = (
                    f"the answer was not ready within {self.within_seconds:g} seconds; ask for fewer accounts at a time"
                )
                await answer.problem(Problem(TOO_SLOW, asked))
            except Exception:
                log.exception("%s %s failed", scope["method"], route_of(scope))
                await answer.problem(problem_of_failure(HTTPStatus.INTERNAL_SERVER_ERROR, b"", scope))

    async def _body(self, scope: Scope, receive: Receive) -> Receive:
        """The request's body, read whole before anything looks at it, and given back as one message."""
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return receive
        headers = Headers(scope=scope)
        self._refuse_large(int(headers.get("content-length") or 0))
        body = await self._read(receive)
        if body and headers.get("content-type", "application/json").split(";")[0].strip().lower() != "application/json":
            raise Problem(WRONG_MEDIA_TYPE, f"send application/json, not {headers['content-type']}")
        return _once({"type": "http.request", "body": body, "more_body": False}, receive)

    async def _read(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Disconnected
            chunks.append(message.get("body", b""))
            size, more = size + len(chunks[-1]), message.get("more_body", False)
            self._refuse_large(size)
        return b"".join(chunks)

    def _refuse_large(self, size: int) -> None:
        if size > self.max_body_bytes:
            raise Problem(
                TOO_LARGE, f"the body has more than {self.max_body_bytes:,} bytes; send fewer accounts at a time"
            )


class _Disconnected(Exception):
    """The caller went away before the request was complete: there is nobody to answer."""


def _once(message: Message, then: Receive) -> Receive:
    pending = [message]

    async def receive() -> Message:
        return pending.pop() if pending else await then()

    return receive


class _Answer:
    """Passes a success on as it comes; holds a failure back until the app has returned, and sends the problem instead.

    A mounted app answers an exception before it lets it through, so that only the end shows what went wrong.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.forward = scope, receive, send
        self.failure: Message | None = None
        self.body = b""
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_bare_failure(message):
            self.failure = message
        elif self.failure is None:
            self.started = True
            await self.forward(message)
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def finish(self) -> None:
        """Send the problem behind a failure that was held back."""
        if self.failure is None:
            return
        headers = MutableHeaders(raw=list(self.failure["headers"]))
        for name in ("content-length", "content-type"):
            del headers[name]
        problem = problem_of_failure(self.failure["status"], self.body, self.scope)
        await self.problem(problem, dict(headers.items()))

    async def problem(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        """Answer with a problem, unless an answer is under way: then the connection has to break."""
        if self.started:
            raise problem
        await problem.answer(headers)(self.scope, self.receive, self.forward)


def _is_bare_failure(start: Message) -> bool:
    return start["status"] >= HTTPStatus.BAD_REQUEST and PROBLEM_MEDIA_TYPE not in Headers(raw=start["headers"]).get(
        "content-type", ""
    )


def problem_of_failure(status: int, body: bytes, scope: Scope) -> Problem:
    """The problem behind a failure that BentoML or Starlette worded: pydantic's findings are kept, a traceback never."""
    findings = _findings(body) if status == HTTPStatus.BAD_REQUEST else []
    if findings:
        return problem_of_findings(findings)
    kind = _KIND_OF_STATUS.get(status) or Kind("about:blank", status, HTTPStatus(status).phrase)
    return Problem(kind, _detail(status, scope))


def _detail(status: int, scope: Scope) -> str:
    if status == HTTPStatus.NOT_FOUND:
        return f"nothing is served at {scope['path']}; / lists what is"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"{scope['path']} does not take {scope['method']}; / lists what it takes"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "the request could not be answered; the service's log says why"
    return f"{scope['method']} {scope['path']} was refused"


def _findings(body: bytes) -> list[dict[str, Any]]:
    try:
        answer = json.loads(body)
    except ValueError:
        return []
    findings = answer.get("detail") if isinstance(answer, dict) else None
    return findings if isinstance(findings, list) else []


class CallersFaults(logging.Filter):
    """Keeps what a caller did wrong out of the error log: the caller has been told, and nobody here can mend it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """False for BentoML's traceback of a request that failed validation."""
        error = record.exc_info[0] if isinstance(record.exc_info, tuple) else None
        return not (error is not None and error.__name__ == "ValidationError")
