"""The code that travels inside every registered model: a directory of plain files in, probabilities and contributions out.

MLflow stores this file with the model and runs it wherever the model is loaded, so it imports nothing from this
project. A model is `model.json` (the card: what it is, its linear terms, its calibration) and, on the LightGBM rung,
`booster.txt`; nothing is pickled.

Everything here works row by row: the answer for a row is bit for bit the same alone and inside a batch of any size.
"""

import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

FORMAT = 1
CARD, BOOSTER = "model.json", "booster.txt"
FEW_ROWS = 256
FARTHEST_MARGIN = 500.0  # exp() of more would overflow, and the probability is 0 or 1 long before

Floats = NDArray[np.float64]


def sigmoid(margin: Floats) -> Floats:
    """Log-odds to probability."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(margin, -FARTHEST_MARGIN, FARTHEST_MARGIN))))


def softplus(margin: Floats) -> Floats:
    """log(1 + exp(margin)), without overflow: −log(1 − p) for p = sigmoid(margin)."""
    return np.maximum(margin, 0.0) + np.log1p(np.exp(-np.abs(margin)))


def calibrated(margin: Floats, calibration: Mapping[str, Any]) -> Floats:
    """Raw log-odds to calibrated log-odds; never turns two accounts round, because slopes are not negative.

    none: as they are. platt: slope·m + intercept. beta (Kull, Silva Filho, Flach 2017, eq. 4 in log-odds, with
    p = sigmoid(m)): a·log p − b·log(1 − p) + c.
    """
    method, parameters = calibration["method"], calibration.get("parameters", {})
    if method == "none":
        return margin
    if method == "platt":
        return np.asarray(parameters["slope"] * margin + parameters["intercept"])
    if method == "beta":
        rising = parameters["b"] * softplus(margin) - parameters["a"] * softplus(-margin)
        return np.asarray(rising + parameters["c"])
    raise ValueError(f"calibration method '{method}' is not known; it must be none, platt or beta")


def signed_log1p(values: Floats) -> Floats:
    """sign(x)·log(1 + |x|): tames long tails of both signs (an account whose returns exceed its orders); NaN stays NaN."""
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))


def term_values(term: Mapping[str, Any], values: Floats) -> Floats:
    """What one linear term adds to the log-odds: weight × (transformed − centre) / scale; `missing` where absent."""
    # Contiguous, because numpy may take another code path, with another last bit, for values that lie apart.
    standardised = (signed_log1p(np.ascontiguousarray(values)) - term["centre"]) / term["scale"]
    return np.asarray(np.where(np.isnan(standardised), term["missing"], term["weight"] * standardised))


def silence_margin(buying: Mapping[str, Any], matrix: Floats) -> Floats:
    """Log-odds of no purchase within the horizon by BG/NBD (Fader, Hardie & Lee 2005, eq. 6 and 7), (n,).

    `matrix` (n, 3) holds orders so far, days since the first and days since the last one; what is absent counts as the
    reference account's, and what cannot be (a last order before the first) as the nearest that can.
    """
    filled = np.where(np.isnan(matrix), buying["reference"], matrix)
    repeats = np.maximum(filled[:, 0] - 1.0, 0.0)
    known = np.maximum(filled[:, 1], 0.0)
    last = np.clip(known - filled[:, 2], 0.0, known)
    r, alpha, a, b = (buying[name] for name in ("r", "alpha", "a", "b"))
    until, ends = alpha + known, alpha + known + buying["horizon"]
    with np.errstate(divide="ignore"):
        dropped = np.log(np.where(repeats > 0, a / np.maximum(b + repeats - 1.0, 1e-300), 0.0))
    gone = dropped + (r + repeats) * (np.log(until) - np.log(alpha + last))
    silent = np.minimum((r + repeats) * (np.log(until) - np.log(ends)), -1e-12)
    return np.asarray(np.logaddexp(gone, silent) - np.log(-np.expm1(silent)))


class ScoreModel:
    """A fitted model: its card, and a booster where the rung has one.

    `matrix` is always (n, k) float64 with the columns of `features` in their order; NaN means absent.
    """

    def __init__(self, card: dict[str, Any], booster: str | None = None) -> None:
        if card.get("format") != FORMAT:
            raise ValueError(
                f"the model's format is {card.get('format')}, this code reads format {FORMAT}: train it again"
            )
        self.card = card
        self.features: tuple[str, ...] = tuple(card["features"])
        self._booster: Any = None if booster is None else lightgbm.Booster(model_str=booster)

    @classmethod
    def load(cls, directory: Path) -> "ScoreModel":
        """Read `model.json` and, where there is one, `booster.txt`; FileNotFoundError without a card."""
        booster = directory / BOOSTER
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        return cls(card, booster.read_text(encoding="utf-8") if booster.exists() else None)

    def margin(self, matrix: Floats) -> Floats:
        """Log-odds before calibration, (n,)."""
        matrix = self._checked(matrix)
        if self.card.get("buying"):
            return silence_margin(self.card["buying"], matrix)
        if self._booster is None:
            return self._linear_margin(matrix)
        return self._boosted(matrix, raw_score=True) if len(matrix) else np.empty(0)

    def probability(self, matrix: Floats) -> Floats:
        """Calibrated probability of the target, (n,)."""
        return sigmoid(calibrated(self.margin(matrix), self.card["calibration"]))

    def contributions(self, matrix: Floats) -> Floats:
        """Signed contribution of each feature to the log-odds before calibration, (n, k).

        LightGBM: SHAP values of the trees. Linear rungs: weight × (transformed value − its mean in training). BG/NBD:
        Shapley values against the reference account. Each row sums to its margin less a constant of the model.
        """
        matrix = self._checked(matrix)
        if self.card.get("buying"):
            return self._buying_contributions(matrix)
        if self._booster is None:
            return self._linear_contributions(matrix)
        return self._boosted(matrix, pred_contrib=True)[:, :-1] if len(matrix) else np.empty(matrix.shape)

    def _linear_margin(self, matrix: Floats) -> Floats:
        # Column by column, because a matrix product may add in another order for another number of rows.
        margin = np.full(len(matrix), self.card["linear"]["intercept"], dtype=np.float64)
        for column in self._linear_contributions(matrix).T:
            margin = margin + column
        return margin

    def _linear_contributions(self, matrix: Floats) -> Floats:
        shares = np.zeros(matrix.shape)
        for term in self.card["linear"]["terms"]:
            column = self.features.index(term["feature"])
            shares[:, column] = term_values(term, matrix[:, column])
        return shares

    def _buying_contributions(self, matrix: Floats) -> Floats:
        """Of three features every order in which they can become the account's own has a sixth of the say."""
        reference = np.broadcast_to(np.asarray(self.card["buying"]["reference"], dtype=np.float64), matrix.shape)
        shares = np.zeros(matrix.shape)
        for order in permutations(range(3)):
            own = np.array(reference)
            before = silence_margin(self.card["buying"], own)
            for column in order:
                own[:, column] = matrix[:, column]
                after = silence_margin(self.card["buying"], own)
                shares[:, column] += (after - before) / 6.0
                before = after
        return shares

    def _checked(self, matrix: Floats) -> Floats:
        matrix = np.asarray(matrix, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != len(self.features):
            raise ValueError(
                f"the model reads {len(self.features)} features a row; the matrix has shape {matrix.shape}"
            )
        return matrix

    def _boosted(self, matrix: Floats, **what: Any) -> Floats:
        # Waking the other threads for a few rows costs more than the rows (stalls of milliseconds).
        threads = {"num_threads": 1} if len(matrix) <= FEW_ROWS else {}
        return np.asarray(self._booster.predict(matrix, **what, **threads), dtype=np.float64)


class ScorePyfunc(PythonModel):
    """The same model for whoever loads it with `mlflow.pyfunc`: a frame with the feature columns in, probabilities out."""

    model: ScoreModel

    def load_context(self, context: Any) -> None:
        """Called by MLflow with the paths of the model's files."""
        self.model = ScoreModel.load(Path(context.artifacts["model"]))

    # MLflow evaluates these annotations when the class is made, and pandas cannot evaluate Series[float].
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """Calibrated probability of each row, as a Series with the frame's index; KeyError if a feature's column is missing."""
        matrix = model_input[list(self.model.features)].to_numpy(dtype=np.float64)
        return pd.Series(self.model.probability(matrix), index=model_input.index, name="probability")


set_model(ScorePyfunc())
