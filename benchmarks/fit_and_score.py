"""Fitting and scoring beside bare LightGBM with the same parameters on the same matrix, which the kernel has computed.

    python benchmarks/fit_and_score.py --rows 200_000

What Foresail adds to a fit is the dataset's bookkeeping and the booster's text; what it adds to a batch of scores is who is
eligible, calibration, percentile and band. Both answers are compared with LightGBM's own before any time is printed. Last
comes the untuned training of the demo, from its history to the registered model.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from generate import EVENTS_EACH_AT_NIGHT, LAST, company
from measure import BENCH, Line, Run, note, once

from features.catalog import CATALOG
from features.engine.feature_names import Names
from features.timestamps import read_moment
from foresail.demo import demo
from foresail.operations.history import ingest_sources
from foresail.operations.models import train
from registry.loader import LoadedModel, Target
from registry.model_code import model_code
from serving.scoring.scores import Rows, score_rows
from training.data.dataset import Dataset, labelled
from training.data.targets import ChurnTarget
from training.models.boosting import BOOSTING, BoostedRung, informative

ROUNDS, SEED, FEATURES = 300, 0, 150
TARGET = ChurnTarget("churn", horizon_days=90, active_within_days=None)
DATES = tuple(LAST - TARGET.horizon - timedelta(days=30 * month) for month in reversed(range(12)))
SPARE = 1.1
"""Some accounts have not ordered yet at the first dates: so many more are made."""
RATIO_GOAL, TRAINING_GOAL = 1.3, 60.0


def table(rows: int) -> Path:
    """The kernel's features and the labels of so many rows, as one .npz; computed once and kept."""
    path = BENCH / "data" / f"fit-{rows}.npz"
    if not path.exists():
        accounts = round(rows * SPARE / len(DATES))
        history = company(accounts * EVENTS_EACH_AT_NIGHT)
        start = time.perf_counter()
        data = labelled(history, TARGET, DATES, CATALOG, LAST)
        names = informative(data, data.features)[:FEATURES]
        print(f"{len(data):,} rows × {len(CATALOG.names)} features by the kernel: {time.perf_counter() - start:.1f} s")
        np.savez(path, matrix=data.columns(names)[-rows:], labels=data.labels[-rows:], names=names)
    return path


def data(rows: int) -> Dataset:
    kept = np.load(table(rows))
    matrix, labels, names = kept["matrix"], kept["labels"], tuple(kept["names"].tolist())
    accounts = np.array([f"a{number}" for number in range(rows)], dtype=object)
    as_of = np.full(rows, np.datetime64(LAST.replace(tzinfo=None), "us"))
    return Dataset(names, matrix, labels, accounts, np.arange(rows), as_of)


def fit(rows: int) -> Run:
    given = data(rows)
    rung = BoostedRung("lightgbm", given.features, needs_accounts=0, rounds=ROUNDS)
    return once(lambda: rung.fit(given, SEED).booster)


def fit_bare(rows: int) -> Run:
    given = data(rows)
    return once(_bare, given)


def _bare(given: Dataset) -> str:
    names = list(given.features)
    train = lightgbm.Dataset(given.matrix, given.labels, feature_name=names, params={"verbosity": -1})
    return lightgbm.train({**BOOSTING, "seed": SEED}, train, num_boost_round=ROUNDS).model_to_string()


def loaded(booster: str, names: tuple[str, ...]) -> LoadedModel:
    card = {
        "format": 1, "rung": "lightgbm", "features": list(names), "linear": None, "calibration": {"method": "none"},
        "fingerprint": "of no catalog", "target": TARGET.to_json(), "trained_as_of": "2024-01-01T00:00:00+00:00",
        "reference": {"scores": np.linspace(0, 1, 1001).tolist()},
    }  # fmt: skip
    target = Target("churn", "churn", 90, 0.7, 0.9, "", settings=TARGET.to_json())
    return LoadedModel("benchmark", "1", model_code().ScoreModel(card, booster), target)


def score(rows: int, booster: str) -> Run:
    given = data(rows)
    model = loaded(booster, given.features)
    return once(lambda: score_rows(model, Rows(Names(given.features), given.matrix)).answers)


def score_bare(rows: int, booster: str) -> Run:
    given, model = data(rows), lightgbm.Booster(model_str=booster)
    return once(model.predict, given.matrix)


def train_demo() -> Run:
    """From the demo's history to a registered model, with the report."""
    with tempfile.TemporaryDirectory() as folder:
        project, story = demo.prepare(Path(folder)), demo.YEAR_OF_SHOPPING
        ingest_sources(project, read_moment(story.ingested_as_of, project.timezone))
        return replace(
            once(train, project, demo.TARGET, read_moment(story.trained_as_of, project.timezone)), answer=None
        )


def alone(work: Callable[..., Run], *arguments: Any) -> Run:
    """In a process of its own, which measures what it was asked for and not what it had to read first."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(work, arguments)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=200_000)
    rows = arguments.parse_args().rows
    wide = len(data(rows).features)
    data(rows // 10)
    fits = {"bare lightgbm fit": alone(fit_bare, rows), "foresail fit": alone(fit, rows)}
    booster = fits["foresail fit"].answer
    assert booster.split("parameters:")[0] == fits["bare lightgbm fit"].answer.split("parameters:")[0]
    scores = {"bare predict": alone(score_bare, rows, booster), "foresail scores": alone(score, rows, booster)}
    np.testing.assert_allclose(scores["foresail scores"].answer, scores["bare predict"].answer, rtol=1e-12)
    tenths = {"foresail fit": alone(fit, rows // 10), "foresail scores": alone(score, rows // 10, booster)}
    runs = {**fits, **scores}
    lines = [*(line(who, run, runs, tenths) for who, run in runs.items()), demo_line(alone(train_demo))]
    note("fit_and_score", f"{rows:,} rows × {wide} features by the kernel, {ROUNDS} trees; answers agree", lines)


def demo_line(run: Run) -> Line:
    said = f"goal {TRAINING_GOAL:.0f} s"
    return Line("untuned training of the demo", run.seconds, None, run.peak_mb, cpu_seconds=run.cpu_seconds, note=said)


def line(who: str, run: Run, runs: dict[str, Run], tenths: dict[str, Run]) -> Line:
    """Ours beside the bare one of the same kind, which comes just before it."""
    if who not in tenths:
        return Line(who, run.seconds, 1.0, run.peak_mb, cpu_seconds=run.cpu_seconds)
    bare = runs[{"foresail fit": "bare lightgbm fit", "foresail scores": "bare predict"}[who]]
    ratio, growth = run.seconds / bare.seconds, run.seconds / tenths[who].seconds
    said = f"goal {RATIO_GOAL} times bare LightGBM" if who == "foresail fit" else ""
    return Line(who, run.seconds, ratio, run.peak_mb, growth, run.cpu_seconds, said)


if __name__ == "__main__":
    main()
