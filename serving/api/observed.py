"""What is told of every request: one line of the log, the metrics, the trace. The outermost middleware.

Nothing here names anybody: routes stand as templates, accounts as their number, callers as the id of their key.
"""

import json
import logging
import sys
from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter_ns
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import Headers, MutableHeaders, State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.moments import microseconds, now
from serving.api.access import OPEN
from serving.metrics import NOTED, Noted, count
from serving.tracing import Trace, trace_of

UNTEMPLATED = frozenset(
    {"/", "/score", "/docs.json", "/schema.json", "/metrics", "/v1/openapi.json", "/v1/docs", *OPEN}
)
"""Paths of BentoML's that hold nothing of a caller's; whatever else no route is known for is `other`."""

requests_log = logging.getLogger("foresail.requests")


def log_requests() -> None:
    """Write a line for each request to standard output, as JSON and nothing else."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    requests_log.handlers = [handler]
    requests_log.setLevel(logging.INFO)
    requests_log.propagate = False


class Observed:
    """Goes on with the caller's trace, and when the answer is out, counts it, logs it and exports its spans.

    `state.entrance` is the service's Entrance: it knows whether spans are exported.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        noted, trace = Noted(), trace_of(Headers(scope=scope).get("traceparent", ""))
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
        count(noted, route, answer.status, seconds)
        if scope["path"] not in OPEN or answer.status != HTTPStatus.OK:
            requests_log.info("%s", to_json(_line(scope, noted, trace, answer, route, seconds)).decode())
        if spans := self.state.entrance.spans:
            facts = {
                "http.request.method": scope["method"],
                "http.route": route,
                "http.response.status_code": answer.status,
            }
            spans.tell(trace, noted, f"{scope['method']} {route}", facts, microseconds(now()) * 1000)


class _Answer:
    """Passes the answer on with the trace in its headers, and keeps what is told of it."""

    def __init__(self, trace: Trace, send: Send) -> None:
        self.trace, self.forward = trace, send
        self.status = 499
        """As long as nothing was answered: the caller went away first."""
        self._body = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["traceparent"], headers["x-trace-id"] = self.trace.header(), self.trace.trace_id
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
        return template
    return scope["path"] if scope["path"] in UNTEMPLATED else "other"


def _line(scope: Scope, noted: Noted, trace: Trace, answer: _Answer, route: str, seconds: float) -> Mapping[str, Any]:
    """The facts of one request; those that do not apply are left out."""
    facts = {
        "at": now().isoformat(),
        "method": scope["method"],
        "route": route,
        "status": answer.status,
        "ms": round(seconds * 1000, 3),
        "trace_id": trace.trace_id,
        "key_id": scope["state"].get("key_id"),
        "accounts": noted.accounts or None,
        "models": noted.models or None,
        "stages_ms": {name: round(taken * 1000, 3) for name, taken in noted.seconds().items()} or None,
        "reason": answer.reason(),
    }
    return {name: fact for name, fact in facts.items() if fact is not None}
