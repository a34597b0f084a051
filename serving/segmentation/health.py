"""Health: 0 to 100 in three parts, each from what is on record, combined by weights that a company chooses."""

from dataclasses import dataclass

import numpy as np

from features.arrays import Floats
from features.families.eligibility import Columns
from features.families.segmentation import NPS
from serving.scoring.columns import column
from serving.segmentation.inputs import mean_of
from serving.segmentation.settings import HealthWeights

ANSWERS = {
    NPS.name: (0.0, 10.0),
    "surveys_satisfaction_mean_365d": (1.0, 5.0),
    "surveys_effort_mean_365d": (1.0, 7.0),
    "service_satisfaction_mean_365d": (1.0, 5.0),
    "service_effort_mean_365d": (1.0, 7.0),
}
"""What people answered in the last 365 days, on average → the worst and the best answer of its scale."""
HALVES_AT_COMPLAINTS, HALVES_AT_CASES = 1, 4
"""Each open complaint halves the mark for service; so do four other open cases together."""
LEVEL = 0.7
"""How much of the contribution is what an account is worth; the rest is where that is going."""
A_YEAR_OF_ORDERS = 360
"""Two half-years to compare; before, a trend says no more than that the account is new."""


@dataclass(frozen=True)
class Healths:
    """Of each account, 0 to 100, (rows,); NaN where nothing is on record."""

    satisfaction: Floats
    contribution: Floats
    exposure: Floats
    health: Floats


def healths(table: Columns, value: Floats, risk: Floats, weights: HealthWeights) -> Healths:
    """The three parts and their weighted mean; `value` is the predicted one, `risk` the highest percentile of its risks."""
    parts = satisfaction(table), contribution(table, value), 100.0 * (1.0 - risk)
    shares = [weights.satisfaction, weights.contribution, weights.exposure]
    return Healths(*parts, mean_of(list(parts), len(value), shares))


def satisfaction(table: Columns) -> Floats:
    """The mean of what people answered and of how their cases stand; of one of them, where only that is there."""
    answers = [100.0 * (column(table, name) - worst) / (best - worst) for name, (worst, best) in ANSWERS.items()]
    rows = len(answers[0])
    return mean_of([mean_of(answers, rows), _cases(table)], rows)


def _cases(table: Columns) -> Floats:
    """100 with no case open; NaN for an account without a case, now or in the last 365 days."""
    complaints, cases = column(table, "service_open_complaints_count"), column(table, "service_open_cases_count")
    halvings = complaints / HALVES_AT_COMPLAINTS + (cases - complaints) / HALVES_AT_CASES
    any_case = cases + column(table, "service_opened_count_365d") > 0
    return np.where(any_case, 100.0 * 0.5**halvings, np.nan)


def contribution(table: Columns, value: Floats) -> Floats:
    """The share of accounts that are worth less, and the half-year's trend of what was ordered, −1 to 1 read as 0 to 100."""
    less = 100.0 * np.searchsorted(np.sort(value), value, side="left") / max(len(value) - 1, 1)
    old = column(table, "purchases_days_since_first") >= A_YEAR_OF_ORDERS
    trend = np.where(old, 50.0 * (1.0 + column(table, "purchases_amount_trend_180d")), np.nan)
    return mean_of([less, trend], len(value), [LEVEL, 1.0 - LEVEL])
