"""The regressions that effects are made of: small LightGBM models of an outcome, of a chance, or of a pseudo-outcome."""

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from features.arrays import Floats
from training.models.boosting import BOOSTING

ROUNDS = 100
FEW_ROWS = 200_000
"""An estimate grows some fifty small models: below this a second thread waits for the first more than it helps."""

# An effect is a small difference of large things: what learns it directly must be slower to believe than what learns outcomes.
CAUTIOUS: dict[str, Any] = {"num_leaves": 7, "min_data_in_leaf": 100, "lambda_l2": 50.0, "path_smooth": 50.0}


@dataclass(frozen=True)
class Trees:
    """A fitted regression."""

    booster: lightgbm.Booster

    def predict(self, matrix: Floats) -> Floats:
        """One number a row."""
        return np.asarray(self.booster.predict(matrix, **_threads(len(matrix))), dtype=np.float64)


@dataclass(frozen=True)
class Grower:
    """How trees are grown in one estimate: which columns are categories, and the seed."""

    categories: tuple[int, ...]
    seed: int

    def outcome(self, matrix: Floats, outcome: Floats, *, is_binary: bool) -> Trees:
        """Expected outcome: a probability if it is 0 or 1."""
        return self._grown(matrix, outcome, {"objective": "binary" if is_binary else "regression"})

    def chance(self, matrix: Floats, happened: Floats, weights: Floats | None = None) -> Trees:
        """The probability that something happened."""
        return self._grown(matrix, happened, {"objective": "binary"}, weights)

    def effect(self, matrix: Floats, pseudo_outcome: Floats) -> Trees:
        """Expected effect, from a number for each row whose mean it is."""
        return self._grown(matrix, pseudo_outcome, {"objective": "regression", **CAUTIOUS})

    def _grown(self, matrix: Floats, target: Floats, settings: dict[str, Any], weights: Floats | None = None) -> Trees:
        parameters = {**BOOSTING, **settings, **_threads(len(matrix)), "seed": self.seed}
        data = lightgbm.Dataset(
            matrix, target, weight=weights, categorical_feature=list(self.categories), params={"verbosity": -1}
        )
        return Trees(lightgbm.train(parameters, data, num_boost_round=ROUNDS))


def _threads(rows: int) -> dict[str, Any]:
    return {"num_threads": 1} if rows < FEW_ROWS else {}
