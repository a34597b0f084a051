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


def health(found: "HealthRecord", picture: Path | None = None) -> Shown:
    """How many of the healthy left, how many of each tenth by health, and what tells best who leaves."""
    parts: list[RenderableType] = [
        f"as of {found.as_of:%Y-%m-%d}, {found.definition}",
        f"of all: {_left(found.everybody)}",
        f"of the healthy (from {found.healthy_from:g} on): {_left(found.healthy)}",
        f"of those below {found.reinforce_below:g}: {_left(found.weak)}",
        _groups(found),
        _separations(found),
        f"health less risk score: {_estimate(found.difference)}",
    ]
    parts += [Text(f"note: {note}", style="yellow") for note in found.notes]
    if picture:
        parts.append(f"wrote {picture}")
    return Shown(parts, without_nan(found.to_json()))


def _groups(found: "HealthRecord") -> Table:
    table = grid("health", "accounts", "left", "rate", "95 % interval", numbers=(0, 1, 2, 3, 4))
    for group in found.groups:
        one = group.left
        table.add_row(
            f"{group.lowest:.0f} to {group.highest:.0f}", f"{one.accounts:,}", f"{one.left:,}",
            f"{one.rate:.1%}", f"{one.low:.1%} to {one.high:.1%}",
        )  # fmt: skip
    return table


def _separations(found: "HealthRecord") -> Table:
    table = grid("AUROC of", "", numbers=(1,))
    for name, estimate in found.auroc.items():
        table.add_row(name, _estimate(estimate))
    return table


def _left(one: "Left") -> str:
    if not one.accounts:
        return "nobody"
    return f"{one.left:,} of {one.accounts:,} left, {one.rate:.1%} ({one.low:.1%} to {one.high:.1%})"


def _estimate(one: "Estimate") -> str:
    if math.isnan(one.value):
        return "–"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
