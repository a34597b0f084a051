"""The report of an ingest: how many rows of a source were kept, and why others were not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from features.history.ingest.validation import FUTURE


@dataclass(frozen=True)
class IngestReport:
    """How many rows of one source went where. read = kept + duplicates + quarantined + forgotten.

    `repeated` are those duplicates that occur twice in this ingest, the others were stored before. `changed` are
    those duplicates that differ from the stored event in some column: the stored event stays, so a correction has
    not been taken up (`replace` does that, or an event_id of its own). `reasons` counts the quarantined by kind of
    reason, and `examples` has the reason of one row of each kind, with its value; `released` are rows refused before
    that have left the quarantine, because they are accepted now. `unchanged` counts files that were not read, because
    they were read before. `oldest` and `newest` are the span of occurred_at among the kept, None where none was kept;
    `versions` are those of the history afterwards.
    """

    source: str
    stream: str
    read: int
    kept: int
    duplicates: int
    repeated: int
    quarantined: int
    reasons: Mapping[str, int]
    examples: Mapping[str, str]
    oldest: datetime | None
    newest: datetime | None
    versions: Mapping[str, int]
    changed: int = 0
    forgotten: int = 0
    released: int = 0
    unchanged: int = 0

    @property
    def is_all_refused(self) -> bool:
        """Whether there were rows, and none of them could be used."""
        return self.quarantined > 0 and self.quarantined == self.read

    @property
    def is_no_news(self) -> bool:
        """Whether no row could be used now or by a later ingest: the data is then as old as it was before."""
        return self.is_all_refused and not all(kind.endswith(FUTURE) for kind in self.reasons)

    @property
    def has_future_rows(self) -> bool:
        """Whether a later ingest may accept rows that are refused now."""
        return any(kind.endswith(FUTURE) for kind in self.reasons)
