"""The command that a scheduler calls."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, moment, opened, say

SOURCE_FAILED = 8


def nightly(
    project: ProjectOption = HERE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The moment to speak for: a date or an ISO timestamp; default: the beginning of today.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat a night from its beginning, complete or not.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score every account, decide where it stands, and put it all where the service and reports read it.

    Reads every source, folds posted events into the history, computes features and scores bucket by bucket, decides
    standings, explains the scores that matter, loads the operational database and publishes tables. Interrupted at any
    point, the same command goes on where it stopped and ends the same; a complete night is left alone.

    Exit code 8 if all was done but a source failed: the others were read, and scores say how old their data is. Exit
    code 9 if another night is running: nothing was done.
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    speaks_for = operations.beginning_of_today(found, now()) if as_of is None else moment(found, as_of)
    with rendering.progress() as bars:
        result = operations.nightly(found, speaks_for, now, again=again, progress=bars)
    say(rendering.nightly(result, found.timezone), as_json)
    if result.failures and not result.was_complete:
        raise typer.Exit(SOURCE_FAILED)
