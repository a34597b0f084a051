"""What interventions did."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, AsOfOption, JsonOption, ProjectOption, SeedOption, moment, opened, say


def effects(
    playbook: Annotated[str | None, typer.Argument(help="A playbook; default: every one with assignments.")] = None,
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Register what was found, so that decisions rest on it from now on.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What each playbook did, measured against its control group: accounts, money, cost, and how sure that is.

    Accounts count as they were assigned by lot, whether or not anything was done (intention to treat), by their first
    assignment, when its horizon has closed by --as-of. Without a control group nothing is claimed. Every figure has two
    intervals: look at the one for any number of looks unless the day of your one look was set beforehand.

    foresail effects     foresail effects win_back --json     foresail effects --learn
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    with rendering.progress() as bars:
        report = operations.effects(
            found, moment(found, as_of), playbook=playbook, learn=learn, seed=seed, progress=bars
        )
    say(rendering.effects(report, found.currency, found.timezone), as_json)
