"""Commands of deliveries: the dispatcher, and what the outbox holds."""

from enum import StrEnum
from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, YesOption, confirmed, opened, say

app = typer.Typer(no_args_is_help=True, help="Messages that were sent or wait: list, replay, reopen.")


class State(StrEnum):
    """The states of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    GONE = "gone"


def dispatch(
    project: ProjectOption = HERE,
    once: Annotated[
        bool, typer.Option("--once", help="Sweep and deliver what is due now, say what became of it, and end.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep what was promised: sweep deadlines twice a second, and deliver the outbox to webhooks and people.

    Runs until it is stopped (SIGTERM or Ctrl-C), and finishes what is under way then. `foresail serve` does the same in the
    service's own process, so that this is needed only where deliveries should go on without it, or from elsewhere.
    On PostgreSQL any number may run beside each other and the service: a message is one dispatcher's at a time.

    A message is tried ten times over days, then it is dead: `foresail outbox list --state dead` says why, `foresail
    outbox replay --dead` sends it again. Killed at any point nothing is lost; what was under way goes out again under the
    same id. Secrets are read from the environment when the dispatcher first needs them: set the variables that
    [channels] names as ${NAME} where this runs, and start it anew when they change.

    Each attempt is a line of JSON on standard error, with ids and problems, and nothing of accounts or people.
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    if once:
        say(rendering.dispatched(*operations.dispatch_once(found, now)), as_json)
    else:
        operations.dispatch(found, now)


@app.command("list")
def list_messages(
    project: ProjectOption = HERE,
    state: Annotated[State | None, typer.Option(help="Only messages in this state.")] = None,
    channel: Annotated[str | None, typer.Option(help="Only messages of this channel of [channels].")] = None,
    top: Annotated[int, typer.Option(min=0, help="How many messages to show: the newest.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """How many messages each channel has in which state, and the newest of them with their problems.

    pending: to be sent, or to be tried again. delivered: accepted. dead: given up after ten attempts. gone: the receiver
    answered 410, it wants no more of this channel.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    listed = operations.outbox(found, state and state.value, channel, top)
    say(rendering.outbox(*listed, list(found.interventions.channels), found.timezone), as_json)


@app.command()
def replay(
    message_ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MESSAGE_ID]...", help="Messages, as `foresail outbox list` shows them."),
    ] = None,
    dead: Annotated[bool, typer.Option("--dead", help="Every message that was given up.")] = False,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Send messages again under the same ids, with all their attempts before them; the audit log has that it was asked for."""
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    if bool(message_ids) == dead:
        raise typer.BadParameter("name either messages or --dead", param_hint="MESSAGE_ID")
    found = opened(project)
    count = operations.replay(found, message_ids, now()) if message_ids else operations.replay_dead(found, now())
    say(rendering.replayed(count), as_json)


@app.command()
def reopen(
    channel: Annotated[str, typer.Argument(help="A channel of [channels] whose receiver answered 410.")],
    project: ProjectOption = HERE,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Use a channel again whose receiver wanted no more, and send what it did not get in the meantime."""
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    confirmed(f"Everything that {channel} did not want is sent to it now. Is that meant?", yes)
    say(rendering.replayed(operations.reopen(found, channel, now())), as_json)
