"""The measured effect of interventions."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, AsOfOption, JsonOption, ProjectOption, SeedOption, load_project, moment, show


def effects(
    playbook: Annotated[str | None, typer.Argument(help="A playbook; default: every one with assignments.")] = None,
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    learn: Annotated[
        bool, typer.Option("--learn", help="Register the effects, so that decisions use them from now on.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """The effect of each playbook, measured against its control group: accounts, money, cost, and the uncertainty.

    Accounts count as they were randomised, acted on or not (intention to treat), by their first assignment, when its
    horizon has closed by --as-of. Without a control group nothing is claimed. Every figure has two intervals: use the one
    for any number of looks, unless the day of your single look was set before the experiment.

    foresail effects     foresail effects win_back --json     foresail effects --learn
    """
    from foresail.cli.rendering import effects as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations import effect_report

    project = load_project(folder)
    with progress() as bars:
        report = effect_report.effects(
            project, moment(project, as_of), playbook=playbook, learn=learn, seed=seed, progress=bars
        )
    show(rendering.effects(report, project.currency, project.timezone), as_json)


COMMANDS = {"Act": (effects,)}
