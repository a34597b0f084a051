"""The dispatcher: it sweeps deadlines and delivers the outbox."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, show


def dispatch(
    folder: ProjectOption = HERE,
    once: Annotated[
        bool, typer.Option("--once", help="Sweep and deliver once what is due now, show the result, and end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Sweep deadlines twice a second, and deliver the outbox to webhooks and people.

    Runs until it is stopped (SIGTERM or Ctrl-C), and then finishes what is under way. `foresail serve` does the same in the
    process of the service; run this command where deliveries should go on without the service, or from another machine.
    On PostgreSQL any number of dispatchers may run beside each other and the service: each message belongs to one at a time.

    A message is tried ten times over days; then it is dead: `foresail outbox list --state dead` shows the reason, `foresail
    outbox replay --dead` sends it again. A killed dispatcher loses nothing; the messages under way go out again under the
    same id. Secrets are read from the environment when the dispatcher first needs them: set the variables that
    [channels] names as ${NAME} where the dispatcher runs, and restart it when they change.

    Each attempt is a line of JSON on standard error, with ids and problems, and without accounts or people.
    """
    import os

    from features.timestamps import now
    from foresail.cli.rendering.outbox import dispatch_round
    from foresail.operations import serving
    from serving.interventions.deliver import dispatch
    from serving.interventions.run import deadlines

    project = load_project(folder)
    if not once:
        serving.run_dispatcher(project, now)
        return
    engine = project.engine()
    swept = deadlines.sweep(engine, project.interventions, now())
    show(dispatch_round(swept, dispatch.dispatch_once(engine, project.interventions, os.environ, now)), as_json)


COMMANDS = {"Act": (dispatch,)}
