"""The code that travels inside every registered model: a directory of plain files in, answers and contributions out.

An answer is a probability, an amount, or days until something happens. All three come from one number a row, the margin:
log-odds, log of the expected amount, log of the median days.

MLflow stores this file with the model and runs it wherever the model is loaded, so it imports nothing from this
project. A model is `model.json` (the card: what it is, its linear terms, its calibration) and, on the LightGBM rung,
`booster.txt`; nothing is pickled.

Everything here works row by row: the answer for a row is bit for bit the same alone and inside a batch of any size.
"""

import ctypes
import json
from collections.abc import Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import lightgbm
import lightgbm.basic
import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray
from scipy.special import hyp2f1

FORMAT = 1
CARD, BOOSTER, JUDGED = "model.json", "booster.txt", "judged.txt"
FEW_ROWS = 256
FARTHEST_LOG = 50.0
LOGITS = np.array([0.0, -np.log(9.0), np.log(9.0)])  # of 50, 10 and 90 %
FARTHEST_MARGIN = 500.0  # exp() of more would overflow, and the probability is 0 or 1 long before

Floats = NDArray[np.float64]


def sigmoid(margin: Floats) -> Floats:
    """Log-odds to probability."""
    # Not np.clip, which costs one row more than all the rest of this.
    return np.asarray(1.0 / (1.0 + np.exp(-np.minimum(np.maximum(margin, -FARTHEST_MARGIN), FARTHEST_MARGIN))))


def softplus(margin: Floats) -> Floats:
    """log(1 + exp(margin)), without overflow: −log(1 − p) for p = sigmoid(margin)."""
    return np.maximum(margin, 0.0) + np.log1p(np.exp(-np.abs(margin)))


def calibrated(margin: Floats, calibration: Mapping[str, Any]) -> Floats:
    """Raw log-odds to calibrated log-odds; never turns two accounts round, because slopes are not negative.

    none: as they are. platt, and of other answers level and rhythm: slope·m + intercept. beta (Kull, Silva Filho, Flach 2017, eq. 4 in log-odds, with
    p = sigmoid(m)): a·log p − b·log(1 − p) + c.
    """
    method, parameters = calibration["method"], calibration.get("parameters", {})
    if method == "none":
        return margin
    if method in {"platt", "level", "rhythm"}:
        return np.asarray(parameters["slope"] * margin + parameters["intercept"])
    if method == "beta":
        rising = parameters["b"] * softplus(margin) - parameters["a"] * softplus(-margin)
        return np.asarray(rising + parameters["c"])
    raise ValueError(f"calibration method '{method}' is not known; it must be none, platt, beta, level or rhythm")


def answered(answer: str, margin: Floats, calibration: Mapping[str, Any]) -> Floats:
    """Margins before calibration → probability (n,), expected amount (n,), or days (n, 3): median, and 10 and 90 % bounds.

    Days are log-logistic: log(days) = m + scale · logistic noise, so that the quantile q lies at exp(m + scale·logit q).
    """
    straight = calibrated(margin, calibration)
    if answer == "probability":
        return sigmoid(straight)
    straight = np.clip(straight, -FARTHEST_LOG, FARTHEST_LOG)
    if answer == "amount":
        return np.asarray(np.exp(straight))
    scale = calibration["parameters"]["scale"]
    return np.asarray(np.exp(straight[:, None] + scale * LOGITS))


def signed_log1p(values: Floats) -> Floats:
    """sign(x)·log(1 + |x|): tames long tails of both signs (an account whose returns exceed its orders); NaN stays NaN."""
    return np.asarray(np.copysign(np.log1p(np.abs(values)), values))


def term_values(term: Mapping[str, Any], values: Floats) -> Floats:
    """What one linear term adds to the log-odds: weight × (transformed − centre) / scale; `missing` where absent."""
    # Contiguous, because numpy may take another code path, with another last bit, for values that lie apart.
    values = np.ascontiguousarray(values)
    shaped = np.log(np.maximum(values, term["floor"])) if term.get("transform") == "log" else signed_log1p(values)
    standardised = (shaped - term["centre"]) / term["scale"]
    return np.asarray(np.where(np.isnan(standardised), term["missing"], term["weight"] * standardised))


def silence_margin(buying: Mapping[str, Any], matrix: Floats) -> Floats:
    """Log-odds of no purchase within the horizon by BG/NBD (Fader, Hardie & Lee 2005, eq. 6 and 7), (n,).

    `matrix` (n, 3) holds orders so far, days since the first and days since the last one; what is absent counts as the
    reference account's, and what cannot be (a last order before the first) as the nearest that can.
    """
    filled = np.where(np.isnan(matrix), buying["reference"], matrix)
    repeats, known, last = _history(filled)
    r, alpha = buying["r"], buying["alpha"]
    until, ends = alpha + known, alpha + known + buying["horizon"]
    gone = _gone_margin(buying, repeats, known, last)
    silent = np.minimum((r + repeats) * (np.log(until) - np.log(ends)), -1e-12)
    return np.asarray(np.logaddexp(gone, silent) - np.log(-np.expm1(silent)))


def worth_margin(buying: Mapping[str, Any], matrix: Floats) -> Floats:
    """Log of the value expected within the horizon: purchases by BG/NBD (eq. 10) × worth of one by Gamma-Gamma (eq. 5), (n,).

    `matrix` (n, 4) holds orders so far, days since the first and since the last one, and the value of them all; what is
    absent counts as the reference account's. Who has never ordered has no rhythm: `new` is what such accounts went on to order.
    """
    filled = np.where(np.isnan(matrix), buying["reference"], matrix)
    orders, spent = np.maximum(filled[:, 0], 0.0), np.maximum(filled[:, 3], 0.0)
    p, q, gamma = (buying["worth"][name] for name in ("p", "q", "gamma"))
    worth = p * (gamma + spent) / (p * orders + q - 1.0)
    expected = np.maximum(purchases_expected(buying, filled[:, :3]), 1e-12)
    return np.asarray(np.where(orders > 0, np.log(expected) + np.log(np.maximum(worth, 1e-12)), buying["new"]))


def purchases_expected(buying: Mapping[str, Any], filled: Floats) -> Floats:
    """Expected purchases within the horizon (Fader, Hardie & Lee 2005, eq. 10), (n,), from columns without a gap."""
    repeats, known, last = _history(filled)
    r, alpha, a, b, horizon = (buying[name] for name in ("r", "alpha", "a", "b", "horizon"))
    stays = (alpha + known) / (alpha + known + horizon)
    with np.errstate(over="ignore", invalid="ignore"):
        as_printed = stays ** (r + repeats) * hyp2f1(r + repeats, b + repeats, a + b + repeats - 1.0, 1.0 - stays)
        # Euler's transformation of the same series, for accounts whose many orders in no time let the printed one overflow.
        turned = stays ** (a - 1.0) * hyp2f1(a + b - 1.0 - r, a - 1.0, a + b + repeats - 1.0, 1.0 - stays)
    left = np.where(np.isfinite(as_printed), as_printed, turned)
    # Where neither can be computed, as if no account stopped: the limit of the formula for b → ∞.
    never_stops = (r + repeats) / (alpha + known) * horizon
    while_alive = np.where(np.isfinite(left), (a + b + repeats - 1.0) / (a - 1.0) * (1.0 - left), never_stops)
    while_alive = np.clip(while_alive, 0.0, never_stops)
    return np.asarray(while_alive * sigmoid(-_gone_margin(buying, repeats, known, last)))


def _gone_margin(buying: Mapping[str, Any], repeats: Floats, known: Floats, last: Floats) -> Floats:
    """Log-odds of having stopped (eq. 7); −∞ without a repeat purchase, for one stops after a purchase only."""
    r, alpha, a, b = (buying[name] for name in ("r", "alpha", "a", "b"))
    with np.errstate(divide="ignore"):
        dropped = np.log(np.where(repeats > 0, a / np.maximum(b + repeats - 1.0, 1e-300), 0.0))
    return np.asarray(dropped + (r + repeats) * (np.log(alpha + known) - np.log(alpha + last)))


def _history(filled: Floats) -> tuple[Floats, Floats, Floats]:
    """Repeat purchases, days known, and when the last came, from orders, days since the first and since the last one."""
    known = np.maximum(filled[:, 1], 0.0)
    return np.maximum(filled[:, 0] - 1.0, 0.0), known, np.clip(known - filled[:, 2], 0.0, known)


class ScoreModel:
    """A fitted model: its card, and a booster where the rung has one.

    `matrix` is always (n, k) float64 with the columns of `features` in their order; NaN means absent.
    """

    def __init__(self, card: dict[str, Any], booster: str | None = None, directory: Path | None = None) -> None:
        if card.get("format") != FORMAT:
            raise ValueError(
                f"the model's format is {card.get('format')}, this code reads format {FORMAT}: train it again"
            )
        self.card = card
        self._directory = directory
        self.features: tuple[str, ...] = tuple(card["features"])
        self.answer: str = card.get("answer", "probability")
        self._booster: Any = None if booster is None else lightgbm.Booster(model_str=booster)
        self._one_row = None if booster is None else _OneRow(self._booster)

    @classmethod
    def load(cls, directory: Path) -> "ScoreModel":
        """Read `model.json` and, where there is one, `booster.txt`; FileNotFoundError without a card."""
        booster = directory / BOOSTER
        card = json.loads((directory / CARD).read_text(encoding="utf-8"))
        return cls(card, booster.read_text(encoding="utf-8") if booster.exists() else None, directory)

    def as_judged(self) -> "ScoreModel | None":
        """The same recipe as it had been fitted at the test date, before it saw what happened then; None if not kept."""
        card = self.card.get("as_judged")
        if card is None or self._directory is None:
            return None
        booster = self._directory / JUDGED
        return ScoreModel(card, booster.read_text(encoding="utf-8") if booster.exists() else None)

    def margin(self, matrix: Floats) -> Floats:
        """Log-odds, log amount or log days before calibration, (n,)."""
        matrix = self._checked(matrix)
        if self.card.get("buying"):
            return self._buying_margin(matrix)
        if self._booster is None:
            return self._linear_margin(matrix)
        if len(matrix) == 1 and self._one_row is not None:
            return np.asarray(self._one_row.margin(matrix) + self.card.get("offset", 0.0))
        return self._boosted(matrix, raw_score=True) + self.card.get("offset", 0.0) if len(matrix) else np.empty(0)

    def answers(self, matrix: Floats) -> Floats:
        """The answers: probability (n,), amount (n,), or days (n, 3): median, 10 and 90 % bounds."""
        return answered(self.answer, self.margin(matrix), self.card["calibration"])

    def probability(self, matrix: Floats) -> Floats:
        """Calibrated probability of the target, (n,); ValueError of a model that answers something else."""
        if self.answer != "probability":
            raise ValueError(f"the model answers with {self.answer}, not with a probability; ask for answers()")
        return self.answers(matrix)

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
        """Of k features every order in which they can become the account's own has a k!-th of the say."""
        reference = np.broadcast_to(np.asarray(self.card["buying"]["reference"], dtype=np.float64), matrix.shape)
        shares, orders = np.zeros(matrix.shape), list(permutations(range(matrix.shape[1])))
        for order in orders:
            own = np.array(reference)
            before = self._buying_margin(own)
            for column in order:
                own[:, column] = matrix[:, column]
                after = self._buying_margin(own)
                shares[:, column] += (after - before) / len(orders)
                before = after
        return shares

    def _buying_margin(self, matrix: Floats) -> Floats:
        buying = self.card["buying"]
        return worth_margin(buying, matrix) if "worth" in buying else silence_margin(buying, matrix)

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


class _OneRow:
    """LightGBM's own call for one row at a time: the sum of the same trees in the same order, without preparing anew each time.

    Safe to use from several threads: LightGBM locks, and each call has its own place for the answer.
    """

    def __init__(self, booster: Any) -> None:
        self._booster = booster  # which has to live as long as its handle is used
        # LightGBM has no public way to it; the same release reads the model as it was logged with.
        self._library = lightgbm.basic._LIB  # type: ignore[attr-defined]  # noqa: SLF001
        self._handle = ctypes.c_void_p()
        raw, from_first, all_trees, float64 = 1, 0, -1, 1
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle,  # noqa: SLF001
                raw, from_first, all_trees, float64, ctypes.c_int32(booster.num_feature()),
                ctypes.c_char_p(b"num_threads=1"), ctypes.byref(self._handle),
            )
        )  # fmt: skip

    def __del__(self) -> None:
        if self._handle:
            self._library.LGBM_FastConfigFree(self._handle)

    def margin(self, matrix: Floats) -> Floats:
        """The margin of a matrix of one row, (1,)."""
        row = np.ascontiguousarray(matrix)
        margin, size = np.empty(1), ctypes.c_int64()
        self._check(
            self._library.LGBM_BoosterPredictForMatSingleRowFast(
                self._handle, ctypes.c_void_p(row.ctypes.data), ctypes.byref(size), ctypes.c_void_p(margin.ctypes.data)
            )
        )
        return margin

    def _check(self, outcome: int) -> None:
        if outcome != 0:
            raise lightgbm.basic.LightGBMError(self._library.LGBM_GetLastError().decode())


class ScorePyfunc(PythonModel):
    """The same model for readers by `mlflow.pyfunc`: a frame with the feature columns in, answers out."""

    model: ScoreModel

    def load_context(self, context: Any) -> None:
        """Called by MLflow with the paths of the model's files."""
        self.model = ScoreModel.load(Path(context.artifacts["model"]))

    # MLflow evaluates these annotations when the class is made, and pandas cannot evaluate Series[float].
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:  # noqa: ARG002
        """The answer of each row with the frame's index; KeyError if a feature's column is missing.

        A Series called probability or amount; of days a frame with the columns median, low and high.
        """
        matrix = model_input[list(self.model.features)].to_numpy(dtype=np.float64)
        answers = self.model.answers(matrix)
        if answers.ndim == 2:
            return pd.DataFrame(answers, index=model_input.index, columns=["median", "low", "high"])
        return pd.Series(answers, index=model_input.index, name=self.model.answer)


set_model(ScorePyfunc())
