"""EconML's metalearners and its causal forest, on LightGBM with the same settings, in the forms that its users would try.

    with_econml.py train.parquet new.parquet answer.parquet run.json

Both tables have features f0 …; the first also treated (0, 1) and outcome. The answer has a column of effects for each way.
"""

import json
import sys
import time
from pathlib import Path

import pandas as pd
from econml.dml import CausalForestDML
from econml.dr import DRLearner
from econml.metalearners import SLearner, TLearner, XLearner
from lightgbm import LGBMClassifier, LGBMRegressor

SHARED = {
    "n_estimators": 100, "learning_rate": 0.03, "num_leaves": 15, "min_child_samples": 50, "subsample": 0.8,
    "subsample_freq": 1, "reg_lambda": 10.0, "max_bin": 127, "n_jobs": 2, "random_state": 0, "verbosity": -1,
}  # fmt: skip
CAUTIOUS = {**SHARED, "num_leaves": 7, "min_child_samples": 100, "reg_lambda": 50.0}


def ways():
    """What its documentation shows first for each method; the propensity of a lot is known, and given where it can be."""
    outcome, effect = LGBMRegressor(**SHARED), LGBMRegressor(**CAUTIOUS)
    chance = LGBMClassifier(**SHARED)
    return {
        "S": SLearner(overall_model=outcome),
        "T": TLearner(models=outcome),
        "X": XLearner(models=outcome, cate_models=effect, propensity_model=chance),
        "DR": DRLearner(model_propensity=chance, model_regression=outcome, model_final=effect, cv=5, random_state=0),
        "forest": CausalForestDML(
            model_y=outcome, model_t=chance, discrete_treatment=True, n_estimators=500, cv=5, n_jobs=2, random_state=0
        ),
    }


def main(train, new, answer, run):
    rows, asked = pd.read_parquet(train), pd.read_parquet(new)
    names = [name for name in rows.columns if name.startswith("f")]
    effects, seconds, cpu = {}, {}, {}
    for name, way in ways().items():
        start, used = time.perf_counter(), time.process_time()
        way.fit(rows["outcome"].to_numpy(), rows["treated"].to_numpy(), X=rows[names].to_numpy())
        effects[name] = way.effect(asked[names].to_numpy()).ravel()
        seconds[name], cpu[name] = time.perf_counter() - start, time.process_time() - used
    pd.DataFrame(effects).to_parquet(answer)
    Path(run).write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
