"""Features on the terminal: the catalog, tables, audits and concentration."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown, grid, without_nan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from features.definitions import Feature
    from features.kpis.concentration import Concentration
    from features.leakage_audit.audit import AuditReport
    from foresail.operations.features import TrainingTable


def catalog(features: "Iterable[Feature] | None" = None) -> Shown:
    """The declared features: Foresail's own, or those of a project."""
    from features.catalog import CATALOG

    declared = tuple(CATALOG if features is None else features)
    shown = grid("feature", "unit", "meaning", "absent")
    for feature in declared:
        shown.add_row(feature.name, feature.unit, feature.meaning, feature.absent)
    facts = [
        {"name": feature.name, "unit": feature.unit, "meaning": feature.meaning, "absent": feature.absent}
        for feature in declared
    ]
    return Shown([shown, f"{len(facts)} features"], facts)


def training_table(table: "TrainingTable", path: Path) -> Shown:
    """The table of an earlier training, and whether it is the same one."""
    size = f"{len(table.table):,} rows, {table.table.shape[1]:,} columns"
    versions = ", ".join(f"{stream} {version}" for stream, version in table.versions.items())
    verdict = (
        "equal to the last bit to the table that the model was trained on"
        if table.is_same
        else "the model was registered before digests were kept: that the table is the same cannot be proved"
    )
    parts: list[RenderableType] = [
        f"wrote {path}: {size}, from the history versions {versions}",
        Text(verdict, style="green" if table.is_same else "yellow"),
    ]
    facts = {
        "path": str(path), "rows": len(table.table), "columns": table.table.shape[1],
        "version": table.version, "data_versions": dict(table.versions), "is_same": table.is_same,
    }  # fmt: skip
    return Shown(parts, facts)


def leakage_audit(report: "AuditReport") -> Shown:
    """Which features noticed a probe in the future, and of which nothing could be proved."""
    probes = ", ".join(f"{name} {rows:,}" for name, rows in report.probes.items())
    parts: list[RenderableType] = [f"{len(report.features)} features of {report.accounts:,} accounts; probes: {probes}"]
    if report.moved:
        moved = grid("feature", "moved by", "accounts", "one of them", "before", "after", numbers=(2,))
        for one in report.moved:
            moved.add_row(one.feature, one.probe, f"{one.accounts:,}", one.account_id, str(one.before), str(one.after))
        parts.append(moved)
    parts += [
        Text(f"{name} does not see what is known at the very moment it speaks for", style="yellow")
        for name in report.blind
    ]
    if report.unexercised:
        parts.append(
            Text(f"nothing is proved of {', '.join(report.unexercised)}: no probe could move them here", style="yellow")
        )
    verdict = "0 features moved" if report.passed else f"{len(report.leaking)} features see the future"
    parts.append(Text(verdict, style="bold green" if report.passed else "bold red"))
    return Shown(parts, without_nan(report.to_json()))


def concentration(report: "Concentration", currency: str, picture: Path | None = None) -> Shown:
    """Which share of the accounts brings which share of the revenue, and who they are."""
    shares = grid("the largest", "accounts", f"net revenue ({currency})", "share", numbers=(0, 1, 2, 3))
    for top in report.top:
        shares.add_row(f"{top.percent} %", f"{top.accounts:,}", f"{top.revenue:,.0f}", _percent(top.share))
    largest = grid("account", "name", f"net revenue ({currency})", "share", "together", numbers=(2, 3, 4))
    for account in report.largest:
        shared = _percent(account.share), _percent(account.cumulative)
        largest.add_row(account.account_id, account.name or "–", f"{account.revenue:,.0f}", *shared)
    bought_nothing = f"{report.without_purchases:,} of the accounts bought nothing"
    parts: list[RenderableType] = [
        f"{report.accounts:,} accounts brought {report.revenue:,.0f} {currency} in {report.days} days"
    ]
    if report.lorenz:
        parts += [shares, bought_nothing, _most(report), largest]
    if picture:
        parts.append(f"wrote {picture}")
    return Shown(parts, without_nan(report.to_json()))


def _most(report: "Concentration") -> str:
    return f"{report.bring_most:,} accounts ({_percent(report.bring_most_share)}) bring 80 %; Gini {report.gini:.2f}"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) else f"{share:.1%}"
