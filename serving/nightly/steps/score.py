"""The step `score`: every account scored for every target, beside the answer of the previous night."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.engine.table import build_bucket_table
from registry.loader import LoadedModel
from serving.nightly.night.columns import moment, numbers, whole, word, words
from serving.nightly.night.night import Night
from serving.scoring.scores import Rows, answer_columns, score_rows


@dataclass(frozen=True)
class Moments:
    """What the scores of a night speak for: its moment, and up to when every source was read."""

    as_of: datetime
    data_as_of: datetime | None


def score(night: Night) -> None:
    """Features and scores of every account for every target, a bucket at a time on each core."""
    moments = Moments(night.as_of, night.pinned.data_as_of)
    models, features, folder = night.models, night.features, night.folder

    def score_one(bucket: int) -> dict[str, int]:
        table = build_bucket_table(night.history, bucket, night.as_of, features)
        found = score_bucket(models, table, folder.read("scores before", bucket), moments)
        folder.write_matrix("features", bucket, table.to_numpy())
        folder.write_matrix("segmentation features", bucket, table[night.segmentation_features.names].to_numpy())
        if night.decides:
            folder.write_matrix("decision features", bucket, table[night.decision_features.names].to_numpy())
        folder.write("scores", bucket, found)
        return _scored(found)

    night.in_parts("score", score_one, night.missing_buckets("score", "scores"), "features and scores")


def _scored(found: pa.Table) -> dict[str, int]:
    """By target how many accounts have a score."""
    answered = found.filter(pc.is_null(found["why_not"]))["target"].value_counts().to_pylist()
    return {each["values"]: each["counts"] for each in answered}


def score_bucket(models: Sequence[LoadedModel], table: pd.DataFrame, before: pa.Table, moments: Moments) -> pa.Table:
    """One row per target and account: target by target, in each the accounts in the order of the feature table.

    The columns are those of the database's `scores` but for what only all accounts together can tell: value at stake and
    severity; and for reasons.
    """
    rows = Rows.of(table)
    accounts = pa.array(table.index.get_level_values("account_id"), pa.string())
    parts = [pa.table(_columns(model, rows, accounts, before, moments)) for model in models]
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def _columns(
    model: LoadedModel, rows: Rows, accounts: pa.Array, before: pa.Table, moments: Moments
) -> Mapping[str, pa.Array]:
    scores, count, target = score_rows(model, rows), len(accounts), model.target
    return {
        "account_id": accounts,
        "target": word(target.name, count),
        "as_of": moment(moments.as_of, count),
        "horizon_days": pa.repeat(pa.scalar(target.horizon_days, pa.int32()), count),
        **{name: numbers(column) for name, column in answer_columns(target.answer, scores).items()},
        "percentile": numbers(scores.percentile),
        "band": words(scores.band),
        **_previous(before, target.name, accounts),
        "model": word(model.name, count),
        "model_version": word(model.version, count),
        "grade": word(model.grade, count),
        "why_not": words(scores.why_not),
        "data_as_of": moment(moments.data_as_of, count),
    }


def _previous(before: pa.Table, target: str, accounts: pa.Array) -> dict[str, pa.Array]:
    """What was answered before, in the order of the accounts; null where nothing was."""
    own = before.filter(pc.equal(before["target"], target))
    places = pc.index_in(accounts, value_set=whole(own["account_id"]))
    return {name: whole(own[name]).take(places) for name in ("previous_as_of", "previous")}


def answer_of(scores: pa.Table) -> pa.ChunkedArray:
    """Probability, amount or days, whichever the target asks for; null where it was not scored or lies beyond the horizon."""
    return pc.coalesce(scores["probability"], scores["amount"], scores["days"])
