"""The audit log of a project's operational database."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foresail.config.project import Project
    from serving.database.audit_log import Verified


def verify_audit(project: "Project", head: str | None = None) -> "Verified":
    """Whether the chain is whole, and holds the head of an earlier verification. DatabaseUnavailable."""
    from serving.database.audit_log import verify

    return verify(_database(project), head)


def acts(project: "Project", subject: str | None, last: int) -> "Sequence[Any]":
    """The newest acts, of one subject alone if it is given, the oldest of them first. DatabaseUnavailable."""
    import sqlalchemy as sa

    from serving.database.engine import reading
    from serving.database.tables import audit_log

    query = sa.select(audit_log).order_by(audit_log.c.position.desc()).limit(last)
    if subject is not None:
        query = query.where(audit_log.c.subject == subject)
    with reading(_database(project)) as connection:
        return list(connection.execute(query))[::-1]


def _database(project: "Project") -> Any:
    from serving.database.engine import opened
    from serving.database.upgrade import check_current

    engine = opened(project.database)
    check_current(engine)
    return engine
