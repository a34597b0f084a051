"""What the rungs of the ladder have in common: from a dataset to a fitted model, which is plain data.

The code of the registered model reads this data, in training as in service, so that the judged model is the served one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np

from features.arrays import Floats
from registry.model_code import model_code
from registry.target_kinds import AnswerKind
from training.data.dataset import Dataset
from training.data.splits import Fold


@dataclass(frozen=True)
class Fitted:
    """What a rung learnt: linear terms, how accounts buy, or a booster's text, over `features` in this order."""

    rung: str
    features: tuple[str, ...]
    linear: Mapping[str, Any] | None = None
    buying: Mapping[str, Any] | None = None
    booster: str | None = None
    answer: AnswerKind = "probability"
    offset: float = 0.0
    """What the booster's margins are counted from."""
    scale: float = 1.0
    """Of days: how far log days spread about the margin."""

    def margin(self, data: Dataset) -> Floats:
        """Margins before calibration, (n,), as the registered model computes them."""
        code = model_code()
        model = code.ScoreModel({"format": code.FORMAT, **self.to_json()}, self.booster)
        return np.asarray(model.margin(data.columns(self.features)))

    def to_json(self) -> dict[str, Any]:
        """What the card says of this model."""
        return {
            "rung": self.rung,
            "features": list(self.features),
            "linear": self.linear,
            "buying": self.buying,
            "answer": self.answer,
            "offset": self.offset,
            "calibration": {"method": "none"},
        }


@dataclass(frozen=True)
class FoldData:
    """One fold's rows, cut out when asked for: several folds share one dataset."""

    data: Dataset
    fold: Fold

    @property
    def train(self) -> Dataset:
        """What a model standing at the fold's as_of may learn from."""
        return self.data.at(self.fold.train)

    @property
    def later(self) -> Dataset:
        """What it is judged on."""
        return self.data.at([self.fold.at])


class Rung(Protocol):
    """A step of the ladder. `needs_accounts`: different accounts with the rarer label, about ten a free parameter."""

    @property
    def name(self) -> str: ...

    @property
    def needs_accounts(self) -> int: ...

    @property
    def settings(self) -> Mapping[str, Any]:
        """What was set or chosen, for the record."""
        ...

    def tuned(self, folds: Sequence[FoldData], seed: int) -> "Rung":
        """The rung with its settings chosen on out-of-time folds (none of which is the test)."""
        ...

    def fit(self, data: Dataset, seed: int) -> Fitted:
        """Learn from labelled data that holds both labels."""
        ...


class AsItIs:
    """Of a rung that has nothing to set and nothing to tune."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Nothing is set."""
        return {}

    def tuned(self, folds: Sequence[FoldData], seed: int) -> Self:  # noqa: ARG002  # as the protocol says
        """There is nothing to tune."""
        return self
