"""The step `look back`: what the previous night left is kept for comparison."""

from datetime import datetime

import pyarrow as pa

from serving.interventions.decide.earlier_decisions import INSTANT, read_earlier_decisions
from serving.nightly.night.journal import AGAIN
from serving.nightly.night.night import Night
from serving.nightly.night.previous_night import (
    SCORES_BEFORE,
    STANDINGS_BEFORE,
    by_bucket,
    scores_before,
    standings_before,
)


def look_back(night: Night) -> None:
    """Keep what the night before left, as nothing of this night has altered it."""
    if night.journal.has("look back") and night.folder.has("account_segments before", "all"):
        return
    batches = scores_before(night.engine, night.as_of)
    for bucket, rows in enumerate(by_bucket(batches, night.history, SCORES_BEFORE)):
        night.folder.write("scores before", bucket, rows)
    if night.decides:
        found = read_earlier_decisions(night.engine, night.plan.interventions, night.as_of, _decided_until(night))
        for name, table in found.items():
            night.folder.write("decided before", name, table)
    stood = pa.Table.from_batches(list(standings_before(night.engine, night.as_of)), STANDINGS_BEFORE)
    night.folder.write("account_segments before", "all", stood)
    night.journal.note("look back")


def _decided_until(night: Night) -> datetime:
    """Before which decisions count: the night's moment, that it decides the same when it is resumed.

    One that is repeated may rest on other scores, and takes nothing back: what it decided the first time counts.
    """
    return night.as_of + INSTANT if night.journal.has(AGAIN) else night.as_of
