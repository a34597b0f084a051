"""What is told of every request: one line of the log, the metrics, the trace. The outermost middleware.

Nothing here names anybody: routes stand as templates, accounts as their number, callers as the id of their key.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from time import perf_counter_ns
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.timestamps import microseconds, now
from serving.api.dependencies import PREFIX
from serving.api.middleware.access import OPEN
from serving.observability.metrics import NOTED, Noted, count
from serving.observability.tracing import Trace, trace_of

STANDARD_OUTPUT = 1
CLIENT_WENT_AWAY = 499
OF_BENTOML = ("/", "/score", "/docs.json", "/schema.json")
UNTEMPLATED = frozenset({*OF_BENTOML, *OPEN, "/metrics", "/v1/openapi.json", "/v1/docs", "/v1/scores", "/v1/what-if"})
"""Paths that hold nothing of a caller's; whatever else no route is known for is `other`."""


class Observed:
    """Goes on with the caller's trace, and when the answer is out, counts it, logs it and exports its spans.

    `state.gateway` is the service's Gateway: it knows whether spans are exported.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        noted, trace = Noted(), trace_of(_traceparent(scope))
        scope.setdefault("state", {})["trace_id"] = trace.trace_id
        answer = _Answer(trace, send)
        before = NOTED.set(noted)
        try:
            await self.app(scope, receive, answer.send)
        finally:
            NOTED.reset(before)
            self._tell(scope, noted, trace, answer)

    def _tell(self, scope: Scope, noted: Noted, trace: Trace, answer: "_Answer") -> None:
        seconds, route = (perf_counter_ns() - noted.begun) / 1e9, route_of(scope)
        stages = noted.seconds()
        count(noted, stages, route, answer.status, seconds)
        if scope["path"] not in OPEN or answer.status != HTTPStatus.OK:
            _write(_line(scope, noted, stages, trace, answer, route, seconds))
        if spans := self.state.gateway.spans:
            method, status = scope["method"], answer.status
            facts = {"http.request.method": method, "http.route": route, "http.response.status_code": status}
            spans.tell(trace, noted, f"{method} {route}", facts, microseconds(now()) * 1000)


class _Answer:
    """Passes the answer on with the trace in its headers, and keeps what is told of it."""

    def __init__(self, trace: Trace, send: Send) -> None:
        self.trace, self.forward = trace, send
        self.status = CLIENT_WENT_AWAY
        """As long as nothing was answered."""
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            told = (b"traceparent", self.trace.header().encode()), (b"x-trace-id", self.trace.trace_id.encode())
            message["headers"] = [*message.get("headers", ()), *told]
        elif self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._body += message.get("body", b"")
        await self.forward(message)

    def reason(self) -> str | None:
        """Why we failed, in the words of the problem that was answered; None for what is the caller's business."""
        return str(json.loads(self._body).get("detail")) if self._body.startswith(b"{") else None


def route_of(scope: Scope) -> str:
    """The template of the route that answered, like /v1/accounts/{account_id}: the path itself may name an account."""
    template = getattr(scope.get("route"), "path_format", None)
    if isinstance(template, str):
        # A route of ours knows its path only from the prefix on.
        is_below = scope["path"].startswith(f"{PREFIX}/") and not template.startswith(f"{PREFIX}/")
        return f"{PREFIX}{template}" if is_below else template
    return scope["path"] if scope["path"] in UNTEMPLATED else "other"


def _traceparent(scope: Scope) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")


def _line(
    scope: Scope,
    noted: Noted,
    stages: Mapping[str, float],
    trace: Trace,
    answer: _Answer,
    route: str,
    seconds: float,
) -> bytes:
    """The facts of one request as a JSON object; those that do not apply are left out."""
    facts: dict[str, Any] = {
        "at": now().isoformat(),
        "method": scope["method"],
        "route": route,
        "status": answer.status,
        "ms": round(seconds * 1000, 3),
        "trace_id": trace.trace_id,
        "key_id": scope["state"].get("key_id"),
        "accounts": noted.accounts or None,
        "models": noted.models or None,
        "stages_ms": {name: round(taken * 1000, 3) for name, taken in stages.items()} or None,
        "reason": answer.reason(),
    }
    return to_json({name: fact for name, fact in facts.items() if fact is not None})


def _write(line: bytes) -> None:
    # Straight out: `logging` takes several times as long, for a line that needs nothing of it.
    with suppress(OSError):
        os.write(STANDARD_OUTPUT, line + b"\n")
