"""What all commands share: the options of project, moment and form, and the printing of answers."""

import json
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from foresail.config.project import Project

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="Folder that holds foresail.toml.", show_default="this folder")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output, for machines.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="The moment to speak for: a date or an ISO timestamp; default: now."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything random; the same seed gives the same answer.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether this is meant.")]
HERE = Path()
PICTURES = (".png", ".svg", ".pdf")
"""What a picture can be written as."""


def load_project(folder: Path) -> "Project":
    """The project in a folder."""
    from foresail.config.project import load

    return load(folder)


def moment(project: "Project", text: str | None) -> datetime:
    """The moment that the text names; the present one without a text."""
    from features.timestamps import now, read_moment

    if text is None:
        return now()
    try:
        return read_moment(text, project.timezone)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def table_path(out: Path | None, otherwise: str = "") -> Path:
    """A path that a table can be written to; a usage error that says what to do `otherwise` for any other."""
    from foresail.operations.features import TABLE_FORMATS

    if out is None or out.suffix not in TABLE_FORMATS:
        raise typer.BadParameter(f"name a file that ends in .parquet or .csv{otherwise}", param_hint="--out")
    return out


def picture_path(out: Path | None) -> Path | None:
    """A path that a picture can be written to; a usage error for any other."""
    if out is not None and out.suffix not in PICTURES:
        raise typer.BadParameter(f"{out} should end in {', '.join(PICTURES)}", param_hint="--out")
    return out


def confirmed(question: str, yes: bool) -> None:
    """Ask before an act that cannot be undone; a usage error where standard input is no terminal."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say so with --yes", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def show(answer: Any, as_json: bool) -> None:
    """Print an answer of `foresail.cli.rendering`: its facts as JSON, or its parts for people."""
    from foresail.cli.rendering.answers import console

    if as_json:
        typer.echo(json.dumps(answer.facts, default=_as_json, ensure_ascii=False, allow_nan=False))
        return
    screen = console()
    for part in answer.parts:
        screen.print(part)


def _as_json(value: Any) -> str:
    """Moments as ISO 8601 writes them, with a T: not every reader takes them with a blank."""
    return value.isoformat() if isinstance(value, date) else str(value)
