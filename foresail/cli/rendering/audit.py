"""The audit log on the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from foresail.cli.rendering.answers import Shown, grid, minute

if TYPE_CHECKING:
    from serving.database.audit_log import Verified


def audit_verified(found: "Verified") -> Shown:
    """Whether the log is whole, and its head to write down."""
    return Shown([_verdict(found)], {**asdict(found), "is_whole": found.is_whole})


def _verdict(found: "Verified") -> str:
    if found.broken_at is not None:
        return f"altered: the act at position {found.broken_at} does not follow from those before; {found.acts} acts before it do"
    if found.is_head_missing:
        return f"cut off: all {found.acts} acts follow from each other, but the head that was given is not among them"
    return f"whole: {found.acts} acts; write down its head, for --head the next time: {found.head}"


def acts(found: Sequence[Any], timezone: str) -> Shown:
    """One line an act."""
    table = grid("when", "who", "did", "to", "detail")
    for row in found:
        table.add_row(minute(row.at, timezone), row.actor, row.action, row.subject, row.detail or "")
    parts = [table] if found else ["no act yet"]
    return Shown(parts, [dict(row._mapping) for row in found])  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
