"""Every answer that is not a success: RFC 9457 problem details, with a type that a program can rely on.

A `Problem` is raised where it is found; `serving.api.middleware.limits` turns it into an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"
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


class Problem(Exception):
    """Something that the caller must be told, with the words to tell it in.

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
        """The HTTP response that says it."""
        retry = {"retry-after": "5"} if self.kind.status == HTTPStatus.SERVICE_UNAVAILABLE else {}
        return JSONResponse(
            self.members(),
            self.kind.status,
            headers={**retry, **self.headers, **(headers or {})},
            media_type=MEDIA_TYPE,
        )


def pointer(*steps: str | int) -> str:
    """The JSON pointer of an item as a URI fragment: the steps "accounts", 0 and "as_of" give #/accounts/0/as_of."""
    return "#" + "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def problem_of_errors(kind: Kind, errors: Sequence[Mapping[str, str]]) -> Problem:
    """One problem for all that is wrong with a request: the first item in full, how many more, and the list."""
    first, others = errors[0], len(errors) - 1
    more = f" ({others} more, see errors)" if others else ""
    return Problem(kind, first["detail"] + more, pointer=first["pointer"], errors=errors)
