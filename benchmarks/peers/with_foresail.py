"""Ourselves, asked as the rivals are: from the history on disk to the pandas matrix in memory."""

import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from task import answer
from training_shape import Question

from features.definitions import Aggregate, Feature, events, times
from features.engine.table import build_feature_table
from features.history.store import History
from foresail.operations.features import write_table

lines = events("purchases")
DECLARED: dict[str, Callable[[float], Aggregate]] = {
    "count": lambda days: lines.count(days=days),
    "sum": lambda days: lines.sum("amount", days=days),
    "mean": lambda days: lines.mean("amount", days=days),
    "std": lambda days: lines.std("amount", days=days),
    "min": lambda days: lines.min("amount", days=days),
    "max": lambda days: lines.max("amount", days=days),
    "first": lambda days: lines.first("amount", days=days),
    "last": lambda days: lines.last("amount", days=days),
    "product": lambda days: lines.sum(times("amount", "quantity"), days=days),
    "quantity_sum": lambda days: lines.sum("quantity", days=days),
    "quantity_max": lambda days: lines.max("quantity", days=days),
    "categories": lambda days: lines.distinct("category", days=days),
}


def features(question: Question) -> list[Feature]:
    """The question in the words of `features.definitions`."""
    return [
        Feature(f"{stat}_{days}", DECLARED[stat](days or math.inf), "", "", "")
        for days in question.windows
        for stat in question.stats
    ]


def matrix(question: Question) -> pd.DataFrame:
    """The product itself."""
    return build_feature_table(History(question.history), question.moments, features(question))


def written(question: Question) -> pd.DataFrame:
    """And as a Parquet file as well, as `foresail features` writes it."""
    rows = matrix(question)
    save(rows, question, f"{question.history}-features.parquet")
    return rows


def save(rows: pd.DataFrame, _: Question, path: str) -> None:
    write_table(rows, Path(path))


FORMS = {"matrix": matrix, "matrix and Parquet": written}

if __name__ == "__main__":
    answer(FORMS, save, lambda rows: rows.to_numpy(copy=False).nbytes / 2**20)
