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

from serving.api import accounts, events, models
from serving.api.dependencies import PREFIX
from serving.api.findings import problem_of_validation
from serving.api.openapi import describe
from serving.api.problems import DATABASE_UNAVAILABLE, Problem
from serving.database.engine import DatabaseUnavailable

log = logging.getLogger("bentoml.foresail")

RESOURCES = FastAPI(
    title="Foresail", version="1", openapi_url=f"{PREFIX}/openapi.json", docs_url=f"{PREFIX}/docs", redoc_url=None
)
"""The service sets its `state.watch` and `state.heavy` when it starts: one application a process."""

for router in (accounts.router, events.router, models.router):
    RESOURCES.include_router(router, prefix=PREFIX)


describe(RESOURCES)


@RESOURCES.exception_handler(Problem)
async def _problem(_: Request, problem: Problem) -> Response:
    return problem.answer()


@RESOURCES.exception_handler(DatabaseUnavailable)
async def _without_database(_: Request, unavailable: DatabaseUnavailable) -> Response:
    log.warning("%s", unavailable)
    return Problem(DATABASE_UNAVAILABLE, str(unavailable)).answer()


@RESOURCES.exception_handler(RequestValidationError)
async def _breaks_the_schema(request: Request, error: RequestValidationError) -> Response:
    return problem_of_validation(error.errors(), _body_of(request.scope["route"])).answer()


def _body_of(route: APIRoute) -> type[BaseModel]:
    """The model of the body that a route takes; one without members where it takes none."""
    return cast("type[BaseModel]", route.body_field.field_info.annotation) if route.body_field else BaseModel


class Resources:
    """ASGI middleware: what is asked below /v1 goes to the resources, everything else on to BentoML."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith(f"{PREFIX}/")
        await (RESOURCES if is_ours else self.app)(scope, receive, send)
