"""The HTTP resources under /v1: one router a file, one application.

Requests for them never reach BentoML's own routes, whose work for each request costs more than a score.
"""

import logging
from typing import cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api import accounts, events, interventions, metrics, models, scores, webhooks, what_if
from serving.api.dependencies import PREFIX
from serving.api.findings import problem_of_validation
from serving.api.openapi import describe
from serving.api.problems import FORESEEN, problem_of
from serving.api.routes import QuickRoute
from serving.database.engine import DatabaseUnavailable

log = logging.getLogger("bentoml.foresail")

RESOURCES = FastAPI(
    title="Foresail", version="1", openapi_url=f"{PREFIX}/openapi.json", docs_url=f"{PREFIX}/docs", redoc_url=None
)
"""The service sets its `state.watch`, `state.heavy` and `state.entrance` when it starts: one application a process."""

for router in (
    accounts.router,
    events.router,
    interventions.router,
    models.router,
    scores.router,
    webhooks.router,
    what_if.router,
):
    RESOURCES.include_router(router, prefix=PREFIX)
RESOURCES.include_router(metrics.router)


describe(RESOURCES)


async def _problem(_: Request, error: Exception) -> Response:
    return problem_of(error).answer()


for _kind in FORESEEN:
    RESOURCES.add_exception_handler(_kind, _problem)


@RESOURCES.exception_handler(DatabaseUnavailable)
async def _without_database(_: Request, unavailable: DatabaseUnavailable) -> Response:
    log.warning("%s", unavailable)
    return problem_of(unavailable).answer()


@RESOURCES.exception_handler(RequestValidationError)
async def _breaks_the_schema(request: Request, error: RequestValidationError) -> Response:
    return problem_of_validation(error.errors(), _body_of(request.scope["route"])).answer()


def _body_of(route: APIRoute) -> type[BaseModel]:
    """The model of the body that a route takes; one without members where it takes none."""
    return cast("type[BaseModel]", route.body_field.field_info.annotation) if route.body_field else BaseModel


_QUICK = {
    f"{PREFIX}{route.path}": route.get_route_handler()
    for route in (*scores.router.routes, *what_if.router.routes)
    if isinstance(route, QuickRoute)
}
"""By path: what a page waits for is not looked for among all routes, which takes a tenth of the time of a score."""


class Resources:
    """ASGI middleware: what is asked below /v1, and /metrics, goes to the resources, everything else on to BentoML."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in _QUICK:
            response = await _quickly(Request({**scope, "app": RESOURCES}, receive))
            await response(scope, receive, send)
            return
        is_ours = scope["type"] == "http" and scope["path"].startswith((f"{PREFIX}/", "/metrics"))
        await (RESOURCES if is_ours else self.app)(scope, receive, send)


async def _quickly(request: Request) -> Response:
    """What the route answers; its problems are answered by the middleware around."""
    try:
        return await _QUICK[request.scope["path"]](request)
    except DatabaseUnavailable as unavailable:
        return await _without_database(request, unavailable)
