"""Dates of long ago count less where a half-life says so: each rung then follows the newest."""

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.data.targets import NextOrderTarget, ValueTarget
from training.models.amounts import LogLinear
from training.models.boosting import BoostedRung
from training.models.ladder import ladder
from training.models.linear import LinearRung
from training.models.next_order import LinearDays
from training.models.rules import LOG_RFM_FEATURES

OLD, NEW = np.datetime64("2023-07-01", "us"), np.datetime64("2023-12-28", "us")
ROWS = 600


def dataset(old, new, half_life_days):
    """The same accounts at two dates 180 days apart; on the first each label is `old`'s, on the second `new`'s."""
    rng = np.random.default_rng(0)
    matrix = np.tile(rng.gamma(1.0, 50.0, (ROWS, len(LOG_RFM_FEATURES))), (2, 1))
    account = np.tile(np.arange(ROWS), 2)
    labels = np.concatenate([old(rng), new(rng)]).astype(float)
    dates = np.repeat([OLD, NEW], ROWS)
    return Dataset(LOG_RFM_FEATURES, matrix, labels, account.astype(str), account, dates, half_life_days)


def test__weights__halve_with_every_half_life():
    data = dataset(lambda _: np.zeros(ROWS), lambda _: np.ones(ROWS), 90)
    assert np.unique(data.weights).tolist() == [0.25, 1.0]
    assert (dataset(lambda _: np.zeros(ROWS), lambda _: np.ones(ROWS), None).weights == 1.0).all()


def churned(rate):
    return lambda rng: rng.random(ROWS) < rate


def ordered(mean):
    return lambda rng: rng.gamma(1.0, mean, ROWS)


@pytest.mark.parametrize(
    ("rung", "old", "new", "between"),
    [
        (LinearRung("logistic", LOG_RFM_FEATURES, 1, penalty=1.0), churned(0.8), churned(0.2), (np.log(0.25), 0.0)),
        (BoostedRung("lightgbm", LOG_RFM_FEATURES, 1), churned(0.8), churned(0.2), (np.log(0.25), 0.0)),
        (LogLinear("log_linear", LOG_RFM_FEATURES, 1), ordered(1000.0), ordered(10.0), (np.log(10), np.log(505))),
        (ladder(LOG_RFM_FEATURES, ValueTarget("v", 90))[-1], ordered(1000.0), ordered(10.0), (np.log(10), np.log(505))),
        (LinearDays("d", LOG_RFM_FEATURES, 1, horizon_days=90.0), ordered(60.0), ordered(5.0), (np.log(4), np.log(15))),
        (ladder(LOG_RFM_FEATURES, NextOrderTarget("n", 90))[-1], ordered(60.0), ordered(5.0), (np.log(4), np.log(15))),
    ],
    ids=["logistic", "lightgbm", "log_linear", "lightgbm of amounts", "log_logistic", "lightgbm of days"],
)
def test__fit__with_a_short_half_life__follows_the_newest_date(rung, old, new, between):
    """A week's half-life leaves nothing of what was 180 days ago; without one both dates have their say."""
    with_it = dataset(old, new, 7)
    without = dataset(old, new, None)
    followed, both = (rung.fit(data, 0).margin(data).mean() for data in (with_it, without))
    newest, middle = between
    assert followed == pytest.approx(newest, abs=0.45)
    assert abs(both - newest) > abs(followed - newest) + 0.2
    assert abs(both - middle) < 0.6
