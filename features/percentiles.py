"""The percentile of a score in a population: training and serving must rank alike, and do not import each other."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np

from features.arrays import Array


def percentile_in(reference: Array, score: Array) -> Array:
    """The mid-rank of each score among sorted reference scores, 0 to 1, (n,); NaN for NaN.

    (scores below + half of those equal) / all: an account in the middle of its population is at 0.5.
    """
    below = np.searchsorted(reference, score, side="left")
    up_to = np.searchsorted(reference, score, side="right")
    return np.where(np.isnan(score), np.nan, (below + up_to) / (2 * reference.size))


def percentile_of(reference: Sequence[float], score: float) -> float:
    """`percentile_in` of one score that is not NaN, to the last bit, at a tenth of the cost."""
    return (bisect_left(reference, score) + bisect_right(reference, score)) / (2 * len(reference))
