"""The outbox: messages that were sent or wait."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, YesOption, confirmed, load_project, show

if TYPE_CHECKING:
    from foresail.config.project import Project

ACTOR = "foresail outbox"
"""The name of this command in the audit log."""
app = typer.Typer(name="outbox", no_args_is_help=True, help="Messages that were sent or wait: list, replay, reopen.")
COMMANDS = {"Act": (app,)}


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
