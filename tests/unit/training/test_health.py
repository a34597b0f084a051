"""Health held against what happened: who is healthy and left, and what tells it best."""

import numpy as np
import pytest

from training.evaluation.health import HEALTH, RISK, HealthScores, Left, groups_of, separations


def test__left__rate_and_interval__none_without_accounts():
    """2 of 10 are 20 %; of nobody there is no rate."""
    found = Left.of(np.r_[np.ones(2), np.zeros(8)])
    assert (found.accounts, found.left, found.rate) == (10, 2, 0.2)
    assert found.low < 0.2 < found.high
    assert Left.of(np.array([])).accounts == 0
    assert np.isnan(Left.of(np.array([])).rate)


def test__groups_of__tenths_from_the_least_healthy__equal_healths_stay_together():
    """100 accounts of health 0 to 99, of which the 10 least healthy left."""
    health = np.arange(100.0)
    groups = groups_of(health, (health < 10).astype(float))
    assert [(group.lowest, group.highest, group.left.accounts, group.left.left) for group in groups[:2]] == [
        (0, 9, 10, 10), (10, 19, 10, 0),
    ]  # fmt: skip
    assert len(groups) == 10
    assert [group.left.accounts for group in groups_of(np.full(30, 50.0), np.zeros(30))] == [30]


def test__separations__health_that_tells_less_than_risk__is_said_with_its_interval():
    """Risk tells perfectly who left, health is the same with noise; a part is judged where it is there."""
    rng = np.random.default_rng(0)
    labels = (rng.random(400) < 0.3).astype(float)
    risk = 0.6 * labels + 0.2 * rng.random(400)
    health = np.clip(100 * (1 - risk) + rng.normal(0, 30, 400), 0, 100)
    part = np.where(rng.random(400) < 0.5, health, np.nan)
    auroc, difference = separations(
        HealthScores(health, {"exposure": part, "satisfaction": np.full(400, np.nan)}, risk, labels)
    )
    assert auroc[RISK].value == 1
    assert 0.7 < auroc[HEALTH].value < 1
    assert difference.value == pytest.approx(auroc[HEALTH].value - 1)
    assert difference.high < 0
    assert auroc["exposure"].value == pytest.approx(auroc[HEALTH].value, abs=0.1)
    assert np.isnan(auroc["satisfaction"].value)
