"""Beginning: an empty project, one that is full of data, and a company to try things on."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import JsonOption, say


def init(
    directory: Annotated[Path, typer.Argument(help="The folder to make a project of; made if it is not there.")],
) -> None:
    """Begin a project: write a foresail.toml whose comments explain every setting."""
    from foresail.cli.rendering import console
    from foresail.config.project import initialise

    path = initialise(directory)
    console().print(f"wrote {path}\nnext: describe your sources in it, then  foresail ingest --project {directory}")


class Company(StrEnum):
    """Whose story a demo tells."""

    REAL = "real"
    SIMULATED = "simulated"


def demo(
    directory: Annotated[
        Path | None,
        typer.Argument(
            help="Where to put the demo's project.", show_default="foresail-demo, or foresail-demo-simulated"
        ),
    ] = None,
    company: Annotated[
        Company, typer.Option(help="A real year of shopping, or a simulated company whose truth is opened at the end.")
    ] = Company.REAL,
) -> None:
    """The whole way, each step shown as the command that does it: what happened, who will stop, and why we think so.

    real: 2,469 households' shopping of a year. simulated: 3,000 accounts of a maker of equipment and software, with orders,
    contracts, cases, meetings, surveys and machines; because it is simulated, every true probability is known, and the
    model is held against it.
    """
    from foresail.demo import demo
    from foresail.demo import simulated as simulated_demo

    if company is Company.REAL:
        demo.run(directory or Path("foresail-demo"))
    else:
        simulated_demo.run(directory or Path("foresail-demo-simulated"))


def simulate(
    directory: Annotated[
        Path | None, typer.Argument(help="A new folder for the company: its exports and its foresail.toml.")
    ] = None,
    accounts: Annotated[int | None, typer.Option(min=1, help="Accounts; short for --set company.accounts=N.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed; short for --set company.seed=N.")] = None,
    settings: Annotated[
        Path | None,
        typer.Option(
            help="A TOML file of settings, section by section; what it leaves out is as usual.",
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as signal=0; may be repeated."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="A new folder for the truth.", show_default="DIRECTORY-truth")
    ] = None,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="List every setting instead, and what it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a company whose every probability and every effect is known.

    Writes what its systems would export (CSV, Parquet, an SQL database), a foresail.toml that maps them, and apart from
    that the truth: for each account the true probability of what comes next, what each playbook would change, and the
    best that could be done. The same settings give the same company, to the last bit. docs/simulation.md explains it.

    foresail simulate my-company --accounts 300 --seed 7 --set signal=0.5
    """
    from foresail import operations
    from foresail.cli import rendering

    if parameters:
        say(rendering.parameters(), as_json)
        return
    if directory is None:
        raise typer.BadParameter("name a new folder for the company", param_hint="DIRECTORY")
    shorts = {"company.accounts": accounts, "company.seed": seed}
    given = [f"{key}={value}" for key, value in shorts.items() if value is not None]
    wanted = operations.simulation_settings(settings, [*(changes or ()), *given])
    apart = truth or operations.truth_beside(directory)
    with rendering.progress() as bars:
        written = operations.simulate(wanted, directory, apart, bars)
    say(rendering.simulated(written, wanted), as_json)
