"""Scores of every account, and the accounts that are most worth a call."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.progress import StepProgress
from foresail.operations.features import write_table
from foresail.operations.progress import by_bucket

if TYPE_CHECKING:
    import pandas as pd

    from foresail.config.project import Project
    from registry.loader import LoadedModel


ANSWERS = ("probability", "amount", "days")


@dataclass(frozen=True)
class Scored:
    """`scores`: one row per account and target, highest answer first. `calls`: by target of risk, the accounts with the most at stake.

    `notes` warn the reader of the scores: old data, a target changed since training.
    """

    scores: "pd.DataFrame"
    calls: "dict[str, pd.DataFrame]"
    notes: tuple[str, ...]


def score(project: "Project", as_of: datetime, *, calls: int = 0, progress: StepProgress | None = None) -> Scored:
    """Every account and target at as_of by the champions, and the accounts most worth a call.

    Targets without a champion are an error, NoChampion: a table that silently lacked them would be read as complete.
    """
    import numpy as np
    import pandas as pd

    from features.catalog import named
    from features.engine.table import build_feature_table
    from features.history.store import HistoryError
    from foresail.config.project import FILE_NAME, ProjectError
    from registry.loader import load
    from serving.scoring.priorities import worth_a_call
    from serving.scoring.scores import Rows, needed_features, score_table
    from serving.segmentation.stakes import is_risk, predicted_values, value_model
    from serving.segmentation.value import VALUE_FEATURES

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to score; add a table [targets.churn]")
    models = [
        load(project.tracking_uri, project.model_name(target), catalog=project.catalog) for target in project.targets
    ]
    needed = dict.fromkeys([*needed_features(models), *named(VALUE_FEATURES)])
    table = build_feature_table(project.history, as_of, needed, progress=by_bucket(progress, "features"))
    if table.empty:
        raise HistoryError(
            f"no account is known as of {as_of:%Y-%m-%d %H:%M} UTC; ingest the sources, or take a later moment"
        )
    values = predicted_values(value_model({model.target.name: model for model in models}), Rows.of(table), {})
    scores, most = [], {}
    for done, model in enumerate(models):
        if progress:
            progress(done, len(models), "scores and reasons")
        scores.append(score_table(model, table, project.explain_top, currency=project.currency))
        if is_risk(model):
            most[model.target.name] = worth_a_call(model, table, scores[-1], values, calls, currency=project.currency)
    if progress:
        progress(len(models), len(models), "scores and reasons")
    together = pd.concat(scores)
    # Days beyond the horizon have no number; their percentile says that they are the highest.
    main = together[list(ANSWERS)].bfill(axis=1).iloc[:, 0].fillna(np.inf).where(together["why_not"].isna())
    highest_first = (
        together.assign(main=main)
        .sort_values(
            ["target", "main", "percentile", "account_id"], ascending=[True, False, False, True], ignore_index=True
        )
        .drop(columns="main")
    )
    return Scored(highest_first, most, tuple(_notes(project, models, table)))


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


def write_scores(scores: "pd.DataFrame", path: Path) -> None:
    """Write scores in their order with the columns of the published table: Parquet, or CSV with the words of the reasons."""
    import pyarrow as pa

    from serving.publish.parquet import write_file
    from serving.publish.rows import declared
    from serving.publish.tables import SCORES

    if path.suffix == ".csv":
        words = ["; ".join(map(in_words, reasons or ())) for reasons in scores["reasons"]]
        write_table(scores.assign(reasons=words).reindex(columns=SCORES.schema.names), path)
    else:
        write_file(path, SCORES, [declared(SCORES, pa.Table.from_pandas(scores, preserve_index=False))])


def in_words(reason: Mapping[str, Any]) -> str:
    """A reason as the terminal shows it: an arrow for its direction, and its words."""
    return f"{'▲' if reason['direction'] == 'raises' else '▼'} {reason['words']}"
