"""The step `fold`: posted events become part of the history."""

from serving.accounts.event_inbox import fold
from serving.nightly.night.journal import REFUSED
from serving.nightly.night.night import Night


def fold_inbox(night: Night) -> None:
    """What was posted becomes part of the history; it stays in the inbox until the states of accounts have it."""
    if night.journal.pinned or night.journal.has("fold"):
        return
    plan = night.plan
    folder = night.folder.path / "inbox"
    folded = fold(night.engine, plan.history, folder, as_of=plan.as_of, timezone=plan.timezone, earliest=plan.earliest)
    night.journal.note(REFUSED, outcome=folded.refused)
    night.journal.note("fold", outcome=list(folded.positions))
