"""The step `states`: the states of accounts in the operational database."""

from serving.accounts.event_inbox import clear
from serving.accounts.states import refresh_states
from serving.nightly.night.night import Night


def states(night: Night) -> None:
    """What the service knows of each account; then what was folded may leave the inbox."""
    if night.journal.has("states"):
        return
    refresh_states(night.engine, night.plan.history, night.as_of, night.progress)
    clear(night.engine, night.journal.outcomes("fold")[""])
    night.journal.note("states")
