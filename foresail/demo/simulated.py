"""`foresail demo --company simulated`: the same way on a simulated company, with a truth report at the end."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.rule import Rule

from foresail.cli.rendering import answers, simulation
from foresail.config.project import FILE_NAME, load
from foresail.demo.demo import Story, tell
from foresail.operations.simulation import simulation_settings, truth_beside
from foresail.simulation.company import write_company

if TYPE_CHECKING:
    from foresail.simulation.world.settings import Settings

ACCOUNTS = 3000


def run(directory: Path) -> None:
    """Simulate a company, ingest, train, evaluate against the truth, and score; what has been simulated already stays."""
    settings = prepare(directory)
    trained = settings.end - timedelta(days=settings.truth.horizon_days)
    story = Story(str(settings.end), str(trained), str(settings.end), "A0000007", truth_beside(directory))
    tell(story, load(directory), directory)


def prepare(directory: Path) -> "Settings":
    """Simulate the company into the folder, unless one is there; its settings."""
    settings = simulation_settings(None, [f"company.accounts={ACCOUNTS}"])
    if not (directory / FILE_NAME).exists():
        console = answers.console()
        console.print(Rule(f"foresail simulate {directory} --accounts {ACCOUNTS}", align="left", style="cyan"))
        with answers.progress() as bars:
            written = write_company(settings, directory, truth_beside(directory), bars)
        for part in simulation.simulation(written, settings).parts:
            console.print(part)
    return settings
