"""Commands that begin a project: an empty one, the demo, and a simulated company."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import JsonOption, show


def init(
    directory: Annotated[Path, typer.Argument(help="The project folder; made if it does not exist.")],
) -> None:
    """Begin a project: write a foresail.toml whose comments explain every setting."""
    from foresail.cli.rendering.answers import console
    from foresail.config.project import initialise

    path = initialise(directory)
    console().print(f"wrote {path}\nnext: describe your sources in it, then  foresail ingest --project {directory}")


class Company(StrEnum):
    """The company of a demo."""

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
        Company, typer.Option(help="A real year of shopping, or a simulated company with a truth report at the end.")
    ] = Company.REAL,
) -> None:
    """The whole way on one company, each step shown as the command that does it: from its history to scores with reasons.

    real: 2,469 households' shopping of a year. simulated: 3,000 accounts of a maker of equipment and software, with orders,
    contracts, cases, meetings, surveys and machines; because it is simulated, every true probability is known, and the
    model is compared with it.
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
            help="A TOML file of settings, section by section; a setting that it leaves out has its default.",
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
        bool, typer.Option("--parameters", help="List every setting instead, with its meaning.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Simulate a company whose every probability and every effect is known.

    Writes what its systems would export (CSV, Parquet, an SQL database), a foresail.toml that maps them, and in another
    folder the truth: for each account the true probability of each outcome, the true effect of each playbook, and the
    best possible allocation. The same settings give the same company, to the last bit. docs/explanation/simulation.md explains it.

    foresail simulate my-company --accounts 300 --seed 7 --set signal=0.5
    """
    from foresail.cli.rendering import simulation as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations.simulation import simulation_settings, truth_beside
    from foresail.simulation.company import write_company

    if parameters:
        show(rendering.parameters(), as_json)
        return
    if directory is None:
        raise typer.BadParameter("name a new folder for the company", param_hint="DIRECTORY")
    short_options = {"company.accounts": accounts, "company.seed": seed}
    pairs = [f"{key}={value}" for key, value in short_options.items() if value is not None]
    company = simulation_settings(settings, [*(changes or ()), *pairs])
    with progress() as bars:
        written = write_company(company, directory, truth or truth_beside(directory), bars)
    show(rendering.simulation(written, company), as_json)


COMMANDS = {"Begin": (init, demo, simulate)}
