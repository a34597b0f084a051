"""The value × potential matrix: four quadrants, each with a treatment of its own."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Flags, Floats
from serving.scoring.columns import Codes
from serving.segmentation.hysteresis import Cut, was
from serving.segmentation.settings import QUADRANTS, Matrix

CORE, STABLE, GROWTH, ROUTINE = QUADRANTS


@dataclass(frozen=True)
class Quadrants:
    """Where each account stands in the matrix, and the cuts that put it there."""

    value: Floats
    potential: Floats
    value_cut: Cut
    potential_cut: Cut
    value_before: Floats
    """1 where the value was high the night before, 0 where it was not, NaN where there was no segmentation."""
    potential_before: Floats
    high_value: Flags
    high_potential: Flags

    @classmethod
    def of(cls, value: Floats, potential: Floats, before: Codes, matrix: Matrix, margin: float) -> "Quadrants":
        """Nothing is never a high value, and an unknown potential not a high one."""
        value_cut, potential_cut = Cut.of(matrix.value, value, margin), Cut.of(matrix.potential, potential, margin)
        value_before = was(before, QUADRANTS, (CORE, STABLE), (GROWTH, ROUTINE))
        potential_before = was(before, QUADRANTS, (CORE, GROWTH), (STABLE, ROUTINE))
        return cls(
            value, potential, value_cut, potential_cut, value_before, potential_before,
            value_cut.exceeded(value, value_before) & (value > 0),
            potential_cut.exceeded(potential, potential_before),
        )  # fmt: skip

    @property
    def codes(self) -> Codes:
        """The quadrant of each account."""
        return np.asarray(2 * ~self.high_value + 1 * ~self.high_potential, dtype=np.int8)

    def why(self, row: int) -> str:
        """What crossed which cut, in words with numbers."""
        told = []
        if self.high_value[row] != self.value_before[row]:
            told.append(self.value_in_words(row))
        if self.high_potential[row] != self.potential_before[row]:
            told.append(self.potential_in_words(row))
        return "; ".join(told)

    def value_in_words(self, row: int) -> str:
        """On which side of its cut the value is."""
        high, before = bool(self.high_value[row]), float(self.value_before[row])
        return self.value_cut.in_words("value", self.value[row], high=high, before=before)

    def potential_in_words(self, row: int) -> str:
        """On which side of its cut the potential is."""
        if np.isnan(self.potential[row]):
            return "nothing is on record that tells of potential"
        high, before = bool(self.high_potential[row]), float(self.potential_before[row])
        return self.potential_cut.in_words("potential", self.potential[row], high=high, before=before)
