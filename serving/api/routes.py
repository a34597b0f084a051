"""Routes for what a page waits for: from the bytes of the body to a model, and from the answer to bytes, once each.

FastAPI would parse the body, validate it, resolve dependencies, validate the answer and encode it, which takes several
times as long as a score. What its OpenAPI document says of these routes is the same.
"""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, cast

from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from serving.api.dependencies import in_service, request_pool
from serving.api.findings import problem_of_findings
from serving.api.problems import Kind
from serving.online.in_service import InService
from serving.runtime.request_pool import RequestPool

Answering = Callable[[Any, InService, RequestPool], Awaitable[BaseModel]]


class QuickRoute(APIRoute):
    """A route whose endpoint takes the request's model, what is in service and the threads, and returns the answer's model."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request: 400 or 422 and where the body is wrong, as a Problem, before the endpoint is asked."""
        asked: type[BaseModel] = cast("Any", self.body_field).field_info.annotation
        endpoint: Answering = self.endpoint

        async def handle(request: Request) -> Response:
            given = _read(asked, await request.body())
            answer = await endpoint(given, in_service(request), request_pool(request))
            return Response(answer.__pydantic_serializer__.to_json(answer), media_type="application/json")

        return handle


def problems(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of the problems that a resource may answer with, by status."""
    told: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        said = f"{kind.title}: `{kind.type}`"
        told[kind.status] = {
            "description": f"{told[kind.status]['description']}; {said}" if kind.status in told else said
        }
    return told


def _read(asked: type[BaseModel], body: bytes) -> BaseModel:
    try:
        return cast("BaseModel", asked.__pydantic_validator__.validate_json(body))
    except ValidationError as error:
        findings = error.errors(include_url=False, include_context=False, include_input=False)
        raise problem_of_findings(cast("Any", findings), asked) from error
