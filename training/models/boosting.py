"""The rung of LightGBM, and the features that its trees may learn from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import lightgbm
import numpy as np

from features.arrays import Floats
from features.definitions import Feature, Season
from registry.target_kinds import AnswerKind
from training.data.dataset import Dataset
from training.models.rung import Fitted, FoldData

MAX_ROUNDS = 600

PATIENCE = 60

DEFAULT_ROUNDS = 100

FEW_ROWS = 20_000

SEASONS_SEEN = timedelta(days=365 + 30)

ROWS_AT_ONCE = 1 << 16


# Small trees, slow steps, strong shrinkage: between 2,000 and 200,000 rows these lose little anywhere and overfit
# nowhere, which matters more than the last thousandth. No class weights: they would spoil the probabilities.
BOOSTING: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.03,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "feature_fraction_bynode": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "path_smooth": 10.0,
    "max_bin": 127,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}


@dataclass(frozen=True)
class BoostedRung:
    """LightGBM on every feature; the number of rounds is all that is chosen."""

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    rounds: int = DEFAULT_ROUNDS
    parameters: Mapping[str, Any] = field(default_factory=lambda: BOOSTING)
    metric: str = "binary_logloss"
    """LightGBM's name of the loss that tells when to stop."""
    answer: AnswerKind = "probability"

    @property
    def settings(self) -> Mapping[str, Any]:
        """LightGBM's parameters and the number of rounds."""
        return {"num_boost_round": self.rounds, **self.parameters}

    def tuned(self, folds: Sequence[FoldData], seed: int) -> "BoostedRung":
        """The rounds where log loss over all folds together, each judged later than it learnt, is lowest."""
        if not folds:
            return self
        curves = [self.later_losses(fold, seed) for fold in folds]
        shared = min(len(curve) for curve in curves)
        total = np.sum([curve[:shared] * len(fold.later) for curve, fold in zip(curves, folds, strict=True)], axis=0)
        return replace(self, rounds=int(np.argmin(total)) + 1)

    def fit(self, data: Dataset, seed: int) -> Fitted:
        """The same data, seed and number of threads give the same trees."""
        booster = lightgbm.train(self._parameters(data, seed), self._lightgbm(data), num_boost_round=self.rounds)
        return Fitted(self.name, self.features, booster=booster.model_to_string(), answer=self.answer)

    def later_losses(self, fold: FoldData, seed: int, callbacks: Sequence[Callable[..., None]] = ()) -> Floats:
        """Log loss on the fold's later rows after every round, until it has not fallen for a while."""
        learnt_from = fold.train
        train, curve = self._lightgbm(learnt_from), dict[str, dict[str, list[float]]]()
        lightgbm.train(
            self._parameters(learnt_from, seed),
            train,
            num_boost_round=MAX_ROUNDS,
            valid_sets=[self._lightgbm(fold.later, reference=train)],
            valid_names=["later"],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(curve), *callbacks],
        )
        return np.array(curve["later"][self.metric])

    def _lightgbm(self, data: Dataset, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
        matrix = data.columns(self.features)
        return lightgbm.Dataset(
            matrix,
            self._labels(data),
            weight=None if data.half_life_days is None else data.weights,
            feature_name=list(self.features),
            reference=reference,
            params={"verbosity": -1},
        )

    def _labels(self, data: Dataset) -> Floats:
        """What the trees are to foresee."""
        return data.labels

    def _parameters(self, data: Dataset, seed: int) -> dict[str, Any]:
        # Below this a second thread gains nothing, and loses much when somebody else needs the core.
        threads = {"num_threads": 1} if len(data) < FEW_ROWS else {}
        return {**self.parameters, **threads, "seed": seed}


def learnable(catalog: Iterable[Feature], dates: Sequence[datetime]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the features that trees can learn from these as_of dates, and in words what was left out.

    Until every season has been seen twice, the point in the year is a date under another name: trees would learn how
    the churn rate went, date by date, and go on with it in a season that they have not seen.
    """
    covered = max(dates) - min(dates)
    if covered >= SEASONS_SEEN:
        return tuple(feature.name for feature in catalog), ()
    names = tuple(feature.name for feature in catalog if not isinstance(feature.definition, Season))
    note = (
        f"the dates cover {covered.days} days, so no season was seen twice: features of the calendar were left out, and "
        f"a swing with the season will show as answers that are too high or too low"
    )
    return names, (note,)


def informative(data: Dataset, names: Sequence[str]) -> tuple[str, ...]:
    """Those of the features that are not the same in every row: a stream that a company does not have says nothing."""
    bits = data.matrix.view(np.int64)  # one pass, in which an absent value equals an absent value
    varies = np.zeros(len(data.features), dtype=np.bool_)
    for start in range(0, len(bits), ROWS_AT_ONCE):
        varies |= (bits[start : start + ROWS_AT_ONCE] != bits[:1]).any(axis=0)
    vary = {name for name, does in zip(data.features, varies, strict=True) if does}
    return tuple(name for name in names if name in vary)
