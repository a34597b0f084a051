"""Every answer that is not a success: RFC 9457 problem details, with a type that a program can rely on.

The rooms below raise the errors of `serving.errors`, `serving.database` and `registry`; `KINDS` says which problem each of
these is. A `Problem` is raised in this room alone, for what HTTP itself asks for. `serving.api.middleware.limits` and the
exception handlers of `serving.api.app` turn both into answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse, Response

from registry.errors import ModelUnavailable, NoChampion, RegistryUnavailable
from serving.database.engine import DatabaseUnavailable
from serving.errors import (
    Busy,
    HistoryUnavailable,
    KeyReused,
    MalformedEvent,
    MalformedRequest,
    NotConfigured,
    NotReady,
    UnknownAccount,
    UnknownTarget,
)
from serving.interventions.deliver.status_reports import UnreadableReport
from serving.interventions.deliver.webhook_signatures import BadSignature
from serving.interventions.run.lifecycle import NoIntervention, NotAllowed
from serving.online.schemas import PROBLEM_MEDIA_TYPE

MAX_ERRORS_LISTED = 50


@dataclass(frozen=True)
class Kind:
    """A kind of problem: `type` is stable and never renamed, `status` and `title` go with it."""

    type: str
    status: int
    title: str


UNKNOWN_ACCOUNT = Kind("/problems/unknown-account", 404, "The account is not known")
UNKNOWN_INTERVENTION = Kind("/problems/unknown-intervention", 404, "The intervention is not known")
UNKNOWN_CHANNEL = Kind("/problems/unknown-channel", 404, "No such webhook is declared")
WRONG_STATE = Kind("/problems/wrong-state", 409, "The intervention is in a state that does not allow it")
BAD_SIGNATURE = Kind("/problems/bad-signature", 401, "The signature does not fit")
UNKNOWN_TARGET = Kind("/problems/unknown-target", 422, "The target is not served")
UNKNOWN_PATH = Kind("/problems/unknown-path", 404, "There is nothing at this path")
WRONG_METHOD = Kind("/problems/wrong-method", 405, "The path does not take this method")
NOT_JSON = Kind("/problems/not-json", 400, "The body is not JSON")
MALFORMED_REQUEST = Kind("/problems/malformed-request", 422, "The request breaks the schema")
MALFORMED_EVENT = Kind("/problems/malformed-event", 422, "An event breaks a rule of its stream")
KEY_REUSED = Kind("/problems/key-reused", 422, "The idempotency key belongs to another request")
TOO_LARGE = Kind("/problems/too-large", 413, "The body is too large")
WRONG_MEDIA_TYPE = Kind("/problems/wrong-media-type", 415, "The body is not of a type that is read here")
NO_CHAMPION = Kind("/problems/no-champion", 503, "No model is in service")
MODEL_REFUSED = Kind("/problems/model-refused", 503, "The registered model does not fit this installation")
REGISTRY_UNAVAILABLE = Kind("/problems/registry-unavailable", 503, "The model registry does not answer")
HISTORY_UNAVAILABLE = Kind("/problems/history-unavailable", 503, "No account is at hand yet")
DATABASE_UNAVAILABLE = Kind("/problems/database-unavailable", 503, "The operational database cannot be used")
NOT_READY = Kind("/problems/not-ready", 503, "The service is not ready")
NO_KEY = Kind("/problems/no-key", 401, "A good API key is needed")
MISSING_SCOPE = Kind("/problems/missing-scope", 403, "The API key is not good for this")
LOCAL_ONLY = Kind("/problems/local-only", 403, "Only this machine is answered")
TOO_MANY_REQUESTS = Kind("/problems/too-many-requests", 429, "Requests come too fast")
BUSY = Kind("/problems/busy", 503, "The service is busy")
TOO_SLOW = Kind("/problems/too-slow", 504, "The answer takes too long")
NOT_CONFIGURED = Kind("/problems/not-configured", 503, "The service is not configured")
FAILED = Kind("/problems/failed", 500, "The service failed on this request")

KINDS: Mapping[type[Exception], Kind] = {
    UnknownAccount: UNKNOWN_ACCOUNT,
    UnknownTarget: UNKNOWN_TARGET,
    MalformedRequest: MALFORMED_REQUEST,
    MalformedEvent: MALFORMED_EVENT,
    KeyReused: KEY_REUSED,
    Busy: BUSY,
    NotReady: NOT_READY,
    NotConfigured: NOT_CONFIGURED,
    HistoryUnavailable: HISTORY_UNAVAILABLE,
    DatabaseUnavailable: DATABASE_UNAVAILABLE,
    NoIntervention: UNKNOWN_INTERVENTION,
    NotAllowed: WRONG_STATE,
    BadSignature: BAD_SIGNATURE,
    UnreadableReport: MALFORMED_REQUEST,
    NoChampion: NO_CHAMPION,
    RegistryUnavailable: REGISTRY_UNAVAILABLE,
    ModelUnavailable: MODEL_REFUSED,
}
"""By the class of an error of the rooms below; a subclass without an entry of its own is of its base's kind."""


class Problem(Exception):
    """A problem that the caller is told of: its kind, and the detail in words.

    `pointer` is the JSON pointer (RFC 6901, as a URI fragment) of the offending item in the request;
    `errors` lists several items, each with its own detail and pointer. `headers` go with the answer.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        pointer: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.pointer, self.errors = kind, detail, pointer, tuple(errors)
        self.headers = headers

    def members(self) -> dict[str, Any]:
        """The problem object of RFC 9457, section 3; absent members are left out."""
        members: dict[str, Any] = {
            "type": self.kind.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
        }
        if self.pointer is not None:
            members["pointer"] = self.pointer
        if self.errors:
            members["errors"] = list(self.errors[:MAX_ERRORS_LISTED])
        return members

    def answer(self, headers: Mapping[str, str] | None = None) -> Response:
        """The HTTP response with the problem object as its body."""
        retry = {"retry-after": "5"} if self.kind.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return JSONResponse(
            self.members(),
            self.kind.status,
            headers={**retry, **self.headers, **(headers or {})},
            media_type=PROBLEM_MEDIA_TYPE,
        )


FORESEEN: tuple[type[Exception], ...] = (Problem, *KINDS)
"""The errors that are answered as problems."""


def problem_of(error: Exception) -> Problem:
    """The problem behind an error of `FORESEEN`; a problem is its own."""
    if isinstance(error, Problem):
        return error
    kind = next(KINDS[base] for base in type(error).__mro__ if base in KINDS)
    return Problem(kind, str(error), pointer=getattr(error, "pointer", None), errors=getattr(error, "errors", ()))
