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
    from foresail.simulation.truth_report import Opened
    from foresail.simulation.world.settings import Settings


def simulated(written: "Written", settings: "Settings") -> Shown:
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
    facts = [dataclasses.asdict(one) for one in parameters()]
    for row in facts:
        table.add_row(*row.values())
    return Shown([table], facts)


def opened(found: "Opened", picture: Path | None, currency: str) -> Shown:
    """A model beside the truth: how much of what could be known it knew, and what acting on it would have brought."""
    parts: list[RenderableType] = [_ranked(found), _calibrated(found)]
    if found.acted:
        parts.append(_acted(found, currency))
    if picture is not None:
        parts.append(Text(f"picture: {from_here(picture)}"))
    return Shown(parts, without_nan(found.to_json()))


def _ranked(found: "Opened") -> Table:
    table = grid(
        "against what happened", *(one.name for one in found.rankings), numbers=range(1, 1 + len(found.rankings))
    )
    table.title = f"the truth opened: {counted(found.accounts, 'account')}, {found.churned:,} {found.happened}"
    table.add_row("AUROC", *(f"{one.auroc:.3f}" for one in found.rankings))
    way = [found.share_of_the_way(one) for one in found.rankings]
    table.add_row(
        "of the way from guessing to the truth", *("–" if math.isnan(share) else f"{share:.0%}" for share in way)
    )
    table.add_row("log loss", *(f"{one.log_loss:.3f}" for one in found.rankings))
    who = (
        "churners among the riskiest"
        if found.happened == "churned"
        else f"of those who {found.happened}, among the likeliest"
    )
    table.add_row(f"{who} {found.top:.0%}", *(f"{one.captured:.0%}" for one in found.rankings))
    return table


def _calibrated(found: "Opened") -> Text:
    return Text(
        f"probabilities: on average the model said {found.mean_said:.1%}, the truth was {found.mean_true:.1%}; an account's was "
        f"off by {100 * found.mean_distance:.1f} points in the mean, and went with the truth at r = {found.correlation:.2f}"
    )


def _acted(found: "Opened", currency: str) -> Table:
    table = grid("who is called", f"net value ({currency})", "of the best", numbers=(1, 2))
    table.title = (
        f"{found.playbook}: {counted(found.calls, 'call')}, one for every ten of the "
        f"{counted(found.could_be_called, 'active account')} in its situation"
    )
    for name, value in found.acted.items():
        table.add_row(name, f"{value:,.0f}", f"{value / found.best_acted:.0%}" if found.best_acted > 0 else "–")
    return table
