"""Pictures that commands write."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.history.store import HistoryError
from features.kpis.concentration import MOST, Concentration
from features.kpis.definitions import KPIS, Kpi
from training.evaluation.health import HEALTH, RISK, HealthRecord
from training.reports.plots import BASELINE, LINE, MODEL, PAPER, QUIET, STYLE


def concentration(found: Concentration, path: Path) -> None:
    """The share of revenue that the largest accounts bring, as PNG, SVG or PDF by the path's suffix.

    HistoryError where there is no revenue to share out.
    """
    if not found.lorenz:
        raise HistoryError(
            f"no revenue in the {found.days} days up to {found.as_of:%Y-%m-%d}: there is nothing to draw"
        )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.subplots()
        _curve(axes, found)
        _most(axes, found)
        axes.set(xlabel=f"share of {found.accounts:,} accounts, largest first", ylabel="share of revenue", xlim=(0, 1))
        axes.set_title(_heading(found), loc="left", fontsize=10)
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.grid(color=LINE, lw=0.7)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, loc="lower right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, facecolor="white")


def health(found: HealthRecord, path: Path) -> None:
    """The share that left of each tenth of the accounts by health, as PNG, SVG or PDF by the path's suffix."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.subplots()
        _tenths(axes, found)
        axes.axhline(found.everybody.rate, color=QUIET, lw=1, ls=(0, (2, 3)), label=f"all: {found.everybody.rate:.1%}")
        axes.set(xlabel="health, from the least to the most healthy tenth", ylabel="left", ylim=(0, None))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        axes.set_title(_told_apart(found), loc="left", fontsize=10)
        axes.grid(color=LINE, lw=0.7, axis="y")
        axes.set_axisbelow(True)
        axes.legend(frameon=False, loc="upper right")
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, facecolor="white")


def _tenths(axes: Axes, found: HealthRecord) -> None:
    rates = [group.left.rate for group in found.groups]
    spread = np.array([[one.left.rate - one.left.low, one.left.high - one.left.rate] for one in found.groups]).T
    names = [f"{one.lowest:.0f}-{one.highest:.0f}" for one in found.groups]
    axes.bar(names, rates, color=MODEL, alpha=0.8, yerr=spread, ecolor=BASELINE, capsize=3)


def _told_apart(found: HealthRecord) -> str:
    own, risk = found.auroc[HEALTH], found.auroc[RISK]
    return (
        f"{found.everybody.accounts:,} accounts as of {found.as_of:%Y-%m-%d}, {found.target} by {found.known_by:%Y-%m-%d}\n"
        f"AUROC of health {own.value:.3f}, of the risk score {risk.value:.3f}"
    )


def _curve(axes: Axes, found: Concentration) -> None:
    accounts, revenue = (1 - np.array(found.lorenz)[::-1]).T
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="all accounts alike")
    axes.plot(accounts, revenue, color=MODEL, lw=2.2, label=f"these accounts (Gini {found.gini:.2f})")
    axes.fill_between(accounts, accounts, revenue, color=MODEL, alpha=0.08, lw=0)


def _most(axes: Axes, found: Concentration) -> None:
    """The fewest accounts that bring most of the revenue."""
    where = found.bring_most_share
    said = f"{found.bring_most:,} accounts ({where:.1%})\nbring {MOST:.0%} of the revenue"
    axes.plot([where, where, 0], [0, MOST, MOST], color=BASELINE, lw=1)
    axes.plot([where], [MOST], "o", color=BASELINE, ms=6)
    left = where > 0.6
    axes.annotate(
        said,
        (where, MOST),
        (-12 if left else 12, -6),
        textcoords="offset points",
        va="top",
        ha="right" if left else "left",
        bbox=PAPER,
    )


def _heading(found: Concentration) -> str:
    silent = (
        f"{found.without_purchases:,} accounts without a purchase"
        if found.without_purchases
        else "every account bought"
    )
    return f"Revenue of the {found.days} days up to {found.as_of:%Y-%m-%d}, returns taken off\n{silent}"


DRAWN = (
    "revenue", "active_accounts", "churn_rate", "churned_value", "net_revenue_retention", "lifetime_value",
    "cross_sell_revenue", "nps", "csat", "resolution_hours_median", "contract_value", "contract_net_retention",
)  # fmt: skip
"""The KPIs that a picture shows, those of them that the company has."""
ACROSS = 3


def kpis(found: pd.DataFrame, path: Path, currency: str) -> None:
    """The company's KPIs month by month, a small picture each, as PNG, SVG or PDF by the path's suffix."""
    own = found[(found["dimension"] == "all") & (found["period"] == "month")]
    there = [KPIS[name] for name in DRAWN if own.loc[own["kpi"] == name, "value"].notna().any()]
    rows = -(-len(there) // ACROSS)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.4 * ACROSS, 1.9 * rows), layout="constrained")
        for kpi, axes in zip(there, figure.subplots(rows, ACROSS, squeeze=False).flat, strict=False):
            _months(axes, kpi, own[own["kpi"] == kpi.name].sort_values("period_start"), currency)
        for axes in figure.axes[len(there) :]:
            axes.set_visible(False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, facecolor="white")


def _months(axes: Axes, kpi: Kpi, own: pd.DataFrame, currency: str) -> None:
    months = [f"{start:%Y-%m}" for start in own["period_start"]]
    axes.plot(range(len(months)), own["value"], color=MODEL, lw=1.8)
    axes.set_xticks(*zip(*list(enumerate(months))[:: max(len(months) // 3, 1)], strict=True))
    unit = {"currency": f", {currency}", "hours": ", hours"}.get(kpi.unit, "")
    axes.set_title(f"{kpi.title}{unit}", loc="left", fontsize=9)
    axes.grid(color=LINE, lw=0.7)
    axes.yaxis.set_major_formatter("{x:.0%}" if kpi.unit == "share" else "{x:,.10g}")
    if (own["value"] >= 0).all():
        axes.set_ylim(bottom=0)
