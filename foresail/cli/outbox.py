"""The outbox: its messages, and the dispatcher that sweeps deadlines and delivers them."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, YesOption, confirmed, load_project, show

if TYPE_CHECKING:
    from foresail.config.project import Project

ACTOR = "foresail outbox"
"""The name of this command in the audit log."""
app = typer.Typer(name="outbox", no_args_is_help=True, help="Messages that were sent or wait: list, replay, reopen.")


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


class State(StrEnum):
    """The states of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    GONE = "gone"


@app.command("list")
def list_messages(
    folder: ProjectOption = HERE,
    state: Annotated[State | None, typer.Option(help="Only messages in this state.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only messages of this channel of [channels].")] = None,
    top: Annotated[int, typer.Option(min=0, help="How many messages to show: the newest.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """The number of messages by channel and state, and the newest messages with their problems.

    pending: to be sent, or to be tried again. delivered: accepted. dead: given up after ten attempts. gone: the receiver
    answered 410, it wants no more of this channel.
    """
    from foresail.cli.rendering.outbox import outbox
    from serving.interventions.deliver import outbox_admin

    project = load_project(folder)
    engine = project.engine()
    messages = outbox_admin.list_messages(engine, state=state and state.value, channel=channel, most=top)
    counts = outbox_admin.count_by_state(engine)
    show(outbox(counts, messages, list(project.interventions.channels), project.timezone), as_json)


@app.command()
def replay(
    message_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE_ID]...", help="Messages, as `foresail outbox list` shows them."),
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Every message that was given up.")] = False,
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Send messages again under the same ids, with all their attempts anew; the audit log records the replay."""
    from features.timestamps import now
    from foresail.cli.rendering.outbox import replayed
    from serving.interventions.deliver import outbox_admin

    if bool(message_ids) == dead:
        raise typer.BadParameter("name either messages or --dead", param_hint="MESSAGE_ID")
    engine = load_project(folder).engine()
    if message_ids:
        count = outbox_admin.replay(engine, message_ids, ACTOR, now())
    else:
        count = outbox_admin.replay_dead(engine, ACTOR, now())
    show(replayed(count), as_json)


@app.command()
def reopen(
    channel: Annotated[str, typer.Argument(help="A channel of [channels] whose receiver answered 410.")],
    folder: ProjectOption = HERE,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Use a channel again whose receiver answered 410, and send the messages that it did not get in the meantime."""
    from features.timestamps import now
    from foresail.cli.rendering.outbox import replayed
    from serving.interventions.deliver import outbox_admin

    project = load_project(folder)
    confirmed(f"Send everything to {channel} that its receiver did not want?", yes)
    _check_declared(project, channel)
    show(replayed(outbox_admin.reopen(project.engine(), channel, ACTOR, now())), as_json)


def _check_declared(project: "Project", channel: str) -> None:
    from foresail.config.project import FILE_NAME, ProjectError

    if channel not in project.interventions.channels:
        known = ", ".join(project.interventions.channels) or "none"
        raise ProjectError(f"{project.directory / FILE_NAME} has no channel '{channel}'; it has {known}")


COMMANDS = {"Act": (dispatch, app)}
