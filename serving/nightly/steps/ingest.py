"""The step `ingest`: new rows of the sources become part of the history."""

from serving.nightly.night.night import Night


def ingest(night: Night) -> None:
    """What is new in the sources. One that fails does not hold up the others; it is tried again if the night is resumed before it is pinned."""
    if night.journal.pinned:
        return
    for number, source in enumerate(night.plan.sources):
        night.progress(number, len(night.plan.sources), "sources")
        if night.journal.has("ingest", source.name):
            continue
        problem = source.ingest()
        if problem is None:
            night.journal.note("ingest", source.name)
        else:
            night.problems[source.name] = problem
