"""Arrow columns of what a night writes down: numbers without NaN, words as dictionaries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

TIME = pa.timestamp("us", tz="UTC")
WORDS = pa.dictionary(pa.int32(), pa.string())


def numbers(values: NDArray[np.float64]) -> pa.Array:
    """Null where NaN."""
    return pa.array(values, mask=np.isnan(values))


def words(values: Sequence[str | None]) -> pa.Array:
    """Text of which there are few distinct ones."""
    return pa.array(values, pa.string()).dictionary_encode()


def word(value: str | None, rows: int) -> pa.Array:
    """The same text in every row, or none."""
    if value is None:
        return pa.nulls(rows, WORDS)
    return pa.DictionaryArray.from_arrays(np.zeros(rows, dtype=np.int32), [value])


def moment(value: datetime | None, rows: int) -> pa.Array:
    """The same moment in every row, or none."""
    return pa.repeat(pa.scalar(value, TIME), rows)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Plain text, whether or not it is kept as a dictionary."""
    return column.cast(pa.string())


def whole(column: pa.ChunkedArray) -> Any:
    """The column in one piece."""
    return column.unify_dictionaries().combine_chunks()
