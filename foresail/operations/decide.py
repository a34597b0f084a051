"""What to do, and for whom: decided by the scores of the last night, and begun."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.nightly import PATIENCE_SECONDS, night_plan
from foresail.operations.progress import silent

if TYPE_CHECKING:
    from foresail.config.project import Project
    from serving.nightly import Planned


def decide(
    project: "Project",
    clock: Callable[[], datetime],
    *,
    at: datetime | None = None,
    dry_run: bool = False,
    progress: StepProgress | None = None,
) -> "Planned":
    """Decide by the scores of the last night, at its own moment unless `at` says when; with `dry_run` nothing is begun.

    ProjectError where there is no playbook and no rule; for what else is raised see `serving.nightly.decide_now`.
    """
    from foresail.config.project import FILE_NAME, ProjectError
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade
    from serving.nightly import decide_now

    if not (project.interventions.playbooks or project.interventions.rules):
        raise ProjectError(
            f"{project.directory / FILE_NAME} has no playbook and no rule; declare one, or choose some in [library]"
        )
    engine, plan = opened(project.database, wait_seconds=PATIENCE_SECONDS), partial(night_plan, project)
    try:
        upgrade(engine)
        return decide_now(plan, engine, clock, at=at, dry_run=dry_run, progress=progress or silent)
    finally:
        engine.dispose()
