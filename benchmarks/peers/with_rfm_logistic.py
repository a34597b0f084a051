"""Logistic regression on logs of recency, frequency, tenure and spend, from the raw orders: the field's own first model."""

import numpy as np
import pandas as pd
from contest import Contest, answer, log_odds
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def logistic(contest: Contest) -> list[np.ndarray]:
    matrix, dates = _matrix(contest), contest.dates
    asked = [*dates.folds, (dates.train, dates.test)]
    return [_later(matrix, contest, contest.at(*train), contest.at(at)) for train, at in asked]


def _later(matrix: np.ndarray, contest: Contest, learn: np.ndarray, later: np.ndarray) -> np.ndarray:
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(matrix[learn], contest.labels[learn])
    return log_odds(model.predict_proba(matrix[later])[:, 1])


def _matrix(contest: Contest) -> np.ndarray:
    if not contest.streams:  # a flat table has no recency: its own columns, absent ones at the mean
        return np.where(np.isnan(contest.matrix), np.nanmean(contest.matrix, axis=0), contest.matrix)
    orders = pd.read_parquet(
        contest.streams["purchases"], columns=["account_id", "known_at", "kind", "amount", "order_id"]
    )
    orders = orders[orders.kind == "order"]
    matrix = np.empty((len(contest.labels), 4))
    for at in np.unique(contest.as_of):
        matrix[contest.at(at)] = _rfm(orders, at).reindex(contest.account_id[contest.at(at)]).to_numpy()
    return np.log1p(np.maximum(matrix, 0.0))


def _rfm(orders: pd.DataFrame, at: int) -> pd.DataFrame:
    """Days since the last order and since the first one, days with an order, and value ordered, by account."""
    now = pd.Timestamp(at, unit="us", tz="UTC")
    known = orders[orders.known_at <= now]
    known = known.assign(day=known.known_at.dt.floor("D"), account_id=known.account_id.astype(str))
    by = known.groupby("account_id").agg(
        last=("known_at", "max"), first=("known_at", "min"), days=("day", "nunique"), spend=("amount", "sum")
    )
    day = pd.Timedelta(days=1)
    return pd.DataFrame(
        {"last": (now - by["last"]) / day, "first": (now - by["first"]) / day, "days": by.days, "spend": by.spend}
    )


if __name__ == "__main__":
    answer("RFM logistic", logistic)
