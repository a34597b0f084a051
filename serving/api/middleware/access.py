"""Who is answered: ASGI middleware around every route and mounted app.

With keys, a request needs one that is good for its path. Without any, only callers on this machine are answered.
"""

import math
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, State
from starlette.types import ASGIApp, Receive, Scope, Send

from serving.api.problems import FORESEEN, LOCAL_ONLY, MISSING_SCOPE, NO_KEY, TOO_MANY_REQUESTS, Problem, problem_of
from serving.runtime.api_keys import Keyring
from serving.runtime.rate_limit import Pace

OPEN = frozenset({"/livez", "/readyz", "/healthz"})
"""What an orchestrator asks needs no key, and has no limit."""
SIGNED = "/v1/webhooks/"
"""What comes below here is signed by its sender, and needs no key."""

ANY = ""
NEEDED = {
    "/score": "score",
    "/v1/scores": "score",
    "/v1/what-if": "score",
    "/v1/accounts": "score",
    "/v1/models": "score",
    "/v1/events": "events",
    "/v1/interventions": "interventions",
    "/v1/openapi.json": ANY,
    "/v1/docs": ANY,
    "/docs.json": ANY,
    "/schema.json": ANY,
    "/static_content": ANY,
    "/": ANY,
}
"""The scope that a path and all below it need; ANY is good key of whatever scope. What is not here needs admin."""

_CREATE = "`foresail keys create NAME --scope score`"
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


class Access:
    """Lets in who may ask, at the pace that is allowed, and notes the key's id in `scope["state"]["key_id"]`.

    `state.entrance` is the service's Entrance: the keys and the pace.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                scope.setdefault("state", {})["key_id"] = self._admitted(scope)
            except FORESEEN as error:
                await problem_of(error).answer()(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _admitted(self, scope: Scope) -> str | None:
        """The key's id, None where no key is needed; a Problem for whoever is not let in."""
        key_id = _key_id(self.state.entrance.keyring, scope)
        _keep_pace(self.state.entrance.pace, key_id or scope["client"][0])
        return key_id


def needed_scope(path: str) -> str:
    """The scope that a path needs, ANY or admin; a path counts as below another at a slash only."""
    first = "/" + "/".join(path.split("/")[1:3])
    above = first.rpartition("/")[0]
    return NEEDED.get(first, NEEDED.get(above, "admin") if above != "/" else "admin")


def _key_id(keyring: Keyring | None, scope: Scope) -> str | None:
    if scope["path"].startswith(SIGNED):
        return None
    headers = Headers(scope=scope)
    if keyring is None or keyring.is_empty:
        _refuse_strangers(scope, headers)
        return None
    kind, _, text = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise _unknown("send an API key: Authorization: Bearer fsk_...", "Bearer")
    key = keyring.recognised(text.strip())
    if key is None:
        raise _unknown("the API key is not known here, or revoked", 'Bearer error="invalid_token"')
    needed = needed_scope(scope["path"])
    if needed != ANY and not key.may(needed):
        raise Problem(
            MISSING_SCOPE, f"{scope['path']} needs a key with the scope {needed}; this one has {', '.join(key.scopes)}"
        )
    return key.key_id


def _unknown(detail: str, challenge: str) -> Problem:
    return Problem(NO_KEY, detail, headers={"www-authenticate": challenge})


def _refuse_strangers(scope: Scope, headers: Headers) -> None:
    """A Problem unless the caller is a program on this machine, not a proxy on it, nor a web page open in its browser."""
    addresses = (f"//{headers.get('host', '')}", headers.get("origin", "//localhost"))
    # What asks by the HTTP of before 1997 is a proxy with its defaults.
    is_here = scope["client"] is not None and _is_loopback(scope["client"][0])
    is_here = is_here and scope["http_version"] != "1.0"
    if not is_here or not all(map(_names_this_machine, addresses)) or any(name in headers for name in _FORWARDED):
        raise Problem(
            LOCAL_ONLY, f"there is no API key yet, and without one only this machine is answered; {_CREATE} makes one"
        )


# The same few addresses come with every request, and reading one takes longer than all else here.
@lru_cache(maxsize=256)
def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


@lru_cache(maxsize=256)
def _names_this_machine(address: str) -> bool:
    try:
        return urlsplit(address).hostname in {"localhost", "127.0.0.1", "::1"}
    except ValueError:
        return False


def _keep_pace(pace: Pace | None, caller: str) -> None:
    wait = pace.wait_seconds(caller) if pace else 0.0
    if wait > 0:
        asked = f"at most {pace.per_second:g} requests a second, and {pace.burst} at once, are answered" if pace else ""
        raise Problem(TOO_MANY_REQUESTS, asked, headers={"retry-after": str(math.ceil(wait))})
