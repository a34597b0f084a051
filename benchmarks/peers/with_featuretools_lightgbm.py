"""featuretools + LightGBM: deep feature synthesis over the raw streams at every date, all time and 90 days, and trees on it."""

import featuretools as ft
import lightgbm
import numpy as np
import pandas as pd
from contest import PATIENCE, Contest, answer, boosted

AGGREGATIONS = [
    "count", "sum", "mean", "std", "max", "min", "num_unique", "time_since_last", "time_since_first",
]  # fmt: skip
WINDOWS = (None, 90)
"""In days; None reaches back to the first event."""
WORDS = ("order_id", "product_id", "category", "channel", "kind", "subject", "status", "topic", "severity")
NUMBERS = ("amount", "quantity", "discount", "score", "hours_to_resolve", "satisfaction", "value")
PARAMETERS = {
    "objective": "binary", "learning_rate": 0.05, "num_leaves": 15, "min_data_in_leaf": 50, "feature_fraction": 0.8,
    "bagging_fraction": 0.8, "bagging_freq": 1, "verbosity": -1, "seed": 0,
}  # fmt: skip


def synthesised(contest: Contest) -> list[np.ndarray]:
    matrix = _matrix(contest)

    def fit(learn, watch, rounds):
        train, found = lightgbm.Dataset(matrix[learn], contest.labels[learn]), {}
        later = [] if watch is None else [lightgbm.Dataset(matrix[watch], contest.labels[watch], reference=train)]
        calls = (
            []
            if watch is None
            else [lightgbm.early_stopping(PATIENCE, verbose=False), lightgbm.record_evaluation(found)]
        )
        booster = lightgbm.train(
            PARAMETERS, train, rounds, valid_sets=later, valid_names=["later"] * len(later), callbacks=calls
        )
        losses = found["later"]["binary_logloss"] if found else []
        return losses, lambda best, rows: booster.predict(matrix[rows], num_iteration=best)

    return boosted(contest, fit)


def _matrix(contest: Contest) -> np.ndarray:
    """(n, columns), in the order of the contest's rows."""
    entities = _entities(contest)
    features = ft.dfs(
        entityset=entities, target_dataframe_name="accounts", agg_primitives=AGGREGATIONS, trans_primitives=[],
        max_depth=1, features_only=True,
    )  # fmt: skip
    cutoffs = pd.DataFrame({"account_id": _words(contest.account_id), "time": pd.to_datetime(contest.as_of, unit="us")})
    parts = [_window(features, entities, cutoffs, days) for days in WINDOWS]
    return np.column_stack([part.to_numpy(dtype=np.float64, na_value=np.nan) for part in parts])


def _window(features: list, entities: ft.EntitySet, cutoffs: pd.DataFrame, days: int | None) -> pd.DataFrame:
    window = None if days is None else ft.Timedelta(days, "d")
    rows = ft.calculate_feature_matrix(
        features, entities, cutoff_time=cutoffs, training_window=window, cutoff_time_in_index=True
    )
    return rows.reindex(pd.MultiIndex.from_frame(cutoffs))


def _entities(contest: Contest) -> ft.EntitySet:
    """Events are dated by when they were known, so that a cutoff shows what could be seen."""
    entities = ft.EntitySet("company")
    accounts = pd.DataFrame({"account_id": _words(np.unique(contest.account_id))})
    entities.add_dataframe(dataframe_name="accounts", dataframe=accounts, index="account_id")
    for stream, path in contest.streams.items():
        events = _events(path)
        words = {name: "Categorical" for name in events if name in WORDS}
        entities.add_dataframe(
            dataframe_name=stream, dataframe=events, index="event", time_index="known_at", logical_types=words
        )
        entities.add_relationship("accounts", "account_id", stream, "account_id")
    return entities


def _words(account_id) -> np.ndarray:
    """Ids that are digits would be taken for numbers, and then for other accounts."""
    return np.array([f"a{one}" for one in account_id], dtype=object)


def _events(path) -> pd.DataFrame:
    events = pd.read_parquet(path)
    events["account_id"] = _words(events.account_id.astype(str))
    events["known_at"] = events.known_at.dt.tz_localize(None)
    said = [name for name in (*WORDS, *NUMBERS) if name in events and events[name].notna().any()]
    return events[["account_id", "known_at", *said]].rename_axis("event").reset_index()


if __name__ == "__main__":
    answer("featuretools + LightGBM", synthesised)
