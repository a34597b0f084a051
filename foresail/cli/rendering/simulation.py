"""A simulated company on the terminal: what was written, its settings, and its truth opened."""

import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, from_here, grid, without_nan

if TYPE_CHECKING:
    from foresail.simulation.company import Written
    from foresail.simulation.truth_report import TruthReport
    from foresail.simulation.world.settings import Settings


def simulation(written: "Written", settings: "Settings") -> Shown:
    """What the company's systems have exported, and where its truth is."""
    from foresail.simulation.truth.truth import days_of, moment_of

    table = grid("export", "rows", "entered late", "twice", "without account", numbers=(1, 2, 3, 4))
    table.title = f"{written.accounts:,} accounts, {settings.company.start} to {settings.end} (not included)"
    for name, rows in written.rows.items():
        counts = written.late[name], written.duplicates[name], written.without_account[name]
        table.add_row(name, f"{rows:,}", *(f"{count:,}" if count else "" for count in counts))
    moments = [f"{moment_of(settings, day):%Y-%m-%d}" for day in days_of(settings)]
    folder, truth = from_here(written.folder), from_here(written.truth)
    parts: list[RenderableType] = [
        table,
        f"{written.rows.total():,} rows in {folder}/data, mapped in {folder}/foresail.toml",
        f"the truth, as of {' and '.join(moments)}, in {truth}",
        f"next: foresail ingest --project {folder} --as-of {settings.end}, then train and",
        f"      foresail evaluate churn --project {folder} --as-of {moments[0]} --known-by {settings.end} --truth {truth}",
    ]
    facts = {
        "folder": str(written.folder), "truth": str(written.truth), "accounts": written.accounts, "moments": moments,
        "rows": dict(written.rows), "late": dict(written.late), "duplicates": dict(written.duplicates),
        "without_account": dict(written.without_account),
    }  # fmt: skip
    return Shown(parts, facts)


def parameters() -> Shown:
    """Every setting of a simulated company."""
    from foresail.simulation.world.settings import parameters

    table = grid("setting", "default", "allowed", "unit", "meaning")
    facts = [dataclasses.asdict(parameter) for parameter in parameters()]
    for row in facts:
        table.add_row(*row.values())
    return Shown([table], facts)


def truth_report(report: "TruthReport", picture: Path | None, currency: str) -> Shown:
    """A model beside the truth: how much of what could be known it knew, and what acting on it would have brought."""
    parts: list[RenderableType] = [_ranked(report), _calibrated(report)]
    if report.acted:
        parts.append(_value(report, currency))
    if picture is not None:
        parts.append(Text(f"picture: {from_here(picture)}"))
    return Shown(parts, without_nan(report.to_json()))


def _ranked(report: "TruthReport") -> Table:
    table = grid(
        "against what happened",
        *(ranking.name for ranking in report.rankings),
        numbers=range(1, 1 + len(report.rankings)),
    )
    table.title = f"the truth opened: {counted(report.accounts, 'account')}, {report.churned:,} {report.happened}"
    table.add_row("AUROC", *(f"{ranking.auroc:.3f}" for ranking in report.rankings))
    way = [report.share_of_the_way(ranking) for ranking in report.rankings]
    table.add_row(
        "of the way from guessing to the truth", *("–" if math.isnan(share) else f"{share:.0%}" for share in way)
    )
    table.add_row("log loss", *(f"{ranking.log_loss:.3f}" for ranking in report.rankings))
    who = (
        "churners among the riskiest"
        if report.happened == "churned"
        else f"of those who {report.happened}, among the likeliest"
    )
    table.add_row(f"{who} {report.top:.0%}", *(f"{ranking.captured:.0%}" for ranking in report.rankings))
    return table


def _calibrated(report: "TruthReport") -> Text:
    return Text(
        f"probabilities: on average the model said {report.mean_said:.1%}, the truth was {report.mean_true:.1%}; an account's was "
        f"off by {100 * report.mean_distance:.1f} points in the mean, and went with the truth at r = {report.correlation:.2f}"
    )


def _value(report: "TruthReport", currency: str) -> Table:
    table = grid("who is called", f"net value ({currency})", "of the best", numbers=(1, 2))
    table.title = (
        f"{report.playbook}: {counted(report.calls, 'call')}, one for every ten of the "
        f"{counted(report.could_be_called, 'active account')} in its situation"
    )
    for name, value in report.acted.items():
        table.add_row(name, f"{value:,.0f}", f"{value / report.best_acted:.0%}" if report.best_acted > 0 else "–")
    return table
