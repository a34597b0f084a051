"""The code of a playbook's learnt effect: logged with the effect, so that loading it needs nothing of this project.

An effect is the share of the value at stake that acting keeps or wins. Either all accounts have the same effect, or trees tell
which accounts the playbook helps more; then an account has the average effect and the share `trust` of its difference from the
average: as much of it as held up on accounts that the trees had not seen. No pickles: a card of JSON, and the trees as LightGBM writes them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CARD, FORMAT = "effect.json", 1
CHANCE = "chance"
"""The column, in a frame, of the chance of the outcome that the playbook is to avoid."""
LEAST_CHANCE = 0.02
"""An outcome that hardly happens can hardly be avoided: smaller chances count as this, so that no share of nearly nothing is huge."""


class EffectModel:
    """The effect of a playbook, for each account. `matrix` is (n, k) float64 with the columns of `features`; NaN is absent."""

    def __init__(self, card: dict[str, Any], boosters: Mapping[str, str]) -> None:
        if card.get("format") != FORMAT:
            raise ValueError(
                f"the effect's format is {card.get('format')}, this code reads format {FORMAT}: learn it again"
            )
        self.card = card
        self.features: tuple[str, ...] = tuple(card["features"])
        self._boosters = {name: lightgbm.Booster(model_str=text) for name, text in boosters.items()}

    @classmethod
    def load(cls, directory: Path) -> "EffectModel":
        """Read the card and the trees that it names."""
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        names = {part["booster"] for part in card["parts"]}
        return cls(card, {name: (directory / name).read_text(encoding="utf-8") for name in names})

    @property
    def tells_apart(self) -> bool:
        """Whether the effects of accounts differ."""
        return bool(self.card["parts"])

    def shares(self, matrix: Floats, chance: Floats) -> Floats:
        """The share of the value at stake that acting keeps or wins, (n,), by the chance (n,) of the outcome to avoid."""
        average = np.full(len(chance), float(self.card["share"]))
        if not self.tells_apart:
            return average
        said = -self._changes(matrix) / np.maximum(chance, LEAST_CHANCE)
        return np.asarray(average + self.card["trust"] * (said - average))

    def _changes(self, matrix: Floats) -> Floats:
        """By how much acting changes the chance of the outcome to avoid, (n,)."""
        changes = np.zeros(len(matrix))
        for part in self.card["parts"]:
            switch = part["switch"]
            asked = matrix if switch is None else np.column_stack([matrix, np.full(len(matrix), switch)])
            changes += part["weight"] * np.asarray(self._boosters[part["booster"]].predict(asked, num_threads=1))
        return changes


class EffectPyfunc(PythonModel):
    """The same effect for readers by `mlflow.pyfunc`: a frame with `chance` and the features in, shares out."""

    model: EffectModel

    def load_context(self, context: Any) -> None:
        """Called by MLflow with the paths of the model's files."""
        self.model = EffectModel.load(Path(context.artifacts["model"]))

    # MLflow evaluates these annotations when the class is made, and pandas cannot evaluate Series[float].
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """A Series called effect with the frame's index; KeyError if a column is missing."""
        matrix = model_input[list(self.model.features)].to_numpy(dtype=np.float64)
        shares = self.model.shares(matrix, model_input[CHANCE].to_numpy(dtype=np.float64))
        return pd.Series(shares, index=model_input.index, name="effect")


set_model(EffectPyfunc())
