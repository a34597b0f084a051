"""The command that shows the KPIs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import HERE, PICTURES, AsOfOption, JsonOption, ProjectOption, load_project, moment, show


class Grain(StrEnum):
    """The values of `--period`."""

    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


def kpis(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    by: Annotated[
        list[str] | None,
        typer.Option(help="Divide by an attribute, too: region, industry, owner, country, segment. May be repeated."),
    ] = None,
    period: Annotated[Grain, typer.Option(help="The periods to show; a file holds all three.")] = Grain.QUARTER,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: the table as .parquet or .csv, or a picture as .png, .svg or .pdf."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """What the company earns, keeps and loses, what its accounts say, and how fast it helps, period by period.

    Of the months, quarters and years that have ended by --as-of, from what was known by then. docs/reference/published.md defines
    every figure; the night publishes the same table as `kpis`.
    """
    from foresail.cli.rendering import kpis as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations import kpis
    from foresail.operations.features import TABLE_FORMATS

    if out is not None and out.suffix not in (*TABLE_FORMATS, *PICTURES):
        raise typer.BadParameter(f"{out} should end in {', '.join((*TABLE_FORMATS, *PICTURES))}", param_hint="--out")
    project, divided_by = load_project(folder), tuple(by or ())
    with progress() as bars:
        table = kpis.kpis(project, moment(project, as_of), divided_by, progress=bars)
    if out is not None:
        kpis.write_kpis(table, out, project.currency)
    show(rendering.kpis(table, period, divided_by, project.currency, out), as_json)


COMMANDS = {"History": (kpis,)}
