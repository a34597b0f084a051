"""Cuts that are crossed only by more than a margin, so that nobody moves to and fro for a trifle.

A segmentation is remembered by its name alone: the night before is all that is needed.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from features.arrays import Flags, Floats
from serving.scoring.columns import Codes
from serving.segmentation.settings import Threshold
from serving.segmentation.wording import number


@dataclass(frozen=True)
class Cut:
    """Where high begins: for who has no segmentation yet `at`, for who was low above `rise`, for who was high `fall`."""

    at: float
    rise: float
    fall: float

    @classmethod
    def of(cls, threshold: Threshold, values: Floats, margin: float) -> "Cut":
        """The cut among tonight's values; out of reach where there are none to take a quantile of.

        A quantile moves from night to night, so its margin is one of rank: with 0.80 and 0.05 who was high stays so
        down to the quantile 0.75. The margin of an absolute cut is a share of it.
        """
        if threshold.absolute is not None:
            return cls.around(threshold.absolute, margin * threshold.absolute)
        known = values[~np.isnan(values)]
        if threshold.quantile is None or not len(known):
            return cls(np.inf, np.inf, np.inf)
        half = within(threshold.quantile, margin)
        quantiles = [threshold.quantile, threshold.quantile + half, threshold.quantile - half]
        at, rise, fall = np.quantile(known, quantiles)
        return cls(float(at), float(rise), float(fall))

    @classmethod
    def around(cls, at: float, distance: float) -> "Cut":
        """A cut with the same distance on both sides."""
        return cls(at, at + distance, at - distance)

    def exceeded(self, values: Floats, before: Floats) -> Flags:
        """Whether each value is high, (rows,); NaN is not. `before`: 1 was high, 0 was low, NaN had no segmentation."""
        high = values >= self.at
        high = np.where(before == 1, values >= self.fall, high)
        return np.asarray(np.where(before == 0, values > self.rise, high), dtype=np.bool_)

    def in_words(self, what: str, value: float, *, high: bool, before: float) -> str:
        """How a value stands to the side of the cut that decided: it passed it, fell below it, or is where it was."""
        cut = {1.0: self.fall, 0.0: self.rise}.get(float(before), self.at)
        verb = {(True, 0.0): "passed", (False, 1.0): "fell below"}.get(
            (high, float(before)), "is above" if high else "is below"
        )
        return f"{what} {number(value)} {verb} the cut of {number(cut)}"


def within(rank: float, margin: float) -> float:
    """The margin around a rank of 0 to 1, no more than half of the way to either end: a cut must stay passable."""
    return min(margin, rank / 2, (1.0 - rank) / 2)


def was(before: Codes, names: Sequence[str], yes: Collection[str], no: Collection[str]) -> Floats:
    """1 where the segmentation before is one of `yes`, 0 where it is one of `no`, NaN for others and none, (rows,)."""
    # The last one is taken for NOWHERE.
    meaning = [1.0 if name in yes else 0.0 if name in no else np.nan for name in (*names, None)]
    return np.array(meaning)[before]
