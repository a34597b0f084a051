"""What the resources are given with each request: what is in service, and the threads for what takes long."""

from typing import Annotated, cast

from fastapi import Depends, Request

from serving.heavy import Heavy
from serving.in_service import InService
from serving.watch import Watch

PREFIX = "/v1"


def _in_service(request: Request) -> InService:
    return cast("Watch", request.app.state.watch).in_service()


def _heavy(request: Request) -> Heavy:
    return cast("Heavy", request.app.state.heavy)


def _caller(request: Request) -> str | None:
    return cast("str | None", getattr(request.state, "key_id", None))


Served = Annotated[InService, Depends(_in_service)]
"""All that an answer rests on, taken once per request; a Problem if nothing is in service."""
Threads = Annotated[Heavy, Depends(_heavy)]
Caller = Annotated[str | None, Depends(_caller)]
"""The id of the API key that the request came with; None where none is needed."""
