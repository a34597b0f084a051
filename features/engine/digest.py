"""Whether two feature tables are the same to the last bit, without keeping either."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.arrays import Array

ROWS_AT_ONCE = 1 << 14


def table_digest(table: pd.DataFrame) -> str:
    """SHA-256 (hex) of a feature table, indexed by (account_id, as_of): of its columns' names, its index, its values.

    The order of the rows does not count, that of the columns does. Absent is absent, whatever bits its NaN has; 0.0 and
    −0.0 are two values.
    """
    as_of = pd.DatetimeIndex(table.index.get_level_values("as_of")).as_unit("us").asi8
    accounts = table.index.get_level_values("account_id").to_numpy(dtype=object)
    return digest([str(name) for name in table.columns], accounts, as_of, table.to_numpy(dtype=np.float64))


def digest(names: Sequence[str], account_id: Array, as_of: Array, matrix: Array) -> str:
    """The same digest from the parts of a table: account ids (n,), as_of in UTC µs (n,), float64 values (n, len(names))."""
    sha = hashlib.sha256(_texts(names))
    codes, _ = pd.factorize(account_id, sort=True)
    order = np.lexsort((as_of, codes))
    for start in range(0, len(order), ROWS_AT_ONCE):
        rows = order[start : start + ROWS_AT_ONCE]
        sha.update(_texts(account_id[rows]))
        sha.update(as_of[rows].astype("<i8").tobytes())
        values = matrix[rows].astype("<f8")
        values[np.isnan(values)] = np.nan
        sha.update(values.tobytes())
    return sha.hexdigest()


def _texts(texts: Sequence[str] | Array) -> bytes:
    """Each text after its length, so that no two lists of texts look alike."""
    encoded = [text.encode() for text in texts]
    return b"".join(len(text).to_bytes(8, "little") + text for text in encoded)
