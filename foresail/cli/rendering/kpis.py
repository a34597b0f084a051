"""KPIs on the terminal: the latest period beside the one before, and beside the same of other members."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from features.kpis.definitions import KPIS, Kpi
from foresail.cli.rendering.answers import Shown, from_here, grid, without_nan

if TYPE_CHECKING:
    import pandas as pd

MOST_PERIODS, MOST_MEMBERS = 4, 5
"""Columns beside the trend; the file holds all."""
STEADY = 0.005
"""A change of less than that share of the figure is no trend."""


def kpis(table: "pd.DataFrame", period: str, by: Sequence[str], currency: str, out: Path | None) -> Shown:
    """The latest periods of the company with the trend of the last, then for each division its latest period, member by member."""
    rows = table[table["period"] == period]
    parts: list[RenderableType] = [_over_time(rows[rows["dimension"] == "all"], period, currency)]
    for dimension in by:
        parts += _members(rows[rows["dimension"].isin(["all", dimension])], dimension, period, currency)
    parts.append("▲ ▼ against the period before, green for the better; – where there was nothing to measure")
    if out:
        parts.append(f"wrote {from_here(out)}")
    return Shown(parts, [without_nan(row) for row in rows.to_dict("records")])


def _over_time(table: "pd.DataFrame", period: str, currency: str) -> RenderableType:
    starts = sorted(table["period_start"].unique())[-MOST_PERIODS:]
    shown = grid("", *(_called(start, period) for start in starts), "", "n", numbers=range(1, len(starts) + 3))
    shown.title = f"{period}s"
    for kpi in _present(table):
        rows = table[table["kpi"] == kpi.name].set_index("period_start")
        values = [rows["value"].get(start, math.nan) for start in starts]
        before = values[-2] if len(values) > 1 else math.nan
        n = f"{rows['n'].get(starts[-1], 0):,}"
        shown.add_row(
            kpi.title, *(_figure(kpi, value, currency) for value in values), _trend(kpi, before, values[-1]), n
        )
    return shown


def _members(table: "pd.DataFrame", dimension: str, period: str, currency: str) -> list[RenderableType]:
    starts = sorted(table["period_start"].unique())[-2:]
    largest = table[(table["dimension"] == dimension) & (table["kpi"] == _present(table)[0].name)]
    ranked = largest[largest["period_start"] == starts[-1]].sort_values("n", ascending=False, kind="stable")["member"]
    members = ["all", *ranked[:MOST_MEMBERS]]
    shown = grid("", *members, numbers=range(1, len(members) + 1))
    shown.title = f"{dimension}, {_called(starts[-1], period)}"
    values = table.set_index(["kpi", "member", "period_start"])["value"]
    for kpi in _present(table[table["dimension"] == dimension]):
        pairs = [[values.get((kpi.name, member, start), math.nan) for start in starts] for member in members]
        shown.add_row(kpi.title, *(_with_trend(kpi, pair[0], pair[-1], currency) for pair in pairs))
    others = len(ranked) - MOST_MEMBERS
    return [shown, *([Text(f"and {others:,} more: --out holds all", style="dim")] if others > 0 else [])]


def _present(table: "pd.DataFrame") -> list[Kpi]:
    there = set(table["kpi"])
    return [kpi for name, kpi in KPIS.items() if name in there]


def _called(start: Any, period: str) -> str:
    """2026-01, 2026 Q1 or 2026."""
    return {"month": f"{start:%Y-%m}", "quarter": f"{start:%Y} Q{start.month // 3 + 1}", "year": f"{start:%Y}"}[period]


def _with_trend(kpi: Kpi, before: float, value: float, currency: str) -> Text:
    return Text.assemble(_figure(kpi, value, currency), " ", _trend(kpi, before, value))


def _figure(kpi: Kpi, value: float, currency: str) -> str:
    if math.isnan(value):
        return "–"
    if kpi.unit == "currency":
        return f"{value:,.0f} {currency}" if abs(value) >= 100 else f"{value:,.2f} {currency}"
    if kpi.unit == "share":
        return f"{value:.2f}" if kpi.name == "gini" else f"{value:.1%}"
    return f"{value:,.0f}" if kpi.unit == "accounts" else f"{value:,.1f}"


def _trend(kpi: Kpi, before: float, value: float) -> Text:
    if math.isnan(before) or math.isnan(value) or abs(value - before) <= STEADY * abs(before):
        return Text(" ")
    rises = value > before
    style = {0: "", 1: "green", -1: "red"}[kpi.better * (1 if rises else -1)]
    return Text("▲" if rises else "▼", style=style)
