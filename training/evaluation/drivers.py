"""What moves the scores of a model's population, and which way."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.arrays import Floats
from features.catalog import named
from features.engine.plan import FeatureSet
from registry.card import Recipe
from registry.versions import scorer
from training.data.dataset import Dataset

EXPLAINED_ROWS = 1000  # exact tree contributions cost milliseconds a row, and a mean needs no more


@dataclass(frozen=True)
class Driver:
    """One feature's part in the scores."""

    feature: str
    meaning: str
    size: float
    """Mean absolute contribution, in log-odds."""
    direction: float
    """Correlation of the value's rank with its contribution: +1 more is riskier, −1 more is safer, near 0 mixed."""

    @property
    def in_words(self) -> str:
        """How to read the direction."""
        if abs(self.direction) < 0.3:
            return "mixed"
        return "more is riskier" if self.direction > 0 else "more is safer"


def drivers(
    recipe: Recipe, booster: str | None, population: Dataset, catalog: FeatureSet, most: int = 12
) -> list[Driver]:
    """The features with the largest mean contribution, largest first; those that contribute nothing are left out."""
    matrix = population.matrix[:: max(1, len(population) // EXPLAINED_ROWS)]
    contributions = scorer(recipe, booster).contributions(matrix)
    described = zip(named(population.features, catalog), matrix.T, contributions.T, strict=True)
    measured = [
        Driver(feature.name, feature.meaning, _size(share), _direction(values, share))
        for feature, values, share in described
    ]
    return sorted((driver for driver in measured if driver.size > 0), key=lambda driver: -driver.size)[:most]


def _size(contribution: Floats) -> float:
    return float(np.abs(contribution).mean()) if len(contribution) else 0.0


def _direction(values: Floats, contribution: Floats) -> float:
    present = ~np.isnan(values)
    # Equal values share a rank: of a signal that is 0 for nearly everybody the order of rows would be all that counts.
    ranks = pd.Series(values[present]).rank().to_numpy()
    if len(ranks) < 2 or np.ptp(ranks) == 0 or np.ptp(contribution[present]) == 0:
        return 0.0
    return float(np.corrcoef(ranks, contribution[present])[0, 1])
