"""What moves a model's scores, and which way: the direction must hold for features that are nearly always the same."""

import numpy as np
import pytest

from training.evaluation.drivers import _direction

ROWS = 1_000


def signal(share):
    """0 for all but a share of the rows, which stand anywhere among the others."""
    values = np.zeros(ROWS)
    values[np.random.default_rng(0).choice(ROWS, int(share * ROWS), replace=False)] = 1.0
    return values


@pytest.mark.parametrize("share", [0.5, 0.05, 0.01, 0.001])
def test__direction__of_a_rare_signal_that_raises_the_score__is_that_more_is_riskier(share):
    """Equal values share a rank. Ranked by the order of rows, a signal of one account in a hundred looked mixed."""
    values = signal(share)
    assert _direction(values, 0.7 * values - 0.1) == pytest.approx(1.0)
    assert _direction(values, -0.7 * values) == pytest.approx(-1.0)


def test__direction__one_value_for_all__is_none():
    """What is the same for everybody has no direction, and no warning is said of it."""
    assert _direction(np.ones(ROWS), np.random.default_rng(0).normal(size=ROWS)) == 0.0


def test__direction__absent_values__are_left_out():
    values = np.array([1.0, 2.0, 3.0, np.nan, np.nan])
    assert _direction(values, np.array([0.1, 0.2, 0.4, -9.0, 9.0])) == pytest.approx(0.98, abs=0.01)
