"""CatBoost on our features, with its own defaults but for the steps, which are ours to be stopped early."""

import tempfile

import numpy as np
from catboost import CatBoostClassifier, Pool
from contest import PATIENCE, Contest, answer, boosted


def trees(contest: Contest) -> list[np.ndarray]:
    def fit(learn, watch, rounds):
        model = CatBoostClassifier(
            iterations=rounds, learning_rate=0.05, depth=6, random_seed=0, verbose=False, train_dir=scratch
        )
        later = None if watch is None else Pool(contest.matrix[watch], contest.labels[watch])
        model.fit(
            contest.matrix[learn],
            contest.labels[learn],
            eval_set=later,
            early_stopping_rounds=None if watch is None else PATIENCE,
            use_best_model=False,
        )
        losses = [] if watch is None else model.get_evals_result()["validation"]["Logloss"]
        return losses, lambda best, rows: model.predict_proba(contest.matrix[rows], ntree_end=best)[:, 1]

    with tempfile.TemporaryDirectory() as scratch:
        return boosted(contest, fit)


if __name__ == "__main__":
    answer("CatBoost", trees)
