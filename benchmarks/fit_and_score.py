"""Fitting and scoring beside bare LightGBM with the same parameters on the same matrix.

    python benchmarks/fit_and_score.py --rows 100_000

What Foresail adds to a fit is the dataset's bookkeeping and the booster's text; what it adds to a batch of scores is who is
eligible, calibration, percentile and band. Both answers are compared with LightGBM's own before any time is printed.
"""

import argparse
from datetime import UTC, datetime

import lightgbm
import numpy as np
from measure import Run, measured, table

from features.catalog import CATALOG
from serving.model_store import LoadedModel, Target
from serving.scoring import Rows, score_rows
from training.dataset import Dataset
from training.models import BOOSTING, BoostedRung
from training.tracking import model_code

ROUNDS, SEED = 300, 0
AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
NAMES = CATALOG.names
RECENCY = NAMES.index("purchases_days_since_last")


def data(rows: int) -> Dataset:
    """Accounts whose risk grows with their recency; a tenth of all values is absent, as in real tables."""
    random = np.random.default_rng(SEED)
    matrix = random.lognormal(2.0, 1.0, (rows, len(NAMES)))
    matrix[random.random(matrix.shape) < 0.1] = np.nan
    matrix[:, RECENCY] = random.exponential(60.0, rows)
    labels = (random.random(rows) < matrix[:, RECENCY] / (matrix[:, RECENCY] + 90.0)).astype(float)
    accounts = np.array([f"a{number}" for number in range(rows)], dtype=object)
    as_of = np.full(rows, np.datetime64(AS_OF.replace(tzinfo=None), "us"))
    return Dataset(tuple(NAMES), matrix, labels, accounts, np.arange(rows), as_of)


def fit(rows: int) -> str:
    rung = BoostedRung("lightgbm", tuple(NAMES), needs_accounts=0, rounds=ROUNDS)
    return rung.fit(data(rows), SEED).booster


def fit_bare(rows: int) -> str:
    given = data(rows)
    train = lightgbm.Dataset(given.matrix, given.labels, feature_name=list(NAMES), params={"verbosity": -1})
    return lightgbm.train({**BOOSTING, "seed": SEED}, train, num_boost_round=ROUNDS).model_to_string()


def loaded(booster: str) -> LoadedModel:
    card = {
        "format": 1, "rung": "lightgbm", "features": list(NAMES), "linear": None,
        "calibration": {"method": "none"}, "reference": {"scores": np.linspace(0, 1, 1001).tolist()},
    }  # fmt: skip
    target = Target("churn", "churn", 90, None, 0.7, 0.9, "")
    return LoadedModel("benchmark", "1", model_code().ScoreModel(card, booster), target)


def score(booster: str, rows: int) -> np.ndarray:
    given = data(rows)
    return score_rows(loaded(booster), Rows(NAMES, given.matrix)).probability


def score_bare(booster: str, rows: int) -> np.ndarray:
    given = data(rows)
    return lightgbm.Booster(model_str=booster).predict(given.matrix)


def prepare(rows: int) -> int:
    """What every one of the runs has to do first; taken off their times."""
    return data(rows).matrix.shape[1]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rows", type=int, default=100_000)
    rows = arguments.parse_args().rows
    idle = measured(prepare, rows)
    fits = {"foresail fit": measured(fit, rows), "bare lightgbm fit": measured(fit_bare, rows)}
    booster = fits["foresail fit"].answer
    assert booster.split("parameters:")[0] == fits["bare lightgbm fit"].answer.split("parameters:")[0]
    scores = {"foresail scores": measured(score, booster, rows), "bare predict": measured(score_bare, booster, rows)}
    np.testing.assert_allclose(scores["foresail scores"].answer, scores["bare predict"].answer, rtol=1e-12)
    for title, runs, ours in (("fit", fits, "foresail fit"), ("scores", scores, "foresail scores")):
        net = {name: Run(run.seconds - idle.seconds, run.peak_mb, run.answer) for name, run in runs.items()}
        table(f"{title}: {rows:,} rows × {len(NAMES)} features, {ROUNDS} trees; answers agree", net, ours)
    tenth = measured(score, booster, rows // 10).seconds - measured(prepare, rows // 10).seconds
    print(
        f"ten times the rows take {(scores['foresail scores'].seconds - idle.seconds) / tenth:.1f} times as long to score"
    )


if __name__ == "__main__":
    main()
