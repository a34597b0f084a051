"""The command that decides what to do for whom."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, moment, opened, say


def decide(
    project: ProjectOption = HERE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="When it is decided: a date or an ISO timestamp; default: the moment of the last night.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, begin nothing and tell nobody.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What to do for whom, by whom and until when: the most value within what the team can do this week.

    Rests on the scores of the last night, which decides by itself: this command decides again, between nights, with what
    the week has left. What was decided before stays; of every playbook some accounts are kept as control by lot
    (docs/decide.md).
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    at = None if as_of is None else moment(found, as_of)
    with rendering.progress() as bars:
        planned = operations.decide(found, now, at=at, dry_run=dry_run, progress=bars)
    say(rendering.plan(planned, found.interventions, found.currency, found.timezone), as_json)
