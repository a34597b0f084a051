"""Deliveries on the terminal: what was sent, what waits and why. Whom a message is about is not shown."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from foresail.cli.rendering.answers import Shown, counted, day, grid

if TYPE_CHECKING:
    from serving.interventions.deliver.leases import DispatchCounts
    from serving.interventions.deliver.outbox_admin import OutboxMessage
    from serving.interventions.run.deadlines import SweepResult

_WORDS = {
    "delivered": "delivered",
    "again": "not taken, to be tried again",
    "dead": "given up: `foresail outbox list --state dead` says why",
    "gone": "wanted by nobody any more: `foresail outbox reopen CHANNEL`",
    "held": "waiting for a channel that can be used: `foresail outbox list` says why",
}


def dispatch_round(swept: "SweepResult", delivered: "DispatchCounts") -> Shown:
    """One round of a dispatcher."""
    facts = {**vars(swept), **vars(delivered)}
    deadlines = f"deadlines missed: {swept.missed}, of them escalated: {swept.escalated}; expired: {swept.expired}"
    counts = [f"{number} {_WORDS[name]}" for name, number in vars(delivered).items() if number]
    return Shown([deadlines, *(counts or ["nothing to deliver"])], facts)


def outbox(
    counts: Mapping[tuple[str, str], int], messages: "Sequence[OutboxMessage]", channels: Sequence[str], timezone: str
) -> Shown:
    """How many messages, and the newest of them."""
    totals = [{"channel": channel, "state": state, "messages": count} for (channel, state), count in counts.items()]
    facts = {"counts": totals, "messages": [vars(letter) for letter in messages]}
    if not counts:
        why = "" if channels else ": no [channels] are declared, so that nobody is told"
        return Shown([f"the outbox is empty{why}"], facts)
    return Shown([_totals(counts, channels), _letters(messages, timezone)], facts)


def replayed(count: int) -> Shown:
    """Messages that go out again."""
    return Shown([f"{counted(count, 'message')} to be sent again, under the same ids"], {"replayed": count})


def _totals(counts: Mapping[tuple[str, str], int], channels: Sequence[str]) -> Table:
    table = grid("channel", "state", "messages", "")
    for (channel, state), count in sorted(counts.items()):
        table.add_row(channel, state, str(count), "" if channel in channels else "not declared in [channels]: waits")
    return table


def _letters(messages: "Sequence[OutboxMessage]", timezone: str) -> Table:
    table = grid("message", "channel", "type", "state", "tried", "next", "problem")
    for message in messages:
        waits = day(message.next_at, timezone) if message.state == "pending" else ""
        table.add_row(
            message.message_id,
            message.channel,
            message.type,
            message.state,
            str(message.attempts),
            waits,
            message.problem or "",
        )
    return table
