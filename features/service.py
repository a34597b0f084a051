"""What an account needs help with: cases by topic, how many are open, how fast they are resolved, how it felt."""

from features.definitions import Feature, at_most, events, weights

QUARTER, YEAR = 90, 365

opened = events("service", kind="opened")
resolved = events("service", kind="resolved")
complaints = opened.where(topic="complaint")

CASES = (
    Feature(
        "service_days_since_opened", opened.days_since_last(), "time since the latest case", "days", "never had a case"
    ),
    *(
        Feature(
            f"service_opened_count_{days}d",
            opened.count(days=days),
            f"cases opened in the last {days} days",
            "cases",
            "0: none",
        )
        for days in (QUARTER, YEAR)
    ),
    Feature(
        "service_open_cases_sum",
        events("service").sum(weights("kind", opened=1.0, reopened=1.0, resolved=-1.0)),
        "cases opened and reopened less cases resolved: those open now, if each is reported once",
        "cases",
        "0: as many resolved as opened; below 0 some were opened before the history begins",
    ),
    Feature(
        "service_urgent_count_365d",
        opened.where(severity="urgent").count(days=YEAR),
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
        opened.where(topic="fault").count(days=YEAR),
        "faults reported in the last 365 days",
        "faults",
        "0: none",
    ),
)

RESOLUTION = (
    Feature(
        "service_resolution_hours_mean_365d",
        resolved.mean("hours_to_resolve", days=YEAR),
        "usual time to resolve a case, over the last 365 days",
        "hours",
        "no case resolved in that time, or its duration is not recorded",
    ),
    Feature(
        "service_resolution_hours_max_365d",
        resolved.max("hours_to_resolve", days=YEAR),
        "longest time to resolve a case, over the last 365 days",
        "hours",
        "no case resolved in that time, or its duration is not recorded",
    ),
)

SATISFACTION = (
    Feature(
        "service_satisfaction_mean_365d",
        events("service").mean("satisfaction", days=YEAR),
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
        "service_poor_ratings_count_365d",
        events("service", satisfaction=at_most(2)).count(days=YEAR),
        "cases rated 1 or 2 in the last 365 days",
        "ratings",
        "0: none",
    ),
)

FEATURES = (*CASES, *COMPLAINTS, *RESOLUTION, *SATISFACTION)
