"""A column of a table as numbers, and words as codes."""

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from features.families.eligibility import Columns

Codes = NDArray[np.int8]
"""Words as their places among the few that there are; NOWHERE is none of them."""
NOWHERE = -1


def column(table: Columns, name: str) -> Floats:
    """A column of a table, or of one row's values by name, as numbers, (rows,)."""
    return np.asarray(table[name], dtype=np.float64)
