"""What all commands share: how they are told where and when, and how they answer."""

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


def opened(directory: Path) -> "Project":
    """The project in a folder."""
    from foresail.config.project import load

    return load(directory)


def moment(project: "Project", text: str | None) -> datetime:
    """The moment that a person named, or the present one."""
    from features.timestamps import now, read_moment

    if text is None:
        return now()
    try:
        return read_moment(text, project.timezone)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def table_path(out: Path | None, otherwise: str = "") -> Path:
    """A path that a table can be written to; a usage error that says what to do `otherwise` for any other."""
    from foresail.operations import TABLE_FORMATS

    if out is None or out.suffix not in TABLE_FORMATS:
        raise typer.BadParameter(f"name a file that ends in .parquet or .csv{otherwise}", param_hint="--out")
    return out


def picture_path(out: Path | None) -> Path | None:
    """A path that a picture can be written to; a usage error for any other."""
    if out is not None and out.suffix not in PICTURES:
        raise typer.BadParameter(f"{out} should end in {', '.join(PICTURES)}", param_hint="--out")
    return out


def confirmed(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone; a usage error where nobody is there to answer."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{question} Say so with --yes", param_hint="--yes")
    typer.confirm(question, abort=True, err=True)


def say(shown: Any, as_json: bool) -> None:
    """Print an answer of `foresail.cli.rendering`: its facts as JSON, or its rendering for people."""
    from foresail.cli.rendering import console

    if as_json:
        typer.echo(json.dumps(shown.facts, default=_as_json, ensure_ascii=False, allow_nan=False))
        return
    screen = console()
    for part in shown.parts:
        screen.print(part)


def _as_json(value: Any) -> str:
    """Moments as ISO 8601 writes them, with a T: not every reader takes them with a blank."""
    return value.isoformat() if isinstance(value, date) else str(value)
