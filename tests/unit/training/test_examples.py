"""Which accounts a report looks at one by one."""

import math

import numpy as np

from training.evaluation.examples import Example, picks


def test__picks__five_accounts__by_hand():
    """Stakes 10, 30, 5, 0 (a loss), unknown; the median risk is row 2's; of those who stayed row 1 was the riskiest."""
    risk = np.array([0.1, 0.6, 0.5, 0.9, 0.2])
    net = np.array([100.0, 50.0, 10.0, -7.0, math.nan])
    found = picks(risk, np.array([1.0, 0.0, 0.0, 1.0, 0.0]), net)
    assert found == [("The most at stake", 1), ("A typical one", 2), ("Safest of those who left", 0)]


def test__picks__one_account_that_stayed__is_shown_once():
    """However many titles fit an account, it is one example, under the first of them."""
    assert picks(np.array([0.3]), np.array([0.0]), np.array([math.nan])) == [("The most at stake", 0)]


def test__example__a_year_of_returns__has_nothing_at_stake():
    """Who brings less than nothing cannot be lost dearly."""
    assert Example("", 0.5, -10.0, churned=False, reasons=()).at_stake == 0.0
