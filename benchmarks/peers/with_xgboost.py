"""XGBoost on our features: shallow trees in small steps, which suit such data better than its defaults do."""

import numpy as np
import xgboost
from contest import PATIENCE, Contest, answer, boosted

PARAMETERS = {
    "objective": "binary:logistic", "eval_metric": "logloss", "eta": 0.05, "max_depth": 4, "min_child_weight": 5,
    "subsample": 0.8, "colsample_bynode": 0.5, "tree_method": "hist", "seed": 0,
}  # fmt: skip


def trees(contest: Contest) -> list[np.ndarray]:
    def matrix(rows: np.ndarray) -> xgboost.DMatrix:
        return xgboost.DMatrix(contest.matrix[rows], contest.labels[rows])

    def fit(learn, watch, rounds):
        found, watched = {}, {} if watch is None else {"evals": [(matrix(watch), "later")]}
        stop = {} if watch is None else {"early_stopping_rounds": PATIENCE, "evals_result": found}
        booster = xgboost.train(PARAMETERS, matrix(learn), rounds, verbose_eval=False, **watched, **stop)
        losses = found["later"]["logloss"] if found else []
        return losses, lambda best, rows: booster.predict(
            xgboost.DMatrix(contest.matrix[rows]), iteration_range=(0, best)
        ).astype(np.float64)

    return boosted(contest, fit)


if __name__ == "__main__":
    answer("XGBoost", trees)
