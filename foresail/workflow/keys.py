"""API keys of a project's service."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from foresail.project import Project
    from serving.database.keys import Key


def create_key(project: "Project", name: str, scopes: Sequence[str], at: datetime) -> "tuple[Key, str]":
    """A new key, and its text, which nobody can be shown again."""
    from serving.database import keys

    return keys.create(_database(project), name, scopes, at)


def listed_keys(project: "Project") -> "list[Key]":
    """Every key there ever was, the oldest first."""
    from serving.database import keys

    return keys.listed(_database(project))


def revoke_key(project: "Project", key_id: str, at: datetime) -> "Key":
    """The key, good for nothing any more."""
    from serving.database import keys

    return keys.revoke(_database(project), key_id, at)


def _database(project: "Project") -> "sa.Engine":
    """The project's database with today's tables: whoever makes the first key has not served yet."""
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade

    engine = opened(project.database)
    upgrade(engine)
    return engine
