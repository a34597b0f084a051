"""How an account deals with us: contacts and use, in all and by kind."""

from features.definitions import Feature, events, trend
from features.streams import ENGAGEMENT_KINDS

MONTH, QUARTER, YEAR = 30, 90, 365

contacts = events("engagement")

OVERALL = (
    Feature(
        "engagement_days_since_last",
        contacts.days_since_last(),
        "time since the latest contact or use",
        "days",
        "no contact on record",
    ),
    *(
        Feature(
            f"engagement_count_{days}d",
            contacts.count(days=days),
            f"contacts and uses in the last {days} days",
            "events",
            "0: none",
        )
        for days in (MONTH, QUARTER, YEAR)
    ),
    Feature(
        "engagement_count_trend_30d",
        trend(contacts.count(days=MONTH), contacts.count(days=MONTH, lag_days=MONTH)),
        "contacts and uses in the last 30 days against the 30 before",
        "-1 to 1",
        "none in the 60 days",
    ),
    Feature(
        "engagement_count_trend_90d",
        trend(contacts.count(days=QUARTER), contacts.count(days=QUARTER, lag_days=QUARTER)),
        "contacts and uses in the last 90 days against the 90 before",
        "-1 to 1",
        "none in the 180 days",
    ),
    Feature(
        "engagement_quantity_sum_90d",
        contacts.sum("quantity", days=QUARTER),
        "quantity used in the last 90 days",
        "of the kind",
        "0: none, or quantities are not recorded",
    ),
    Feature(
        "engagement_subjects_distinct_90d",
        contacts.distinct("subject", days=QUARTER),
        "different functions, campaigns or pages in the last 90 days",
        "subjects",
        "0: none, or subjects are not recorded",
    ),
)


def _of_kind(kind: str) -> tuple[Feature, Feature]:
    own = events("engagement", kind=kind)
    return (
        Feature(
            f"engagement_{kind}_count_90d", own.count(days=QUARTER), f"{kind} events in 90 days", "events", "0: none"
        ),
        Feature(
            f"engagement_days_since_{kind}",
            own.days_since_last(),
            f"time since the latest {kind} event",
            "days",
            f"no {kind} event on record",
        ),
    )


BY_KIND = tuple(feature for kind in ENGAGEMENT_KINDS for feature in _of_kind(kind))

FEATURES = (*OVERALL, *BY_KIND)
