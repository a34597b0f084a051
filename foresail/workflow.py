"""What each command does, without the terminal: the command line, the demo and notebooks call the same functions.

Libraries that take long to import are imported where they are needed, so that `foresail --help` answers at once.
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import pandas as pd

    from features.ingest import IngestReport
    from features.sources import Source
    from features.status import HistoryStatus
    from foresail.project import Project
    from serving.model_store import LoadedModel
    from serving.settings import Settings
    from training.hindsight import Hindsight
    from training.tracking import ModelRow
    from training.train import TrainingResult

Progress = Callable[[int, int, str], None]
"""Steps done, steps in all, and what they are."""


TABLE_FORMATS = (".parquet", ".csv")
"""What a feature table can be written as."""


@dataclass(frozen=True)
class SourceFailure:
    """A source that could not be ingested. The others are not held up by it."""

    source: str
    stream: str
    problem: str


@dataclass(frozen=True)
class Scored:
    """`scores`: one row per account and target, riskiest first. `calls`: by target, who has the most at stake.

    `notes` say in words what a reader of the scores should know: old data, a target changed since training.
    """

    scores: "pd.DataFrame"
    calls: "dict[str, pd.DataFrame]"
    notes: tuple[str, ...]


def ingest_sources(
    project: "Project",
    as_of: datetime,
    names: Sequence[str] = (),
    *,
    replace: bool = False,
    progress: Progress | None = None,
) -> "list[IngestReport | SourceFailure]":
    """Ingest the project's sources in their order, or only those named; one entry each, failures included.

    With `replace` what a source brings takes the place of all that it has brought before.
    """
    from features.history import HistoryError
    from features.ingest import IngestError, ingest

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
                progress=_named(progress, source.name),
            )
            outcomes.append(report)
        except (IngestError, HistoryError, OSError) as error:
            outcomes.append(SourceFailure(source.name, source.stream, str(error)))
    return outcomes


def quarantined(project: "Project") -> "pd.DataFrame":
    """The refused rows: source, stream, kind, reason, row (JSON text of what the select gave)."""
    from features.quarantine import quarantined

    return quarantined(project.history).drop(columns=["row_id", "as_of"])


def has_failed(outcome: "IngestReport | SourceFailure") -> bool:
    """Whether nothing of a source could be used: it failed, or every row of it was refused."""
    return isinstance(outcome, SourceFailure) or (outcome.quarantined > 0 and outcome.quarantined == outcome.read)


def status(project: "Project") -> "HistoryStatus":
    """What the history holds, source by source."""
    from features.status import status

    return status(project.history)


def feature_table(project: "Project", as_of: datetime, progress: Progress | None = None) -> "pd.DataFrame":
    """The whole catalog for every account known at as_of, with its RFM scores beside it."""
    from features.rfm import rfm_scores
    from features.table import build_feature_table

    table = build_feature_table(project.history, as_of, progress=_buckets(progress, "features"))
    return table.join(rfm_scores(table))


def train(
    project: "Project", target: str, as_of: datetime, *, seed: int = 0, progress: Progress | None = None
) -> "TrainingResult":
    """Train a target on what was known by as_of and register the model."""
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
        ),
        seed=seed,
        report_to=report_path(project, target, "training", as_of),
        progress=progress,
    )


def evaluate(
    project: "Project",
    target: str,
    as_of: datetime,
    known_by: datetime,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> "Hindsight":
    """What the champion would have said at as_of, beside what was known to have happened by `known_by`."""
    from training.hindsight import evaluate

    report = progress or _silent
    report(0, 1, "scoring in hindsight")
    found = evaluate(
        project.history,
        as_of,
        name=model_name(project, target),
        tracking_uri=project.tracking_uri,
        known_by=known_by,
        seed=seed,
        report_to=report_path(project, target, "evaluation", as_of),
    )
    report(1, 1, "scoring in hindsight")
    return found


def score(project: "Project", as_of: datetime, *, calls: int = 0, progress: Progress | None = None) -> Scored:
    """Every account and target at as_of by the champions, and the accounts most worth a call.

    Targets without a champion are an error, NoChampion: a table that silently lacked them would be read as complete.
    """
    import pandas as pd

    from features.history import HistoryError
    from features.table import build_feature_table
    from foresail.project import FILE_NAME, ProjectError
    from serving.calls import FEATURES, worth_a_call
    from serving.model_store import load
    from serving.scoring import needed_features, score_table

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to score; add a table [targets.churn]")
    models = [load(project.tracking_uri, model_name(project, target)) for target in project.targets]
    needed = dict.fromkeys([*needed_features(models), *FEATURES])
    table = build_feature_table(project.history, as_of, needed, progress=_buckets(progress, "features"))
    if table.empty:
        raise HistoryError(
            f"no account is known as of {as_of:%Y-%m-%d %H:%M} UTC; ingest the sources, or take a later moment"
        )
    scores, most = [], {}
    for done, model in enumerate(models):
        if progress:
            progress(done, len(models), "scores and reasons")
        scores.append(score_table(model, table, project.explain_top, currency=project.currency))
        most[model.target.name] = worth_a_call(model, table, scores[-1], calls, currency=project.currency)
    if progress:
        progress(len(models), len(models), "scores and reasons")
    riskiest_first = pd.concat(scores).sort_values(
        ["target", "probability", "account_id"], ascending=[True, False, True], ignore_index=True
    )
    return Scored(riskiest_first, most, tuple(_notes(project, models, table)))


def _notes(project: "Project", models: "Sequence[LoadedModel]", table: "pd.DataFrame") -> Iterator[str]:
    """Models whose target has been changed since, and purchases that end long before as_of."""
    for model in models:
        wanted = project.target(model.target.name).definition
        if model.target.definition != wanted:
            yield (
                f"the champion of {model.target.name} answers another question than the project file asks now: it was trained "
                f"for «{model.target.definition}», the file says «{wanted}». Train it again"
            )
        silent = table["purchases_days_since_last"].min()
        if not silent <= model.target.horizon_days / 4:
            yield (
                f"{model.target.name}: nobody has bought for {silent:.0f} days before this moment. Is the newest data ingested, "
                "or was an earlier --as-of meant?"
            )


def models(project: "Project") -> "dict[str, list[ModelRow]]":
    """The registered versions of every target, newest first."""
    from training.tracking import list_models

    return {target: list_models(project.tracking_uri, model_name(project, target)) for target in project.targets}


def serving_settings(project: "Project", as_of: datetime | None) -> "Settings":
    """What the service has to be told about the project."""
    from serving.settings import Settings

    return Settings(
        history_root=str(project.history_root),
        buckets=project.buckets,
        tracking_uri=project.tracking_uri,
        models={target: model_name(project, target) for target in project.targets},
        as_of=as_of,
        currency=project.currency,
        timezone=project.timezone,
        earliest=project.earliest,
    )


def model_name(project: "Project", target: str) -> str:
    """The registered name of a target's models; ProjectError if the project has no such target."""
    from training.tracking import registered_name

    return registered_name(project.slug, project.target(target).name)


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write a table, its named index as columns; the suffix, one of TABLE_FORMATS, decides how."""
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = table.reset_index() if table.index.names[0] else table
    if path.suffix == ".csv":
        plain.to_csv(path, index=False)
    else:
        plain.to_parquet(path, index=False)


def write_scores(scores: "pd.DataFrame", path: Path) -> None:
    """Write scores as Parquet, in the published schema, or as CSV with the reasons' words for those who read it."""
    from serving.publish import write_scores

    if path.suffix == ".csv":
        words = ["; ".join(reason["words"] for reason in reasons or ()) for reasons in scores["reasons"]]
        write_table(scores.assign(reasons=words), path)
    else:
        write_scores(scores, path)


def serve(project: "Project", as_of: datetime | None, host: str, port: int) -> None:
    """Become the BentoML server of the project's champions; returns only if it cannot start."""
    from foresail.project import FILE_NAME, ProjectError
    from serving.settings import VARIABLE

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to serve; add a table [targets.churn]")
    with socket.socket() as probe:
        # As the server will ask for it: a port in its last minute after a stop is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            raise OSError(
                f"cannot listen on {host}:{port} ({taken.strerror}); choose another one with --port"
            ) from taken
    environment = {
        **os.environ,
        VARIABLE: serving_settings(project, as_of).model_dump_json(),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "serving.service:Foresail",
        "--host",
        host,
        "--port",
        str(port),
    ]
    # In the place of this process, so that whoever stops this one stops the server.
    os.execve(sys.executable, command, environment)  # noqa: S606  no shell is wanted


def _sources(project: "Project", names: Sequence[str]) -> "list[Source]":
    """The sources called so, in the project's order; all without names; ProjectError for a name that it has not."""
    from foresail.project import ProjectError

    known = {source.name: source for source in project.sources}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ProjectError(f"the project has no source {', '.join(unknown)}; it has {', '.join(known) or 'none'}")
    return [source for name, source in known.items() if not names or name in names]


def _silent(done: int, total: int, what: str) -> None:
    """No progress is wanted."""


def _named(progress: Progress | None, source: str) -> Progress | None:
    return (lambda done, total, what: progress(done, total, f"{source}: {what}")) if progress else None


def _buckets(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(done, total, what)) if progress else None


def report_path(project: "Project", target: str, kind: str, as_of: datetime) -> Path:
    """Where the report of a training or an evaluation is written; its date is that of the project's timezone."""
    day = as_of.astimezone(ZoneInfo(project.timezone))
    return project.directory / "reports" / f"{target}-{kind}-{day:%Y-%m-%d}.html"
