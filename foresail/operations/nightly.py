"""The night of a project, and the decisions between two nights: `serving.nightly` with the settings of the project."""

from collections.abc import Callable
from datetime import UTC, datetime, time
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from features.progress import StepProgress
from foresail.operations.history import SourceFailure, has_failed, ingest_sources
from foresail.operations.progress import silent

if TYPE_CHECKING:
    from features.history.ingest.ingestion import IngestReport
    from foresail.config.project import Project
    from serving.nightly import NightlySource, NightResult, Plan, Planned

NIGHTS = ".foresail/nights"
PATIENCE_SECONDS = 60.0
"""How long the night waits for the database: nobody sits in front of it, as they do of the service."""


def nightly(
    project: "Project",
    as_of: datetime,
    clock: Callable[[], datetime],
    *,
    again: bool = False,
    progress: StepProgress | None = None,
) -> "NightResult":
    """Score every account as of a moment, decide where it stands, and put all of it where service and reports read it.

    Finishes what an earlier run for the same moment began. ProjectError for a project without targets; for what else is
    raised see `serving.nightly.run_night`.
    """
    from foresail.config.project import FILE_NAME, ProjectError
    from serving.database.engine import opened
    from serving.nightly import run_night

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to score; add a table [targets.churn]")
    engine = opened(project.database, wait_seconds=PATIENCE_SECONDS)
    try:
        return run_night(night_plan(project, as_of), engine, clock, again=again, progress=progress or silent)
    finally:
        engine.dispose()


def decide(
    project: "Project",
    clock: Callable[[], datetime],
    *,
    at: datetime | None = None,
    dry_run: bool = False,
    progress: StepProgress | None = None,
) -> "Planned":
    """Decide by the scores of the last night, at the moment of that night or at `at`; with `dry_run` nothing is begun.

    ProjectError for a project without a playbook and without a rule; for further errors see `serving.nightly.decide_now`.
    """
    from foresail.config.project import FILE_NAME, ProjectError
    from serving.nightly import decide_now

    if not (project.interventions.playbooks or project.interventions.rules):
        raise ProjectError(
            f"{project.directory / FILE_NAME} has no playbook and no rule; declare one, or choose some in [library]"
        )
    engine, plan = project.engine(wait_seconds=PATIENCE_SECONDS), partial(night_plan, project)
    try:
        return decide_now(plan, engine, clock, at=at, dry_run=dry_run, progress=progress or silent)
    finally:
        engine.dispose()


def beginning_of_today(project: "Project", now: datetime) -> datetime:
    """The last midnight in the project's timezone, in UTC: a night that is started again on the same day is the same night."""
    zone = ZoneInfo(project.timezone)
    return datetime.combine(now.astimezone(zone).date(), time(), zone).astimezone(UTC)


def night_plan(project: "Project", as_of: datetime) -> "Plan":
    """What the night has to be told of the project."""
    from registry.writer import effect_name
    from serving.nightly import Explained, Plan

    chosen = project.nightly
    return Plan(
        as_of=as_of,
        folder=project.directory / NIGHTS,
        history=project.history,
        catalog=project.catalog,
        tracking_uri=project.tracking_uri,
        models={target: project.model_name(target) for target in project.targets},
        sources=_sources(project, as_of),
        timezone=project.timezone,
        earliest=project.earliest,
        currency=project.currency,
        explained=Explained(chosen.explain_severity, chosen.explain_most, project.explain_top),
        keep_scores_days=chosen.keep_scores_days,
        churn_days=project.churn_days,
        standing=project.standing,
        publish=project.destination,
        interventions=project.interventions,
        effects={playbook: effect_name(project.slug, playbook) for playbook in project.interventions.playbooks},
    )


def _sources(project: "Project", as_of: datetime) -> "list[NightlySource]":
    from serving.nightly import NightlySource

    return [
        NightlySource(source.name, source.stream, partial(_ingested, project, as_of, source.name))
        for source in project.sources
    ]


def _ingested(project: "Project", as_of: datetime, source: str) -> str | None:
    """What went wrong with a source; None where it was read."""
    outcome = ingest_sources(project, as_of, [source])[0]
    return _problem(outcome) if has_failed(outcome) else None


def _problem(outcome: "IngestReport | SourceFailure") -> str:
    if isinstance(outcome, SourceFailure):
        return outcome.problem
    return f"every row of it was refused; `foresail quarantine` shows why ({', '.join(outcome.reasons)})"
