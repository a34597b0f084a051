"""A plain table's columns as numbers for trees: texts as codes, which trees treat as categories."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from features.arrays import Floats

MOST_WORDS = 100
"""A column with more different texts names accounts rather than describing them."""


@dataclass(frozen=True)
class Coding:
    """How a table's columns become a matrix: their order, and the words of those that hold text."""

    columns: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, features: pd.DataFrame) -> "Coding":
        """The coding of a table; ValueError for a column that is neither numbers, yes and no, nor a few words."""
        if not len(features.columns):
            raise ValueError("features has no column: effects are told apart by what is known of an account before it")
        texts = {str(name): _words(features[name]) for name in features.columns if not _is_numeric(features[name])}
        return cls(tuple(map(str, features.columns)), texts)

    @property
    def categories(self) -> list[int]:
        """Places of the columns that hold codes of words."""
        return [place for place, name in enumerate(self.columns) if name in self.words]

    def matrix(self, features: pd.DataFrame) -> Floats:
        """(n, columns) float64; what is absent, and a word that the coding has not met, is NaN. ValueError if a column is missing."""
        missing = [name for name in self.columns if name not in features.columns]
        if missing:
            raise ValueError(f"features has no column '{missing[0]}'; found {list(features.columns)}")
        return np.column_stack([self._column(features[name], name) for name in self.columns])

    def _column(self, column: "pd.Series[float]", name: str) -> Floats:
        if name not in self.words:
            return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
        codes = pd.Index(self.words[name]).get_indexer(pd.Index(column.astype("str"))).astype(np.float64)
        return np.where(codes < 0, np.nan, codes)


def _is_numeric(column: "pd.Series[float]") -> bool:
    return is_bool_dtype(column.dtype) or is_numeric_dtype(column.dtype)


def _words(column: "pd.Series[str]") -> tuple[str, ...]:
    if not (isinstance(column.dtype, pd.CategoricalDtype | pd.StringDtype) or column.dtype == object):
        raise ValueError(f"column '{column.name}' holds {column.dtype}: give numbers, yes and no, or a few words")
    words = tuple(sorted(map(str, column.dropna().unique())))
    if len(words) > MOST_WORDS:
        raise ValueError(
            f"column '{column.name}' holds {len(words):,} different texts, {MOST_WORDS} at most: group them"
        )
    return words
