"""The command that a scheduler calls."""

from typing import Annotated

import typer

from features.errors import ExitCode
from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, moment, show


def nightly(
    folder: ProjectOption = HERE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The moment of the scores: a date or an ISO timestamp; default: the beginning of today.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Repeat a night from its beginning, complete or not.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Score every account, assign its segments, and write the results where the service and reports read them.

    Reads every source, folds posted events into the history, computes features and scores bucket by bucket, assigns
    segments, explains the scores that matter, loads the operational database and publishes tables. After an interruption
    at any point the same command goes on where it stopped, with the same result; a complete night is left alone.

    Exit code 8 if the night is done but a source failed: the others were read, and scores show how old their data is. Exit
    code 9 if another night is running: nothing was done.
    """
    from features.timestamps import now
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.nightly import night
    from foresail.operations.nightly import beginning_of_today, nightly

    project = load_project(folder)
    at = beginning_of_today(project, now()) if as_of is None else moment(project, as_of)
    with progress() as bars:
        result = nightly(project, at, now, again=again, progress=bars)
    show(night(result, project.timezone), as_json)
    if result.failures and not result.was_complete:
        raise typer.Exit(ExitCode.SOURCE_FAILED)


COMMANDS = {"Answers": (nightly,)}
