"""Training models, backtests, promotion, and listing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.progress import silent

if TYPE_CHECKING:
    from foresail.config.project import Project
    from registry.card import ModelCard
    from registry.promotion_log import Decision, VersionHistory
    from registry.versions import ModelRow
    from training.backtest.backtest import Backtest
    from training.backtest.series import BacktestSeries
    from training.models.tuning import Budget
    from training.promotion.promotion import Order
    from training.train import TrainingResult


@dataclass(frozen=True)
class TrainedOn:
    """A registered model and the versions of the history that it was trained on; none if its card cannot be read."""

    target: str
    version: int
    aliases: tuple[str, ...]
    versions: Mapping[str, int]


def train(
    project: "Project",
    target: str,
    as_of: datetime,
    *,
    seed: int = 0,
    progress: StepProgress | None = None,
    budget: "Budget | None" = None,
) -> "TrainingResult":
    """Train a target on what was known by as_of and register the model; with a budget, its settings are searched."""
    from serving.scoring.reasons import reasons_of
    from training.train import Settings, train

    schedule = project.training
    return train(
        project.history,
        project.target(target),
        as_of,
        project=project.slug,
        tracking_uri=project.tracking_uri,
        settings=Settings(
            every_days=schedule.every_days,
            dates=schedule.dates,
            min_history_days=project.min_history_days(target),
            half_life_days=schedule.half_life_days,
        ),
        seed=seed,
        report_to=project.report_path(target, "training", as_of),
        progress=progress,
        catalog=project.catalog,
        budget=budget,
        campaign=project.campaign,
        reason_writer=partial(reasons_of, currency=project.currency),
    )


def evaluate(
    project: "Project",
    target: str,
    as_of: datetime,
    known_by: datetime,
    *,
    seed: int = 0,
    progress: StepProgress | None = None,
) -> "Backtest":
    """What the champion would have said at as_of, beside what was known to have happened by `known_by`."""
    from serving.scoring.reasons import reasons_of
    from training.backtest.backtest import evaluate

    report = progress or silent
    report(0, 1, "scoring the past moment")
    found = evaluate(
        project.history,
        as_of,
        name=project.model_name(target),
        tracking_uri=project.tracking_uri,
        known_by=known_by,
        seed=seed,
        report_to=project.report_path(target, "evaluation", as_of),
        catalog=project.catalog,
        campaign=project.campaign,
        reason_writer=partial(reasons_of, currency=project.currency),
    )
    report(1, 1, "scoring the past moment")
    return found


def track(
    project: "Project",
    target: str,
    dates: Sequence[datetime],
    known_by: datetime,
    *,
    seed: int = 0,
    progress: StepProgress | None = None,
) -> "BacktestSeries":
    """What the champion would have said at each of the dates, beside what was known to have happened by `known_by`."""
    from training.backtest.series import evaluate_series

    report = progress or silent
    return evaluate_series(
        project.history,
        dates,
        name=project.model_name(target),
        tracking_uri=project.tracking_uri,
        known_by=known_by,
        seed=seed,
        report_to=project.report_path(target, "track-record", dates[-1]),
        catalog=project.catalog,
        progress=lambda done, of: report(done, of, "scoring past dates"),
    )


def models(project: "Project") -> "dict[str, list[ModelRow]]":
    """The registered versions of every target, newest first."""
    from registry.versions import list_versions

    return {target: list_versions(project.tracking_uri, project.model_name(target)) for target in project.targets}


def promote(
    project: "Project",
    target: str,
    version: int,
    order: "Order",
    *,
    as_of: datetime,
    known_by: datetime | None = None,
    seed: int = 0,
    progress: StepProgress | None = None,
) -> "Decision":
    """Make a version of the target's model the champion if it passes the gate against the present one."""
    from training.promotion.promotion import promote

    report = progress or silent
    report(0, 1, "judging the challenger")
    decision = promote(
        project.history,
        version,
        order,
        name=project.model_name(target),
        tracking_uri=project.tracking_uri,
        as_of=as_of,
        known_by=known_by,
        campaign=project.campaign,
        seed=seed,
        catalog=project.catalog,
    )
    report(1, 1, "judging the challenger")
    return decision


def version_histories(project: "Project") -> "dict[str, VersionHistory]":
    """Of every target: who is champion, and what has been decided so far."""
    from registry.promotion_log import version_history

    return {target: version_history(project.tracking_uri, project.model_name(target)) for target in project.targets}


def trained_on(project: "Project", *, unreadable_is_unknown: bool = False) -> list[TrainedOn]:
    """What every registered model of the project was trained on, newest first within a target.

    NoModel for a model whose card cannot be read, unless it is enough to list it with no versions.
    """
    from registry.errors import NoModel

    found = []
    for target, rows in models(project).items():
        for row in rows:
            try:
                versions = dict(card(project, target, row.version).data_versions)
            except NoModel:
                if not unreadable_is_unknown:
                    raise
                versions = {}
            found.append(TrainedOn(target, row.version, row.aliases, versions))
    return found


def card(project: "Project", target: str, version: int) -> "ModelCard":
    """The card of one version of a target's model; NoModel if there is none, or if it cannot be read."""
    from registry.versions import load_version

    return load_version(project.tracking_uri, project.model_name(target), version).card
