"""Health beside what happened, on the terminal."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, grid, without_nan

if TYPE_CHECKING:
    from training.evaluation.comparison import Estimate
    from training.evaluation.health import HealthRecord, Left


def health(record: "HealthRecord", picture: Path | None = None) -> Shown:
    """How many of the healthy left, how many of each tenth by health, and what tells best who leaves."""
    parts: list[RenderableType] = [
        f"as of {record.as_of:%Y-%m-%d}, {record.definition}",
        f"of all: {_left(record.everybody)}",
        f"of the healthy (from {record.healthy_from:g} on): {_left(record.healthy)}",
        f"of those below {record.reinforce_below:g}: {_left(record.weak)}",
        _groups(record),
        _separations(record),
        f"health less risk score: {_estimate(record.difference)}",
    ]
    parts += [Text(f"note: {note}", style="yellow") for note in record.notes]
    if picture:
        parts.append(f"wrote {picture}")
    return Shown(parts, without_nan(record.to_json()))


def _groups(record: "HealthRecord") -> Table:
    table = grid("health", "accounts", "left", "rate", "95 % interval", numbers=(0, 1, 2, 3, 4))
    for group in record.groups:
        left = group.left
        table.add_row(
            f"{group.lowest:.0f} to {group.highest:.0f}", f"{left.accounts:,}", f"{left.left:,}",
            f"{left.rate:.1%}", f"{left.low:.1%} to {left.high:.1%}",
        )  # fmt: skip
    return table


def _separations(record: "HealthRecord") -> Table:
    table = grid("AUROC of", "", numbers=(1,))
    for name, estimate in record.auroc.items():
        table.add_row(name, _estimate(estimate))
    return table


def _left(group: "Left") -> str:
    if not group.accounts:
        return "nobody"
    return f"{group.left:,} of {group.accounts:,} left, {group.rate:.1%} ({group.low:.1%} to {group.high:.1%})"


def _estimate(estimate: "Estimate") -> str:
    if math.isnan(estimate.value):
        return "–"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"
