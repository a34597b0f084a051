"""API keys of the HTTP service: made, revoked, listed and recognised. What is secret in a key is never stored.

A key is `fsk_<key id>_<secret>`: the id is public and names the key, the secret has 256 bits of chance. Because of
those, one SHA-256 keeps it: there is nothing to guess that a slow hash would have to protect.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from features.errors import ExitCode, ForesailError
from serving.database.audit_log import Act, append
from serving.database.engine import reading, writing
from serving.database.tables import api_keys

PREFIX = "fsk"
SCOPES = {
    "score": "ask for scores, accounts and models",
    "events": "post events",
    "interventions": "list, claim, hand over and end interventions",
    "admin": "everything, and the metrics",
}
"""What a key may be good for, and what that means."""
ACTOR = "foresail keys"


class KeyRefused(ForesailError, ValueError):
    """A key cannot be made or revoked as asked; the message says why and what to do."""

    exit_code = ExitCode.USAGE


class KeyNeeded(ForesailError):
    """The service must not be started like this as long as there is no key."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True)
class Key:
    """A key as the database knows it."""

    key_id: str
    name: str
    hash: str
    """SHA-256 of the secret, hex."""
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None

    def may(self, scope: str) -> bool:
        """Whether the key is good for a scope; admin is good for every one."""
        return scope in self.scopes or "admin" in self.scopes

    def fits(self, secret: str) -> bool:
        """Whether this is the key's secret; takes equally long however wrong it is."""
        return hmac.compare_digest(self.hash, _hash(secret))


def create(engine: sa.Engine, name: str, scopes: Sequence[str], at: datetime) -> tuple[Key, str]:
    """A new key and its text, which is shown once and cannot be had again. KeyRefused for a scope there is none of."""
    if not name.strip():
        raise KeyRefused("a key needs a name, so that people know later whose it is")
    _check(scopes)
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = Key(key_id, name, _hash(secret), tuple(dict.fromkeys(scopes)), at, None)
    with writing(engine) as connection:
        connection.execute(sa.insert(api_keys).values({**vars(key), "scopes": " ".join(key.scopes)}))
        append(connection, [Act(at, ACTOR, "key_created", key_id, {"name": name, "scopes": list(key.scopes)})])
    return key, f"{PREFIX}_{key_id}_{secret}"


def revoke(engine: sa.Engine, key_id: str, at: datetime) -> Key:
    """The key, good for nothing from now on. KeyRefused if there is none, or it was revoked before."""
    with writing(engine) as connection:
        key = next(iter(_found(connection, sa.select(api_keys).where(api_keys.c.key_id == key_id))), None)
        if key is None:
            raise KeyRefused(f"there is no key '{key_id}'; `foresail keys list` shows them")
        if key.revoked_at is not None:
            raise KeyRefused(f"key '{key_id}' ({key.name}) was revoked {key.revoked_at.isoformat()} already")
        connection.execute(sa.update(api_keys).where(api_keys.c.key_id == key_id).values(revoked_at=at))
        append(connection, [Act(at, ACTOR, "key_revoked", key_id, {"name": key.name})])
    return Key(**{**vars(key), "revoked_at": at})


def listed(engine: sa.Engine) -> list[Key]:
    """Every key there ever was, the oldest first; revoked ones too."""
    with reading(engine) as connection:
        return _found(connection, sa.select(api_keys).order_by(api_keys.c.created_at, api_keys.c.key_id))


def recognised(keys: Mapping[str, Key], text: str) -> Key | None:
    """The good key that this text is, among keys by their id; None for any other text, and for a revoked key."""
    prefix, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    key = keys.get(key_id)
    is_good = key is not None and prefix == PREFIX and key.revoked_at is None and key.fits(secret)
    return key if is_good else None


def _check(scopes: Sequence[str]) -> None:
    if not scopes:
        raise KeyRefused(f"a key needs a scope: {', '.join(SCOPES)}")
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown:
        raise KeyRefused(f"there is no scope '{unknown[0]}'; there are {', '.join(SCOPES)}")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _found(connection: sa.Connection, query: sa.Select[Any]) -> list[Key]:
    rows = connection.execute(query).mappings()
    return [Key(**{**row, "scopes": tuple(row["scopes"].split())}) for row in rows]
