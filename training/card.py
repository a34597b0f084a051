"""The card of a registered model: everything that somebody needs to use it, to doubt it and to build it again."""

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
from training.data.dataset import Dataset, digest_of, naive_utc
from training.data.leakage import Suspect, to_json
from training.data.splits import Split
from training.data.targets import Target
from training.evaluation.selection import Climb, Refitted
from training.models.answering import answering_for
from training.models.ladder import Fitted
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


def describe(
    origin: Origin,
    final: Refitted,
    baseline: Refitted,
    climb: Climb,
    data: Dataset,
    population: Dataset,
    leaks: Sequence[Suspect],
) -> dict[str, Any]:
    """The card as plain JSON.

    `baseline` is a card of its own in it, so that later evaluations can show it beside the model. `population` is who
    would be scored today: the reference for percentiles and drift. `leaks` is what the audit before the fit found.
    """
    happened = answering_for(origin.target).happened(data.labels)
    card: dict[str, Any] = {
        **_what(final, origin.catalog),
        "project": origin.project,
        "target": origin.target.to_json(),
        "choice": climb.choice.reason,
        "notes": list(climb.notes),
        "leakage": {"columns": len(data.features), "suspects": to_json(leaks)},
        "baseline": _what(baseline, origin.catalog),
        "trained_as_of": origin.as_of.isoformat(),
        "as_of_dates": _dates(origin.days),
        "rows": [_rows(data, date, happened) for date in origin.days.closed],
        "data_versions": dict(origin.data_versions),
        "table": _table(data, origin),
        "seed": origin.seed,
        "metrics": _metrics(climb),
        "created_by": writer.created_by(),
        "environment": writer.environment(),
        **model_card.purpose(origin.target),
    }
    card["limits"] = model_card.limits(card)
    return card | {"reference": _reference(card, final.model, population)}


def _what(refitted: Refitted, catalog: FeatureSet) -> dict[str, Any]:
    """What a ScoreModel needs to answer."""
    return {
        "format": writer.model_code().FORMAT,
        **refitted.model.to_json(),
        "calibration": refitted.calibration.to_json(),
        "fingerprint": fingerprint(named(refitted.model.features, catalog)),
    }


def _table(data: Dataset, origin: Origin) -> dict[str, Any]:
    """What the run learnt from, so that a table built again can be told to be the same: see `features.engine.digest`."""
    return {
        "digest": digest_of(data),
        "rows": len(data),
        "dates": [date.isoformat() for date in origin.days.closed],
        "features": list(data.features),
        "fingerprint": fingerprint(named(data.features, origin.catalog)),
    }


def _dates(days: Split) -> dict[str, Any]:
    """Under `train` and `calibrate` what served the judged model; the registered one learnt from all of `refit`."""
    return {
        "train": [date.isoformat() for date in days.train],
        "calibrate": [date.isoformat() for date in days.calibrate],
        "test": days.test.isoformat(),
        "refit": [date.isoformat() for date in days.closed],
    }


def _rows(data: Dataset, date: datetime, happened: Any) -> dict[str, Any]:
    there = data.as_of == naive_utc(date)
    return {"as_of": date.isoformat(), "accounts": int(there.sum()), "churned": int(np.sum(happened[there]))}


def _metrics(climb: Climb) -> dict[str, Any]:
    """{rung: {metric: [value, low, high]}} on the test date."""
    return {
        rung: {name: [_json_number(x) for x in (each.value, each.low, each.high)] for name, each in metrics.items()}
        for rung, metrics in climb.evaluation.metrics.items()
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _reference(card: Mapping[str, Any], model: Fitted, population: Dataset) -> dict[str, Any]:
    answers = writer.model_code().ScoreModel(dict(card), model.booster).answers(population.matrix)
    scores = answers[:, 0] if answers.ndim == 2 else answers
    return {
        "accounts": len(population),
        "scores": _score_points(scores),
        "features": {
            name: _spread(column) for name, column in zip(population.features, population.matrix.T, strict=True)
        },
    }


def _score_points(scores: Floats) -> list[float]:
    """Sorted scores that occurred: all of them, or 1001 evenly spread over their ranks."""
    ranks = np.linspace(0.0, 1.0, min(len(scores), REFERENCE_POINTS))
    points: Sequence[float] = np.quantile(scores, ranks, method="inverted_cdf").tolist() if len(scores) else []
    return sorted(points)


def _spread(column: Floats) -> dict[str, Any]:
    present = column[~np.isnan(column)]
    quantiles = np.quantile(present, SHARES).tolist() if len(present) else []
    return {"quantiles": quantiles, "nan_share": 1.0 - len(present) / len(column) if len(column) else 1.0}
