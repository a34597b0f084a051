"""API keys of a project's service."""

from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from foresail.config.project import Project
    from serving.database.keys import Key


def create_key(project: "Project", name: str, scopes: Sequence[str], at: datetime) -> "tuple[Key, str]":
    """A new key, and its text, which nobody can be shown again."""
    from serving.database import keys

    return keys.create(database(project), name, scopes, at)


def listed_keys(project: "Project") -> "list[Key]":
    """Every key there ever was, the oldest first."""
    from serving.database import keys

    return keys.listed(database(project))


def revoke_key(project: "Project", key_id: str, at: datetime) -> "Key":
    """The key, good for nothing any more."""
    from serving.database import keys

    return keys.revoke(database(project), key_id, at)


def check_reach(project: "Project", host: str) -> None:
    """KeyNeeded if a service that listens on `host` could be reached from elsewhere, and there is no key to tell callers by."""
    from serving.database.keys import KeyNeeded

    if not _is_this_machine(host) and not listed_keys(project):
        raise KeyNeeded(
            f"there is no API key yet, and others can reach {host}. Make a key first with `foresail keys create NAME "
            "--scope score`, or serve this machine alone on 127.0.0.1"
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


def database(project: "Project") -> "sa.Engine":
    """The project's database with the tables of this release: whoever asks first has not served yet."""
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade

    engine = opened(project.database)
    upgrade(engine)
    return engine
