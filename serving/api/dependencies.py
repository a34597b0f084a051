"""What the resources are given with each request: what is in service, and the threads for what takes long."""

from typing import Annotated, cast

from fastapi import Depends, Request

from serving.online.in_service import InService
from serving.runtime.model_watcher import Watch
from serving.runtime.request_pool import Heavy

PREFIX = "/v1"


def in_service(request: Request) -> InService:
    """All that an answer rests on; a Problem if nothing is in service."""
    return cast("Watch", request.app.state.watch).in_service()


def heavy(request: Request) -> Heavy:
    """The threads of the service."""
    return cast("Heavy", request.app.state.heavy)


def _caller(request: Request) -> str | None:
    return cast("str | None", getattr(request.state, "key_id", None))


Served = Annotated[InService, Depends(in_service)]
"""All that an answer rests on, taken once per request; a Problem if nothing is in service."""
Threads = Annotated[Heavy, Depends(heavy)]
Caller = Annotated[str | None, Depends(_caller)]
"""The id of the API key that the request came with; None where none is needed."""
