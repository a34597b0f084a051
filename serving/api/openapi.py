"""The OpenAPI document of the resources: FastAPI's, with the problems that every operation may answer."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from serving.api.problems import DATABASE_UNAVAILABLE, MALFORMED_REQUEST, UNKNOWN_ACCOUNT, Kind
from serving.online.schemas import PROBLEM_MEDIA_TYPE

PROBLEM = {
    "title": "Problem",
    "description": "RFC 9457 problem details.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "the kind of problem: stable, for programs to rely on"},
        "title": {"type": "string", "description": "the kind of problem in words"},
        "status": {"type": "integer", "description": "the HTTP status"},
        "detail": {"type": "string", "description": "what is wrong, and what to do"},
        "pointer": {"type": "string", "description": "JSON pointer of what is wrong in the body, as a URI fragment"},
        "errors": {
            "type": "array",
            "description": "each thing that is wrong, where there are several",
            "items": {
                "type": "object",
                "properties": {"detail": {"type": "string"}, "pointer": {"type": "string"}},
            },
        },
    },
}
_EXAMPLES: dict[str, tuple[Kind, str]] = {
    "404": (UNKNOWN_ACCOUNT, "nothing is known of account '17850' as of 2026-03-01T00:00:00+00:00"),
    "422": (MALFORMED_REQUEST, "query parameter 'limit': Input should be less than or equal to 500, not '501'"),
    "503": (
        DATABASE_UNAVAILABLE,
        "the database postgresql+psycopg://foresail:***@db/foresail cannot be used: connection refused",
    ),
}
_ALWAYS = {
    "422": {"description": "The request breaks a rule."},
    "503": {"description": "Something that the answer needs cannot be used now. Retry-After says when to ask again."},
    "default": {"description": "Any other problem."},
}
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key, as `foresail keys create` makes it. As long as there is none, callers on the service's own "
    "machine need none.",
}
_FASTAPIS_OWN = "Validation Error"
_METHODS = ("get", "post", "put", "patch", "delete")


def describe(app: FastAPI) -> None:
    """Make the application tell the document that is described here, instead of its own."""
    tell = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(tell())
        return app.openapi_schema

    # FastAPI's own way to change the document.
    app.openapi = described  # type: ignore[method-assign]


def _with_problems(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = PROBLEM
    document["components"]["securitySchemes"] = {"key": KEY}
    document["security"] = [{"key": []}]
    for path in document["paths"].values():
        for method in _METHODS:
            if method in path:
                path[method]["responses"] = _responses(path[method]["responses"])
    return document


def _responses(declared: dict[str, Any]) -> dict[str, Any]:
    """Those declared, and those that are always possible; each failure as a problem."""
    own = {status: response for status, response in declared.items() if response["description"] != _FASTAPIS_OWN}
    told = {**own, **{status: response for status, response in _ALWAYS.items() if status not in own}}
    return {
        status: _problem(status, response) if _is_failure(status) else response for status, response in told.items()
    }


def _is_failure(status: str) -> bool:
    return status == "default" or int(status) >= HTTPStatus.BAD_REQUEST


def _problem(status: str, response: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/Problem"}}
    if status in _EXAMPLES:
        kind, detail = _EXAMPLES[status]
        content["example"] = {"type": kind.type, "title": kind.title, "status": kind.status, "detail": detail}
    return {"description": response["description"], "content": {PROBLEM_MEDIA_TYPE: content}}
