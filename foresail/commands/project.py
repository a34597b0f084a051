"""Beginning: an empty project, and one that is full of real data."""

from pathlib import Path
from typing import Annotated

import typer


def init(
    directory: Annotated[Path, typer.Argument(help="The folder to make a project of; made if it is not there.")],
) -> None:
    """Begin a project: write a foresail.toml whose comments explain every setting."""
    from foresail.project import initialise
    from foresail.show import console

    path = initialise(directory)
    console().print(f"wrote {path}\nnext: describe your sources in it, then  foresail ingest --project {directory}")


def demo(
    directory: Annotated[Path, typer.Argument(help="Where to put the demo's project.")] = Path("foresail-demo"),
) -> None:
    """The whole way on real data: a year of 2,469 households' shopping, who will stop, and why we think so."""
    from foresail.demo import run

    run(directory)
