"""The HTTP resources under /v1: one router a file, one application.

Requests for them never reach BentoML's own routes, whose work for each request costs more than a score.
"""

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api import metrics, models
from serving.api.dependencies import PREFIX
from serving.api.problems import Problem

RESOURCES = FastAPI(
    title="Foresail", version="1", openapi_url=f"{PREFIX}/openapi.json", docs_url=f"{PREFIX}/docs", redoc_url=None
)
"""The service sets its `state.watch`, `state.heavy` and `state.entrance` when it starts: one application a process."""

for router in (models.router,):
    RESOURCES.include_router(router, prefix=PREFIX)
RESOURCES.include_router(metrics.router)


@RESOURCES.exception_handler(Problem)
async def _problem(_: Request, problem: Problem) -> Response:
    return problem.answer()


class Resources:
    """ASGI middleware: what is asked below /v1, and /metrics, goes to the resources, everything else on to BentoML."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and scope["path"].startswith((f"{PREFIX}/", "/metrics"))
        await (RESOURCES if is_ours else self.app)(scope, receive, send)
