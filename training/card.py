"""What a training writes on the card of its model; the card itself is `registry.card.ModelCard`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from features.arrays import Floats
from features.catalog import fingerprint, named
from features.engine.plan import FeatureSet
from registry import writer
from registry.card import (
    FORMAT,
    AsOfDates,
    DateRows,
    Interval,
    Leakage,
    ModelCard,
    Recipe,
    Reference,
    Spread,
    Table,
    TargetCard,
)
from registry.versions import scorer
from training.data.dataset import Dataset, digest_of, naive_utc
from training.data.leakage import Suspect, on_card
from training.data.splits import Split
from training.data.targets import Target
from training.evaluation.selection import Climb, Refitted
from training.evaluation.summary import Summary
from training.models.ladder import task_for
from training.models.rung import Fitted
from training.reports import model_card

REFERENCE_POINTS = 1001
SHARES = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True)
class Origin:
    """Where a model comes from."""

    project: str
    target: Target
    as_of: datetime
    days: Split
    data_versions: Mapping[str, int]
    seed: int
    catalog: FeatureSet


@dataclass(frozen=True)
class Recipes:
    """The registered model, the baseline beside it, and the chosen rung as it was fitted at the test date."""

    final: Refitted
    baseline: Refitted
    judged: Recipe


def describe(
    origin: Origin,
    recipes: Recipes,
    climb: Climb,
    data: Dataset,
    population: Dataset,
    leaks: Sequence[Suspect],
    summary: Summary,
) -> ModelCard:
    """The card of a trained model.

    The recipe of the baseline is kept on it, so that a later backtest can show the baseline beside the model. `population` holds
    the accounts that would be scored today: the reference for percentiles and drift. `leaks` are the suspects of the leakage
    audit before the fit; `summary` says what the answers are worth.
    """
    happened = task_for(origin.target).happened(data.labels)
    recipe = _recipe(recipes.final, origin.catalog)
    dates = _dates(origin.days)
    target = TargetCard.from_json(origin.target.to_json())
    leakage = Leakage(columns=len(data.features), suspects=on_card(leaks))
    return ModelCard(
        **dict(recipe),
        project=origin.project,
        target=target,
        choice=climb.choice.reason,
        notes=tuple(climb.notes),
        leakage=leakage,
        baseline=_recipe(recipes.baseline, origin.catalog),
        trained_as_of=origin.as_of,
        as_of_dates=dates,
        rows=tuple(_rows(data, date, happened) for date in origin.days.closed),
        data_versions=dict(origin.data_versions),
        table=_table(data, origin),
        seed=origin.seed,
        metrics=_metrics(climb),
        created_by=writer.created_by(),
        environment=writer.environment(),
        purpose=model_card.purpose(origin.target),
        not_for=model_card.NOT_FOR,
        limits=model_card.limits(climb.notes, leakage, dates, target, origin.as_of),
        reference=_reference(recipe, recipes.final.model, population),
        **summary.on_card(),
        as_judged=recipes.judged,
    )


def _recipe(refitted: Refitted, catalog: FeatureSet) -> Recipe:
    return Recipe.from_json(
        {
            "format": FORMAT,
            **refitted.model.to_json(),
            "calibration": refitted.calibration.to_json(),
            "fingerprint": fingerprint(named(refitted.model.features, catalog)),
        }
    )


def _table(data: Dataset, origin: Origin) -> Table:
    """What the run learnt from, so that a table built again can be told to be the same: see `features.engine.digest`."""
    return Table(
        digest=digest_of(data),
        rows=len(data),
        dates=origin.days.closed,
        features=data.features,
        fingerprint=fingerprint(named(data.features, origin.catalog)),
    )


def _dates(days: Split) -> AsOfDates:
    return AsOfDates(train=days.train, calibrate=days.calibrate, test=days.test, refit=days.closed)


def _rows(data: Dataset, date: datetime, happened: Any) -> DateRows:
    there = data.as_of == naive_utc(date)
    return DateRows(as_of=date, accounts=int(there.sum()), churned=int(np.sum(happened[there])))


def _metrics(climb: Climb) -> dict[str, dict[str, Interval]]:
    """By rung, on the test date."""
    return {
        rung: {
            name: (_finite(estimate.value), _finite(estimate.low), _finite(estimate.high))
            for name, estimate in metrics.items()
        }
        for rung, metrics in climb.evaluation.metrics.items()
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _reference(recipe: Recipe, model: Fitted, population: Dataset) -> Reference:
    answers = scorer(recipe, model.booster).answers(population.matrix)
    scores = answers[:, 0] if answers.ndim == 2 else answers
    columns = zip(population.features, population.matrix.T, strict=True)
    return Reference(
        accounts=len(population),
        scores=_score_points(scores),
        features={name: _spread(column) for name, column in columns},
    )


def _score_points(scores: Floats) -> tuple[float, ...]:
    """Sorted scores that occurred: all of them, or 1001 evenly spread over their ranks."""
    ranks = np.linspace(0.0, 1.0, min(len(scores), REFERENCE_POINTS))
    points: Sequence[float] = np.quantile(scores, ranks, method="inverted_cdf").tolist() if len(scores) else []
    return tuple(sorted(points))


def _spread(column: Floats) -> Spread:
    present = column[~np.isnan(column)]
    quantiles = np.quantile(present, SHARES).tolist() if len(present) else ()
    return Spread(quantiles=tuple(quantiles), nan_share=1.0 - len(present) / len(column) if len(column) else 1.0)
