"""What an account needs help with: cases by topic, those open now, how fast we answer and resolve, how it felt."""

import math

from features.definitions import (
    Aggregate,
    Derived,
    Feature,
    at_least,
    at_most,
    difference,
    events,
    ratio,
    trend,
    weights,
)
from features.families.purchases import orders

WEEK, MONTH, QUARTER, YEAR = 7, 30, 90, 365

opened_cases = events("service", kind="opened")
answered = events("service", kind="answered")
resolved = events("service", kind="resolved")
complaints = opened_cases.where(topic="complaint")
faults = opened_cases.where(topic="fault")

open_cases = (
    events("service", kind=("opened", "reopened", "resolved")).newest("case_id").where(kind=("opened", "reopened"))
)
"""Cases that were opened, or opened again, and not resolved since; each counts from that moment."""
open_complaints = open_cases.where(topic="complaint")
unanswered_cases = events("service", kind=("opened", "answered", "resolved")).newest("case_id").where(kind="opened")
"""Only the first answer to a case is an event: one that is opened again has had it, or was resolved without."""


def open_longer_than(days: float, *, complaints_only: bool = False) -> Derived:
    """How many cases have been open for at least so many days."""
    cases = open_complaints if complaints_only else open_cases
    return difference(cases.count(), cases.count(days=days))


def resolution_hours(days: float) -> Aggregate:
    """Hours that it took to resolve a case, on average."""
    return resolved.mean("hours_to_resolve", days=days)


def satisfaction(days: float) -> Aggregate:
    """Rating of cases (CSAT), on average."""
    return events("service").mean("satisfaction", days=days)


_NONE_RESOLVED = "no case resolved in that time, or its duration is not recorded"

CASES = (
    Feature(
        "service_days_since_opened",
        opened_cases.days_since_last(),
        "time since the latest case",
        "days",
        "never had a case",
    ),
    *(
        Feature(
            f"service_opened_count_{days}d",
            opened_cases.count(days=days),
            f"cases opened in the last {days} days",
            "cases",
            "0: none",
        )
        for days in (QUARTER, YEAR)
    ),
    Feature(
        "service_opened_trend_90d",
        trend(opened_cases.count(days=QUARTER), opened_cases.count(days=QUARTER, lag_days=QUARTER)),
        "cases opened in the last 90 days against the 90 before",
        "-1 to 1",
        "none in the 180 days",
    ),
    Feature(
        "service_cases_per_order_365d",
        ratio(opened_cases.count(days=YEAR), orders(YEAR)),
        "cases opened per order, over the last 365 days",
        "ratio",
        "no order in that time",
    ),
    Feature(
        "service_severity_decayed_sum",
        opened_cases.decayed_sum(weights("severity", urgent=8.0, high=4.0, normal=2.0, low=1.0), half_life_days=MONTH),
        "cases so far, urgent ones counting eight times a low one, and all half as much for every 30 days passed",
        "weighted cases",
        "0: none, or their severity is not recorded",
    ),
    Feature(
        "service_urgent_count_365d",
        opened_cases.where(severity="urgent").count(days=YEAR),
        "urgent cases opened in the last 365 days",
        "cases",
        "0: none",
    ),
    Feature(
        "service_escalated_count_365d",
        events("service", kind="escalated").count(days=YEAR),
        "escalations in the last 365 days",
        "escalations",
        "0: none",
    ),
    Feature(
        "service_reopened_count_365d",
        events("service", kind="reopened").count(days=YEAR),
        "cases opened again in the last 365 days",
        "cases",
        "0: none",
    ),
)

OPEN = (
    Feature("service_open_cases_count", open_cases.count(), "cases open now", "cases", "0: none"),
    Feature(
        "service_open_urgent_cases_count",
        open_cases.where(severity=("urgent", "high")).count(),
        "urgent cases, and those of high severity, open now",
        "cases",
        "0: none",
    ),
    Feature("service_open_complaints_count", open_complaints.count(), "complaints open now", "complaints", "0: none"),
    Feature(
        "service_overdue_cases_count_7d",
        open_longer_than(WEEK),
        "cases open for 7 days and longer",
        "cases",
        "0: none",
    ),
    Feature(
        "service_days_open_max",
        open_cases.days_since_first(),
        "how long the oldest of the open cases has been open",
        "days",
        "no open case",
    ),
    Feature(
        "service_unanswered_cases_count",
        unanswered_cases.count(),
        "cases that nobody has answered or resolved since they were opened",
        "cases",
        "0: none",
    ),
)

COMPLAINTS = (
    Feature(
        "service_days_since_complaint",
        complaints.days_since_last(),
        "time since the latest complaint",
        "days",
        "never complained",
    ),
    Feature(
        "service_complaints_count_365d",
        complaints.count(days=YEAR),
        "complaints in the last 365 days",
        "complaints",
        "0: none",
    ),
    Feature(
        "service_faults_count_365d",
        faults.count(days=YEAR),
        "faults reported in the last 365 days",
        "faults",
        "0: none",
    ),
    Feature(
        "service_faults_trend_90d",
        trend(faults.count(days=QUARTER), faults.count(days=QUARTER, lag_days=QUARTER)),
        "faults reported in the last 90 days against the 90 before",
        "-1 to 1",
        "none in the 180 days",
    ),
)

RESOLUTION = (
    Feature(
        "service_answer_hours_mean_365d",
        answered.mean("hours_to_answer", days=YEAR),
        "usual time to the first answer, over the last 365 days",
        "hours",
        "no case answered in that time, or its waiting time is not recorded",
    ),
    Feature(
        "service_resolution_hours_mean_365d",
        resolution_hours(YEAR),
        "usual time to resolve a case, over the last 365 days",
        "hours",
        _NONE_RESOLVED,
    ),
    Feature(
        "service_resolution_hours_max_365d",
        resolved.max("hours_to_resolve", days=YEAR),
        "longest time to resolve a case, over the last 365 days",
        "hours",
        _NONE_RESOLVED,
    ),
    Feature(
        "service_resolution_hours_ratio_90d",
        ratio(resolution_hours(QUARTER), resolution_hours(YEAR)),
        "time to resolve a case in the last 90 days, in multiples of that of the last 365",
        "ratio",
        "no case resolved in the last 90 days, or its duration is not recorded",
    ),
    Feature(
        "service_resolved_within_day_share_365d",
        ratio(
            resolved.where(hours_to_resolve=at_most(24)).count(days=YEAR),
            resolved.where(hours_to_resolve=at_least(-math.inf)).count(days=YEAR),
        ),
        "share of the cases resolved in the last 365 days that took at most 24 hours",
        "share",
        _NONE_RESOLVED,
    ),
)

SATISFACTION = (
    Feature(
        "service_satisfaction_mean_365d",
        satisfaction(YEAR),
        "average rating of cases, over the last 365 days",
        "1-5",
        "no rating in that time",
    ),
    Feature(
        "service_satisfaction_last",
        events("service").last("satisfaction"),
        "latest rating of a case",
        "1-5",
        "never rated one",
    ),
    Feature(
        "service_satisfaction_change_90d",
        difference(satisfaction(QUARTER), satisfaction(YEAR)),
        "average rating of cases in the last 90 days less that of the last 365",
        "points",
        "no rating in the last 90 days",
    ),
    Feature(
        "service_poor_ratings_count_365d",
        events("service", satisfaction=at_most(2)).count(days=YEAR),
        "cases rated 1 or 2 in the last 365 days",
        "ratings",
        "0: none",
    ),
    Feature(
        "service_effort_mean_365d",
        events("service").mean("effort", days=YEAR),
        "how easy it was to get help, on average over the last 365 days",
        "1-7",
        "not asked, or not answered, in that time",
    ),
)

FEATURES = (*CASES, *OPEN, *COMPLAINTS, *RESOLUTION, *SATISFACTION)
