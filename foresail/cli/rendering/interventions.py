"""Interventions on the terminal."""

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from foresail.cli.rendering.answers import Shown, day, grid

NOBODY, NEVER = "anybody", "–"


def interventions(rows: Sequence[Any], has_others: bool, currency: str, timezone: str) -> Shown:
    """One line an intervention."""
    facts = [dict(row._mapping) for row in rows]  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
    if not rows:
        return Shown(["nothing is to be done"], facts)
    table = grid("who", "does what", "for whom", "state", "all done by", f"brings, {currency}", "why", numbers=[5])
    for row in rows:
        brings = NEVER if row.expected is None else f"{row.expected:,.0f}"
        due = NEVER if row.due_at is None else day(row.due_at, timezone)
        who = f"{row.owner or NOBODY}\n{row.role}"
        state = f"{row.status}\n{row.outcome}" if row.outcome else row.status
        table.add_row(who, f"{row.playbook}\n{row.intervention_id}", row.account_id, state, due, brings, row.reason)
    more = [Text("and more: ask for more with --limit", style="dim")] if has_others else []
    return Shown([table, *more], facts)
