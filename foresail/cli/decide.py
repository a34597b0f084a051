"""The command that decides interventions between two nights."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, moment, show


def decide(
    folder: ProjectOption = HERE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The moment of the decision: a date or an ISO timestamp; default: the moment of the last night.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; begin nothing and send no message.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Which account gets which intervention, by whom and until when: the most value within this week's capacity.

    Uses the scores of the last night. The night decides by itself; this command decides again between two nights, with the
    capacity that is left of the week. Earlier decisions stay. A random share of the accounts of every playbook is kept as
    control (docs/decide.md).
    """
    from features.timestamps import now
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.decisions import plan
    from foresail.operations import nightly

    project = load_project(folder)
    at = None if as_of is None else moment(project, as_of)
    with progress() as bars:
        planned = nightly.decide(project, now, at=at, dry_run=dry_run, progress=bars)
    show(plan(planned, project.interventions, project.currency, project.timezone), as_json)


COMMANDS = {"Act": (decide,)}
