"""Problem answers around any ASGI app, mounted ones included."""

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from serving.api.middleware.limits import ProblemAnswers
from serving.errors import UnknownAccount, pointer


async def fine(request):
    return PlainTextResponse(await request.body())


async def fails(request):
    raise RuntimeError("secret of the house")


async def refuses(request):
    raise UnknownAccount("nobody of that name", pointer="#/account_ids/0")


async def forbids(request):
    raise HTTPException(403, "in words of its own", headers={"www-authenticate": "Bearer"})


async def has_its_own(request):
    return JSONResponse({"type": "/own"}, 409, media_type="application/problem+json")


async def sleeps(request):
    await asyncio.Event().wait()


APP = Starlette(
    routes=[
        Mount("/mounted", Starlette(routes=[Route("/fails", fails), Route("/refuses", refuses)])),
        Route("/fine", fine, methods=["POST"]),
        Route("/forbids", forbids),
        Route("/has-its-own", has_its_own),
        Route("/sleeps", sleeps),
    ]
)


def ask(method, path, **options):
    async def asked():
        patience = 0.05 if path == "/sleeps" else 60.0
        transport = httpx.ASGITransport(ProblemAnswers(APP, max_body_bytes=10, within_seconds=patience))
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, **options)

    return asyncio.run(asked())


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/mounted/fails", 500, "/problems/failed"),
        ("/mounted/refuses", 404, "/problems/unknown-account"),
        ("/mounted/nothing", 404, "/problems/unknown-path"),
        ("/fine", 405, "/problems/wrong-method"),
        ("/forbids", 403, "about:blank"),
        ("/sleeps", 504, "/problems/too-slow"),
        ("/has-its-own", 409, "/own"),
    ],
)
def test__problems__any_failure_of_any_app__is_one(path, status, kind):
    """A client has one way to read what went wrong, whoever failed."""
    response = ask("GET", path)
    assert (response.status_code, response.json()["type"]) == (status, kind)
    assert response.headers["content-type"] == "application/problem+json"


def test__problems__crash__tells_the_log_and_not_the_caller(caplog):
    """A traceback is for us; a caller gets no line of it."""
    assert "secret" not in ask("GET", "/mounted/fails").text
    assert "secret of the house" in caplog.text
    assert "/mounted/fails" not in caplog.text, "a path may name an account"


def test__problems__headers_of_the_failure__are_kept():
    """What a header tells (how to log in, which methods there are) stays told."""
    assert ask("GET", "/forbids").headers["www-authenticate"] == "Bearer"
    assert ask("GET", "/fine").headers["allow"] == "POST"


def test__body__exactly_as_large_as_allowed__passes_and_one_byte_more_does_not():
    """The limit is a limit: ten bytes are let through, eleven are not."""
    json = {"content-type": "application/json"}
    assert ask("POST", "/fine", content=b"0123456789", headers=json).text == "0123456789"
    assert ask("POST", "/fine", content=b"0123456789x", headers=json).status_code == 413


def test__pointer__slash_and_tilde__are_escaped():
    """RFC 6901: ~ is written ~0 and / is written ~1."""
    assert pointer("a/b", 0, "c~d") == "#/a~1b/0/c~0d"
