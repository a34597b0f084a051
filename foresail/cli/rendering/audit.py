"""The audit log on the terminal."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from foresail.cli.rendering.answers import Shown, grid, minute

if TYPE_CHECKING:
    from serving.database.audit_log import Verified


def verification(verified: "Verified") -> Shown:
    """Whether the log is whole, and its head to write down."""
    return Shown([_verdict(verified)], {**asdict(verified), "is_whole": verified.is_whole})


def _verdict(verified: "Verified") -> str:
    if verified.broken_at is not None:
        return f"altered: the act at position {verified.broken_at} does not follow from those before; {verified.acts} acts before it do"
    if verified.is_head_missing:
        return (
            f"cut off: all {verified.acts} acts follow from each other, but the head that was given is not among them"
        )
    return f"whole: {verified.acts} acts; write down its head, for --head the next time: {verified.head}"


def acts(rows: Sequence[Any], timezone: str) -> Shown:
    """One line an act."""
    table = grid("when", "who", "did", "to", "detail")
    for row in rows:
        table.add_row(minute(row.at, timezone), row.actor, row.action, row.subject, row.detail or "")
    parts = [table] if rows else ["no act yet"]
    return Shown(parts, [dict(row._mapping) for row in rows])  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
