"""The health score validated on outcomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from features.progress import StepProgress
from foresail.operations.progress import by_bucket
from registry.target_kinds import LEAVING

if TYPE_CHECKING:
    from features.history.store import History
    from foresail.config.project import Project
    from registry.loader import LoadedModel
    from serving.segmentation.assign import Segmentation
    from training.evaluation.health import HealthRecord, HealthScores


@dataclass(frozen=True)
class Chosen:
    """The models of a moment, and notes about them."""

    models: "Sequence[LoadedModel]"
    notes: tuple[str, ...]


def health(
    project: "Project", as_of: datetime, known_by: datetime, *, seed: int = 0, progress: StepProgress | None = None
) -> "HealthRecord":
    """Health as of a moment from what was known then, beside the losses that were known by `known_by`.

    Every target is scored by its newest model that was trained by as_of; where there is none, by its champion, and that
    is noted: it may have seen the answer. HorizonOpen, StaleHistory; NoChampion where the target that says who left has
    no model; ProjectError if the project has no such target.
    """
    from features.engine.plan import FeatureSet
    from features.timestamps import in_utc
    from training.backtest.backtest import closed_rows

    as_of, known_by, leaving = in_utc(as_of), in_utc(known_by), _leaving(project)
    history = project.history.at(project.history.versions())
    happened = closed_rows(history, project.target(leaving), as_of, known_by, FeatureSet(()))
    chosen = _models_by(project, leaving, as_of)
    night = _night(project, history, chosen.models, as_of, progress)
    told = _told(night, leaving, dict(zip(happened.account_id, happened.labels, strict=True)))
    return _record(project, leaving, told, chosen, (as_of, known_by), seed)


def _leaving(project: "Project") -> str:
    """The target whose label says which accounts left; the first of its kind in the project is taken."""
    from foresail.config.project import FILE_NAME, ProjectError

    of_kind = [name for kind in LEAVING for name, table in project.target_tables.items() if table["kind"] == kind]
    if not of_kind:
        raise ProjectError(
            f"{project.directory / FILE_NAME} has no target that says who left; add one of kind {' or '.join(LEAVING)}"
        )
    return of_kind[0]


def _models_by(project: "Project", leaving: str, as_of: datetime) -> Chosen:
    """Of every target the newest model trained by as_of, else the champion; a target without either is left out."""
    from registry.errors import NoChampion
    from registry.loader import load, load_version

    models, notes = [], []
    for target in project.targets:
        name, version = project.model_name(target), _trained_by(project, target, as_of)
        try:
            if version is None:
                models.append(load(project.tracking_uri, name, catalog=project.catalog))
                notes.append(
                    f"this is no fair test of {target}: none of its models was trained by then, and its champion is asked"
                )
            else:
                models.append(load_version(project.tracking_uri, name, version, project.catalog))
        except NoChampion:
            if target == leaving:
                raise
            notes.append(f"{target} has no model, and is left out")
    return Chosen(tuple(models), tuple(notes))


def _trained_by(project: "Project", target: str, as_of: datetime) -> str | None:
    from registry.versions import list_versions

    rows = list_versions(project.tracking_uri, project.model_name(target))
    return next((str(row.version) for row in rows if datetime.fromisoformat(row.trained_as_of) <= as_of), None)


def _night(
    project: "Project",
    history: "History",
    models: "Sequence[LoadedModel]",
    as_of: datetime,
    progress: StepProgress | None,
) -> "Segmentation":
    """Standings as of the moment, as a night without one before it would have found them."""
    import pandas as pd

    from features.engine.table import build_feature_table
    from features.history.attributes import attributes_as_of
    from serving.scoring.scores import needed_features, score_table
    from serving.segmentation import inputs
    from serving.segmentation.assign import assign_segments

    needed = dict.fromkeys([*needed_features(models), *inputs.needed_features()])
    table = build_feature_table(history, as_of, needed, progress=by_bucket(progress, "features"))
    scores = pd.concat([score_table(model, table) for model in models], ignore_index=True)
    attributes = attributes_as_of(history, as_of, inputs.NEEDED_ATTRIBUTES)
    return assign_segments(table, scores, attributes, pd.DataFrame(), as_of, project.segmentation)


def _told(night: "Segmentation", leaving: str, labels: Mapping[str, float]) -> "HealthScores":
    """What was told of the accounts that could leave; those without a health are left out."""
    from training.evaluation.health import HealthScores

    account_segments = night.account_segments.set_index("account_id")
    its = night.scores[night.scores["target"] == leaving].set_index("account_id")["probability"]
    known = account_segments[account_segments["health"].notna() & account_segments.index.isin(list(labels))]
    parts = {name: known[name].to_numpy() for name in ("satisfaction", "contribution", "exposure")}
    happened = known.index.map(labels).to_numpy(dtype=float)
    return HealthScores(known["health"].to_numpy(), parts, its.reindex(known.index).to_numpy(), happened)


def _record(
    project: "Project",
    leaving: str,
    told: "HealthScores",
    chosen: Chosen,
    moments: tuple[datetime, datetime],
    seed: int,
) -> "HealthRecord":
    from training.evaluation.health import HealthRecord, Left, groups_of, separations

    marks, (auroc, difference) = project.segmentation.health, separations(told, seed)
    as_of, known_by = (moment.astimezone(ZoneInfo(project.timezone)) for moment in moments)
    return HealthRecord(
        as_of,
        known_by,
        leaving,
        project.target(leaving).definition,
        Left.of(told.labels),
        marks.healthy,
        Left.of(told.labels[told.health >= marks.healthy]),
        marks.reinforce,
        Left.of(told.labels[told.health < marks.reinforce]),
        groups_of(told.health, told.labels),
        auroc,
        difference,
        {model.target.name: int(model.version) for model in chosen.models},
        chosen.notes,
    )
