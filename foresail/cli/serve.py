"""The command that starts the HTTP service."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, AsOfOption, ProjectOption, load_project, moment


def serve(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Serve the champions over HTTP: POST /v1/scores and more, described at /v1/docs.

    Without --as-of, each answer is as of the moment of its request. The command first brings the operational database,
    from which the service answers, up to the history. Other machines are served (--host 0.0.0.0) only where there is an
    API key to identify callers by: `foresail keys create NAME --scope score`.
    """
    from features.timestamps import now
    from foresail.cli.rendering.answers import progress
    from foresail.operations import serving

    project = load_project(folder)
    at = None if as_of is None else moment(project, as_of)
    serving.check_startable(project, host, port)
    with progress() as bars:
        serving.bring_up_to_date(project, at or now(), bars)
    serving.serve(project, at, host, port)


COMMANDS = {"Answers": (serve,)}
