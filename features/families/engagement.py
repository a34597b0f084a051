"""How an account deals with us: contacts and use, in all and by kind, what it uses, how it answers, what it gives back.

Meetings, surveys and telemetry are events of the same stream and have files of their own.
"""

from features.definitions import (
    Aggregate,
    Feature,
    difference,
    events,
    ratio,
    trend,
    weights,
)
from features.families.purchases import orders
from features.history.streams import ENGAGEMENT_KINDS

WEEK, MONTH, QUARTER, YEAR = 7, 30, 90, 365

HAPPENS_TO_IT = ("telemetry", "stockout", "reference", "champion", "project", "opinion", "intervention")
"""Kinds that are neither a contact with us nor a use of our products."""
CONTACT_KINDS = tuple(kind for kind in ENGAGEMENT_KINDS if kind not in HAPPENS_TO_IT)

contacts = events("engagement", kind=CONTACT_KINDS)
usage = events("engagement", kind="usage")
logins = events("engagement", kind="login")
outreach = events("engagement", kind=("mail", "campaign"))
carts = events("engagement", kind="cart")
loyalty = events("engagement", kind="loyalty")
community = events("engagement", kind="community")
stockouts = events("engagement", kind="stockout")
references = events("engagement", kind="reference").newest("subject")
"""Our reference cases with the account, each in its newest state."""
projects = events("engagement", kind="project").newest("subject")
"""Projects with the account, each in its newest state."""


def used(days: float, lag_days: float = 0.0) -> Aggregate:
    """How much was used, in units of the function used."""
    return usage.sum("quantity", days=days, lag_days=lag_days)


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
        "engagement_subjects_distinct_90d",
        contacts.distinct("subject", days=QUARTER),
        "different functions, campaigns or pages in the last 90 days",
        "subjects",
        "0: none, or subjects are not recorded",
    ),
)


def _of_kind(kind: str) -> tuple[Feature, Feature]:
    of_kind = events("engagement", kind=kind)
    return (
        Feature(
            f"engagement_{kind}_count_90d",
            of_kind.count(days=QUARTER),
            f"{kind} events in 90 days",
            "events",
            "0: none",
        ),
        Feature(
            f"engagement_days_since_{kind}",
            of_kind.days_since_last(),
            f"time since the latest {kind} event",
            "days",
            f"no {kind} event on record",
        ),
    )


BY_KIND = tuple(
    feature
    for kind in ("login", "usage", "visit", "mail", "campaign", "coupon", "meeting", "survey", "community", "loyalty")
    for feature in _of_kind(kind)
)

USAGE = (
    *(
        Feature(
            f"engagement_usage_quantity_sum_{days}d",
            used(days),
            f"how much was used in the last {days} days",
            "of what is used",
            "0: nothing, or quantities are not recorded",
        )
        for days in (MONTH, QUARTER)
    ),
    Feature(
        "engagement_usage_quantity_trend_90d",
        trend(used(QUARTER), used(QUARTER, lag_days=QUARTER)),
        "how much was used in the last 90 days against the 90 before",
        "-1 to 1",
        "nothing in the 180 days, or quantities are not recorded",
    ),
    Feature(
        "engagement_usage_trend_30d",
        trend(usage.count(days=MONTH), usage.count(days=MONTH, lag_days=MONTH)),
        "uses in the last 30 days against the 30 before",
        "-1 to 1",
        "none in the 60 days",
    ),
    Feature(
        "engagement_stickiness_30d",
        ratio(usage.count(days=WEEK), usage.count(days=MONTH)),
        "share of the uses of the last 30 days that fell into the last 7",
        "share",
        "no use in the last 30 days",
    ),
    Feature(
        "engagement_usage_overdue_ratio",
        ratio(usage.days_since_last(), usage.gap_mean()),
        "time since the latest use, in multiples of the usual time between uses",
        "ratio",
        "used on fewer than two occasions",
    ),
    Feature(
        "engagement_functions_distinct_90d",
        usage.distinct("subject", days=QUARTER),
        "different functions used in the last 90 days",
        "functions",
        "0: none, or functions are not recorded",
    ),
    Feature(
        "engagement_functions_dropped_90d",
        difference(usage.distinct("subject", days=2 * QUARTER), usage.distinct("subject", days=QUARTER)),
        "functions used in the 90 days before the last 90, and not since",
        "functions",
        "0: none, or functions are not recorded",
    ),
    Feature(
        "engagement_function_largest_share_90d",
        usage.largest_share("quantity", by="subject", days=QUARTER),
        "share of the use of the last 90 days that one function makes up",
        "share",
        "nothing used in that time, or functions or quantities are not recorded",
    ),
    Feature(
        "engagement_login_trend_30d",
        trend(logins.count(days=MONTH), logins.count(days=MONTH, lag_days=MONTH)),
        "logins in the last 30 days against the 30 before",
        "-1 to 1",
        "none in the 60 days",
    ),
    Feature(
        "engagement_people_distinct_90d",
        contacts.distinct("contact_id", days=QUARTER),
        "different people of the account we dealt with in the last 90 days",
        "people",
        "0: none, or it is not recorded who they were",
    ),
    Feature(
        "engagement_silence_ratio",
        ratio(contacts.days_since_last(), contacts.gap_max()),
        "time since the latest contact or use, in multiples of the longest time between two so far",
        "ratio",
        "in contact on fewer than two occasions",
    ),
)

RESPONSE = (
    Feature(
        "engagement_response_share_180d",
        ratio(
            outreach.where(status=("opened", "answered")).count(days=2 * QUARTER),
            outreach.where(status="sent").count(days=2 * QUARTER),
        ),
        "mails and campaigns opened or answered per one sent, over the last 180 days",
        "share",
        "nothing was sent in that time, or it is not recorded",
    ),
    Feature(
        "engagement_unsubscribed_count_365d",
        outreach.where(status="unsubscribed").count(days=YEAR),
        "campaigns unsubscribed from in the last 365 days",
        "times",
        "0: none",
    ),
    Feature(
        "engagement_portal_count_90d",
        events("engagement", kind="portal").count(days=QUARTER),
        "visits to the portal in the last 90 days",
        "visits",
        "0: none",
    ),
    Feature(
        "engagement_carts_abandoned_count_30d",
        carts.where(status="abandoned").count(days=MONTH),
        "carts abandoned in the last 30 days",
        "carts",
        "0: none",
    ),
    Feature(
        "engagement_visits_per_order_90d",
        ratio(events("engagement", kind="visit").count(days=QUARTER), orders(QUARTER)),
        "visits to the web site per order, in the last 90 days",
        "visits",
        "no order in that time",
    ),
)

GIVING_BACK = (
    Feature(
        "engagement_ideas_count_365d",
        community.where(status="idea").count(days=YEAR),
        "ideas brought into the community in the last 365 days",
        "ideas",
        "0: none",
    ),
    Feature(
        "engagement_votes_count_365d",
        community.where(status="vote").count(days=YEAR),
        "votes on ideas in the last 365 days",
        "votes",
        "0: none",
    ),
    Feature(
        "engagement_points_sum",
        difference(loyalty.where(status="earned").sum("quantity"), loyalty.where(status="redeemed").sum("quantity")),
        "loyalty points earned and not redeemed",
        "loyalty points",
        "0: none, or not in the programme",
    ),
    Feature(
        "engagement_points_redeemed_sum_365d",
        loyalty.where(status="redeemed").sum("quantity", days=YEAR),
        "loyalty points redeemed in the last 365 days",
        "loyalty points",
        "0: none",
    ),
    Feature(
        "engagement_tier_moves_sum_365d",
        loyalty.sum(weights("status", upgraded=1.0, downgraded=-1.0), days=YEAR),
        "moves up less moves down between loyalty tiers in the last 365 days",
        "moves",
        "0: none, or as many up as down",
    ),
    Feature(
        "engagement_references_count",
        references.where(status="published").count(),
        "reference cases with the account that are public",
        "references",
        "0: none, or it is not recorded which case it was",
    ),
)

HAPPENING = (
    Feature(
        "engagement_stockouts_count_90d",
        stockouts.count(days=QUARTER),
        "times in the last 90 days that what the account wanted was out of stock",
        "times",
        "0: none",
    ),
    Feature(
        "engagement_projects_running_count",
        projects.where(status=("started", "delayed")).count(),
        "projects with the account that are running",
        "projects",
        "0: none, or it is not recorded which project it was",
    ),
    Feature(
        "engagement_projects_delayed_count",
        projects.where(status="delayed").count(),
        "projects with the account that are delayed",
        "projects",
        "0: none, or it is not recorded which project it was",
    ),
)

FEATURES = (*OVERALL, *BY_KIND, *USAGE, *RESPONSE, *GIVING_BACK, *HAPPENING)
