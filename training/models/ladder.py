"""The ladder: recency rule, BG/NBD, logistic regression on log-RFM, LightGBM. Each rung must earn its place over the one below.

A rung turns a dataset into a `Fitted` model: plain data that the registered model's code reads, and that training
itself reads with that same code, so that what was judged is what will be served.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol, Self

import lightgbm
import numpy as np
from sklearn.linear_model import LogisticRegression

from features.arrays import Floats
from features.definitions import Feature, Season
from registry.model_code import model_code
from registry.target_kinds import AnswerKind
from training.data.dataset import Dataset
from training.data.splits import Fold
from training.data.targets import Target
from training.metrics.probabilities import log_losses
from training.models import shrinkage
from training.models.bgnbd import Buying
from training.models.bgnbd import fit as fit_bgnbd

BASELINES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "churn": ("recency", ("purchases_days_since_last",)),
    "contract_churn": ("term", ("contracts_days_left_min",)),
    "contraction": ("trend", ("purchases_amount_trend_90d",)),
    "upsell": ("trend", ("purchases_amount_trend_90d",)),
    "cross_sell": ("breadth", ("purchases_categories_distinct_365d",)),
}
"""By kind of target, the rule that a model must beat: its name, and the one feature that it looks at."""
CONTRACT_FEATURES = ("contracts_days_left_min", "contracts_days_since_first", "contracts_renewed_count")
LOG_RFM_FEATURES = (
    "purchases_days_since_last",
    "purchases_days_since_first",
    "purchases_orders_distinct_365d",
    "purchases_orders_distinct",
    "purchases_amount_sum_365d",
    "purchases_amount_sum",
)

BUYING_FEATURES = ("purchases_orders_distinct", "purchases_days_since_first", "purchases_days_since_last")

SETTLED = 1e-8
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


@dataclass(frozen=True)
class PooledRung(AsItIs):
    """One probability for every account: the pooled rate, for companies that cannot carry even the recency rule.

    It names the feature of that rule, with a weight of 0, so that whoever reads the model finds what it would look at.
    """

    name: str = "pooled"
    features: tuple[str, ...] = BASELINES["churn"][1]
    needs_accounts: int = 3

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: nothing is drawn."""
        terms = [_term(feature, 0.0, 1.0, 0.0, 0.0) for feature in self.features]
        return Fitted(self.name, self.features, {"intercept": shrinkage.rate_log_odds(data.labels), "terms": terms})


@dataclass(frozen=True)
class LinearRung:
    """Logistic regression on signed log1p of a few features, standardised, ridge penalty.

    Where a feature is absent for some accounts in training, absence has a weight of its own; else it counts as the
    mean, so that an account whose history says nothing is neither praised nor blamed for it.
    """

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    penalty: float | None = None
    """None: not chosen yet, so what `shrinkage.unproven` says."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """The penalty."""
        return {"linear_penalty": self.penalty or "as for so many accounts, without evidence"}

    def tuned(self, folds: Sequence[FoldData], seed: int) -> "LinearRung":
        """The usual penalty where many accounts teach; with few, the one whose log loss over all folds is lowest."""
        if not folds:
            return self
        if folds[-1].train.rarer_accounts >= shrinkage.FEW:
            return replace(self, penalty=shrinkage.USUAL)
        return replace(self, penalty=shrinkage.least_loss(lambda penalty: self._later_losses(penalty, folds, seed)))

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the minimum is unique."""
        shaped = standardised(self.features, data)
        penalty = self.penalty or shrinkage.unproven(data.rarer_accounts)
        fitted = LogisticRegression(C=1 / penalty, solver="newton-cholesky", tol=SETTLED)
        fitted.fit(shaped.columns, data.labels, sample_weight=data.weights)
        return Fitted(self.name, self.features, shaped.linear(float(fitted.intercept_[0]), fitted.coef_[0]))

    def _later_losses(self, penalty: float, folds: Sequence[FoldData], seed: int) -> Floats:
        rung, code = replace(self, penalty=penalty), model_code()
        said = ((code.sigmoid(rung.fit(fold.train, seed).margin(fold.later)), fold.later.labels) for fold in folds)
        return np.concatenate([log_losses(probability, labels) for probability, labels in said])


@dataclass(frozen=True)
class Standardised:
    """Signed log1p of some features, centred and scaled, absent values at the centre; beside them where each is absent."""

    features: tuple[str, ...]
    centres: Sequence[float]
    scales: Sequence[float]
    columns: Floats
    """(n, 2k)."""

    def linear(self, intercept: float, weights: Floats) -> dict[str, Any]:
        """The linear model of these weights (2k,), as a card tells it."""
        own, missing = np.split(np.asarray(weights, dtype=np.float64), 2)
        described = zip(self.features, self.centres, self.scales, own.tolist(), missing.tolist(), strict=True)
        return {"intercept": intercept, "terms": [_term(*each) for each in described]}


def standardised(features: tuple[str, ...], data: Dataset) -> Standardised:
    """Some features of a dataset as a regression likes them."""
    raw = model_code().signed_log1p(data.columns(features))
    centres, scales = [_mean_of_present(column) for column in raw.T], [_spread_of_present(column) for column in raw.T]
    absent = np.isnan(raw)
    return Standardised(
        features, centres, scales, np.column_stack([np.where(absent, 0.0, (raw - centres) / scales), absent])
    )


@dataclass(frozen=True)
class BuyingRung(AsItIs):
    """BG/NBD: the rhythm in which accounts buy and the chance that they have stopped, from nothing but their orders.

    It learns from histories and not from labels: from those of the newest date, because each holds the older ones.
    """

    name: str
    features: tuple[str, ...]
    needs_accounts: int
    horizon_days: float

    def fit(self, data: Dataset, seed: int) -> Fitted:  # noqa: ARG002  # as the protocol says
        """The seed is not used: the search begins at one point."""
        rows = data.columns(self.features)[data.as_of == data.as_of.max()]
        orders, first, last = np.maximum(rows[~np.isnan(rows).any(axis=1)], 0.0).T
        found = fit_bgnbd(Buying.of(np.maximum(orders - 1.0, 0.0), np.maximum(first - last, 0.0), first))
        reference = [float(np.median(column)) for column in (orders, first, last)]
        return Fitted(
            self.name, self.features, buying={**asdict(found), "horizon": self.horizon_days, "reference": reference}
        )


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


def ladder(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    """The rungs for a target, simplest first; the first is the baseline. `features` names those that the trees may use."""
    name, rule = BASELINES[target.kind]
    known = (*LOG_RFM_FEATURES, *CONTRACT_FEATURES) if target.stream == "contracts" else LOG_RFM_FEATURES
    rungs: list[Rung] = [LinearRung(name, rule, needs_accounts=10)]
    if target.kind == "churn":
        rungs.append(BuyingRung("bgnbd", BUYING_FEATURES, 40, target.horizon_days))
    rungs.append(LinearRung("logistic", tuple(dict.fromkeys([*known, *rule])), needs_accounts=10))
    return (*rungs, BoostedRung("lightgbm", tuple(features), needs_accounts=200))


def _term(feature: str, centre: float, scale: float, weight: float, missing: float) -> dict[str, Any]:
    return {
        "feature": feature,
        "transform": "signed_log1p",
        "centre": centre,
        "scale": scale,
        "weight": weight,
        "missing": missing,
    }


def _mean_of_present(column: Floats) -> float:
    present = column[~np.isnan(column)]
    return float(present.mean()) if len(present) else 0.0


def _spread_of_present(column: Floats) -> float:
    """The standard deviation; 1 for a column that does not vary, whose weight then stays 0."""
    present = column[~np.isnan(column)]
    spread = float(present.std()) if len(present) else 0.0
    return spread if spread > 1e-9 else 1.0
