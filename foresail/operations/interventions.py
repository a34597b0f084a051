"""The interventions of a project's operational database."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from foresail.operations.keys import database

if TYPE_CHECKING:
    from foresail.config.project import Project


def interventions(
    project: "Project", asked: Mapping[str, str | None], due_before: datetime | None, *, with_closed: bool, limit: int
) -> tuple[Sequence[Any], bool]:
    """Up to `limit` of those that have all that is `asked`, the earliest due first, and whether there are others. DatabaseUnavailable."""
    from serving.database.engine import reading
    from serving.database.intervention_states import CLOSED, OPEN
    from serving.interventions.run.listing import interventions_page

    having = {name: [word] for name, word in asked.items() if word is not None}
    states = [*OPEN, *CLOSED] if with_closed else [*OPEN]
    with reading(database(project)) as connection:
        found, after = interventions_page(connection, {**having, "status": states}, due_before, limit, None)
    return found, after is not None
