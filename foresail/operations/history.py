"""Bringing rows into the history, looking at what it holds, and putting it right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from features.progress import StepProgress
from foresail.operations.models import trained_on
from foresail.operations.progress import by_bucket, named

if TYPE_CHECKING:
    import pandas as pd

    from features.history.identities import Merged
    from features.history.ingest.ingestion import IngestReport
    from features.history.ingest.sources import Source
    from features.history.retention import Vacuumed
    from features.history.status import HistoryStatus
    from features.kpis.concentration import Concentration
    from foresail.config.project import Project


@dataclass(frozen=True)
class SourceFailure:
    """A source that could not be ingested. The others are not held up by it."""

    source: str
    stream: str
    problem: str


def ingest_sources(
    project: "Project",
    as_of: datetime,
    names: Sequence[str] = (),
    *,
    replace: bool = False,
    everything: bool = False,
    progress: StepProgress | None = None,
) -> "list[IngestReport | SourceFailure]":
    """Ingest the project's sources in their order, or only those named; one entry each, failures included.

    With `replace` what a source brings takes the place of all that it has brought before; with `everything` files are
    read again that have been read before.
    """
    from features.history.ingest.ingestion import IngestError, ingest
    from features.history.store import HistoryError

    outcomes: list[IngestReport | SourceFailure] = []
    for source in _sources(project, names):
        try:
            report = ingest(
                project.history,
                source,
                as_of=as_of,
                timezone=project.timezone,
                earliest=project.earliest,
                replace=replace,
                everything=everything,
                progress=named(progress, source.name),
            )
            outcomes.append(report)
        except (IngestError, HistoryError, OSError) as error:
            outcomes.append(SourceFailure(source.name, source.stream, str(error)))
    return outcomes


def has_failed(outcome: "IngestReport | SourceFailure") -> bool:
    """Whether nothing of a source could be used: it failed, or every row of it was refused."""
    return isinstance(outcome, SourceFailure) or outcome.is_all_refused


def quarantined(project: "Project") -> "pd.DataFrame":
    """The refused rows: source, stream, kind, reason, row (JSON text of what the select gave)."""
    from features.history.quarantine import quarantined

    return quarantined(project.history).drop(columns=["row_id", "as_of"])


def status(project: "Project", progress: StepProgress | None = None) -> "HistoryStatus":
    """What the history holds, source by source, and what is missing."""
    from features.history.status import status

    return status(project.history, project.timezone, by_bucket(progress, "reading"))


def _sources(project: "Project", names: Sequence[str]) -> "list[Source]":
    """The sources called so, in the project's order; all without names; ProjectError for a name that it has not."""
    from foresail.config.project import ProjectError

    known = {source.name: source for source in project.sources}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProjectError(f"the project has no source {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return [source for name, source in known.items() if not names or name in names]


def merge(
    project: "Project", absorbed: str, into: str, known_at: datetime, progress: StepProgress | None = None
) -> "Merged":
    """Make two accounts one, as known from `known_at` on."""
    from features.history.identities import merge

    return merge(project.history, absorbed, into, known_at, progress)


def vacuum(project: "Project", now: datetime, days: int, progress: StepProgress | None = None) -> "list[Vacuumed]":
    """Give up what neither a registered model nor the last `days` need of the past."""
    from features.history.retention import vacuum

    return vacuum(project.history, [model.versions for model in trained_on(project)], now, days, progress)


def concentration(project: "Project", as_of: datetime, days: int) -> "Concentration":
    """Which share of the accounts brings which share of the net revenue of the last `days`."""
    from features.history.store import HistoryError
    from features.kpis.concentration import concentration

    try:
        return concentration(project.history, as_of.astimezone(ZoneInfo(project.timezone)), days)
    except ValueError as nobody:
        raise HistoryError(str(nobody)) from nobody


def draw_concentration(found: "Concentration", path: Path) -> None:
    """Its picture, as the path's suffix says; HistoryError where there is no revenue to share out."""
    from features.history.store import HistoryError
    from foresail.operations.plots import concentration

    try:
        concentration(found, path)
    except ValueError as nothing:
        raise HistoryError(str(nothing)) from nothing
