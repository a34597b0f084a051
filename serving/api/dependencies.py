"""What the resources are given with each request: what is in service, and the threads for what takes long."""

from typing import Annotated, cast

from fastapi import Depends, Request

from serving.online.in_service import InService
from serving.runtime.model_watcher import ModelWatcher
from serving.runtime.request_pool import RequestPool

PREFIX = "/v1"


def in_service(request: Request) -> InService:
    """All that an answer rests on; NotReady if nothing is in service."""
    return cast("ModelWatcher", request.app.state.model_watcher).in_service()


def request_pool(request: Request) -> RequestPool:
    """The threads of the service."""
    return cast("RequestPool", request.app.state.request_pool)


def _caller(request: Request) -> str | None:
    return cast("str | None", getattr(request.state, "key_id", None))


Served = Annotated[InService, Depends(in_service)]
"""All that an answer rests on, taken once per request; NotReady if nothing is in service."""
Threads = Annotated[RequestPool, Depends(request_pool)]
Caller = Annotated[str | None, Depends(_caller)]
"""The id of the API key that the request came with; None where none is needed."""
