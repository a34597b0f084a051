"""Names for rows as Python has them, for type annotations."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""Values by column."""
Rows = Mapping[str, Sequence[Row]]
"""Rows by stream."""
