"""Bringing rows into the history, looking at what it holds, and putting it right."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from features.progress import StepProgress
from foresail.operations.progress import named

if TYPE_CHECKING:
    from features.history.ingest.ingestion import IngestReport
    from features.history.ingest.sources import Source
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


def _sources(project: "Project", names: Sequence[str]) -> "list[Source]":
    """The sources called so, in the project's order; all without names; ProjectError for a name that it has not."""
    from foresail.config.project import ProjectError

    known = {source.name: source for source in project.sources}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProjectError(f"the project has no source {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return [source for name, source in known.items() if not names or name in names]


def concentration(project: "Project", as_of: datetime, days: int) -> "Concentration":
    """Which share of the accounts brings which share of the net revenue of the last `days`."""
    from features.history.store import HistoryError
    from features.kpis.concentration import concentration

    try:
        return concentration(project.history, as_of.astimezone(ZoneInfo(project.timezone)), days)
    except ValueError as nobody:
        raise HistoryError(str(nobody)) from nobody
