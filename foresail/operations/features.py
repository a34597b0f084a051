"""Feature tables of a moment, and of an earlier training."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.models import card
from foresail.operations.progress import by_bucket

if TYPE_CHECKING:
    import pandas as pd

    from features.engine.plan import FeatureSet
    from foresail.config.project import Project
    from registry.card import ModelCard

TABLE_FORMATS = (".parquet", ".csv")
"""What a feature table can be written as."""


@dataclass(frozen=True)
class TrainingTable:
    """The table that a version of a model learnt from, computed again.

    `is_same` says whether it is equal to the last bit; None for a model that was registered before digests were kept.
    """

    table: "pd.DataFrame"
    version: int
    versions: Mapping[str, int]
    is_same: bool | None


def feature_table(project: "Project", as_of: datetime, progress: StepProgress | None = None) -> "pd.DataFrame":
    """The whole catalog for every account known at as_of, with its RFM scores beside it."""
    from features.engine.table import build_feature_table
    from features.rfm import rfm_scores

    table = build_feature_table(project.history, as_of, project.catalog, progress=by_bucket(progress, "features"))
    return table.join(rfm_scores(table))


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """Write a table, its named index as columns; the suffix, one of TABLE_FORMATS, decides how."""
    from features.engine.table_file import KEYS, write_parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".csv":
        table.to_csv(path, index=bool(table.index.names[0]))
    elif tuple(table.index.names) == KEYS:
        write_parquet(table, path)
    else:
        table.to_parquet(path, index=bool(table.index.names[0]))


def training_table(
    project: "Project", target: str, version: int, progress: StepProgress | None = None
) -> TrainingTable:
    """The exact feature table that a version of the target's model was trained on.

    Its dates, features and versions of the history are those of the model's card. NoModel if there is no such version
    or if the table is not the same to the last bit, with what differs; HistoryError if the history was vacuumed since.
    """
    from features.engine.digest import table_digest
    from registry.errors import NoModel
    from training.data.dataset import eligible_table
    from training.data.targets import target_from

    found = card(project, target, version)
    features = _as_trained(project, found, f"version {version} of {target}")
    steps = by_bucket(progress, "features of the training")
    table = eligible_table(
        project.history.at(found.data_versions),
        target_from(found.target.to_json()),
        found.as_of_dates.refit if found.as_of_dates else (),
        features,
        steps,
    )
    kept = found.table.digest if found.table else None
    if kept is not None and kept != table_digest(table):
        raise NoModel(_differs(found, table))
    return TrainingTable(table, version, found.data_versions, None if kept is None else True)


def _as_trained(project: "Project", found: "ModelCard", model: str) -> "FeatureSet":
    """The features of a training, as this release declares them; NoModel if it declares them in another way."""
    from features.catalog import UnknownFeature, fingerprint, named
    from registry.errors import NoModel

    trained = found.table or found
    remedy = "run the release of Foresail, with the files of [features] extend, that it was trained with"
    try:
        features = named(trained.features, project.catalog)
    except UnknownFeature as unknown:
        raise NoModel(f"the table of {model} cannot be built here, {unknown}: {remedy}") from unknown
    if fingerprint(features) != trained.fingerprint:
        raise NoModel(
            f"the table of {model} cannot be built here: the kernel or the catalog computes its features in another way since "
            f"(fingerprint {trained.fingerprint[:12]}… then, {fingerprint(features)[:12]}… now); {remedy}"
        )
    return features


def _differs(found: "ModelCard", table: "pd.DataFrame") -> str:
    """What can be told of a table with another digest, though features, dates and versions are the same."""
    now = Counter(date.to_pydatetime() for date in table.index.get_level_values("as_of"))
    then = {row.as_of: row.accounts for row in found.rows}
    other = [f"{date:%Y-%m-%d}: {then[date]:,} then, {now[date]:,} now" for date in then if then[date] != now[date]]
    rows = f"accounts differ ({'; '.join(other)})" if other else "the accounts are the same, values differ"
    return (
        f"the table is not the one that the model was trained on: {rows}. Its features, dates and history versions are those "
        "of the card, so the stored files or the library that computes (numpy, numba) have changed; nothing was written"
    )
