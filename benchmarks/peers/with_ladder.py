"""Foresail: the ladder tuned, calibrated and chosen on the folds as `training.train` does it, and every rung at the test."""

from datetime import UTC, datetime, timedelta

import numpy as np
from contest import Contest, answer, log_odds

from features.catalog import CATALOG
from training.data.dataset import Dataset
from training.data.splits import Fold, Split
from training.data.targets import ChurnTarget
from training.evaluation.selection import choose, contend, judge_at_test
from training.models.boosting import BoostedRung, informative, learnable
from training.models.calibration import as_then
from training.models.ladder import ladder
from training.models.linear import LinearRung
from training.models.rung import Rung

SEED = 0


def climbed(contest: Contest) -> dict[str, list[np.ndarray]]:
    """The calibrated log-odds of every rung, first those of the one that would be registered."""
    data, days = dataset(contest), split(contest)
    horizon = timedelta(days=contest.dates.horizon_days)
    contenders = [contend(rung, data, days.folds, horizon, SEED) for rung in rungs(contest, data, days)]
    winner = choose(contenders, SEED).name
    found = {}
    for contender in contenders:
        folds = [as_then(contender.method, fold, contender.margins) for fold in contender.margins]
        folds.append(judge_at_test(contender, data, days, horizon, SEED).answers)
        found[contender.rung.name] = [log_odds(probability) for probability in folds]
    return {f"(chosen: {winner})": found.pop(winner), **found}


def rungs(contest: Contest, data: Dataset, days: Split) -> tuple[Rung, ...]:
    """Of a history all rungs; of a flat table, which has no recency and no rhythm, the two that read any column."""
    train = data.at(days.train)
    if not contest.streams:
        names = informative(train, data.features)
        return LinearRung("logistic", names, 60), BoostedRung("lightgbm", names, 200)
    names, _ = learnable(CATALOG, days.train)
    return ladder(informative(train, names), ChurnTarget("churn", int(contest.dates.horizon_days)))


def dataset(contest: Contest) -> Dataset:
    _, account = np.unique(contest.account_id, return_inverse=True)
    names = contest.account_id.astype(object)
    return Dataset(
        tuple(contest.features), contest.matrix, contest.labels, names, account, contest.as_of.astype("datetime64[us]")
    )


def split(contest: Contest) -> Split:
    dates = contest.dates
    folds = tuple(Fold(tuple(map(_moment, train)), _moment(at)) for train, at in dates.folds)
    train = tuple(map(_moment, dates.train))
    return Split(train, folds, _moment(dates.test), train)


def _moment(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


if __name__ == "__main__":
    answer("Foresail", climbed)
