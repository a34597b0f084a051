"""The interventions of a project's operational database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from foresail.workflow.keys import database

if TYPE_CHECKING:
    from foresail.project import Project


def interventions(
    project: "Project", asked: Mapping[str, str | None], due_before: datetime | None, *, with_closed: bool, limit: int
) -> tuple[Sequence[Any], bool]:
    """Up to `limit` of those that have all that is `asked`, the earliest due first, and whether there are others. DatabaseUnavailable."""
    from serving.database.engine import reading
    from serving.interventions.listing import page
    from serving.interventions.states import CLOSED, OPEN

    having = {name: [word] for name, word in asked.items() if word is not None}
    states = [*OPEN, *CLOSED] if with_closed else [*OPEN]
    with reading(database(project)) as connection:
        found, after = page(connection, {**having, "status": states}, due_before, limit, None)
    return found, after is not None
