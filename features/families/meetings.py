"""Whether people meet: meetings held and called off, by the level of those in them, and the cadence that they keep."""

from features.definitions import Feature, Selected, events, ratio, total

MONTH, QUARTER, YEAR = 30, 90, 365

meetings = events("engagement", kind="meeting")
held = meetings.where(status="held")
cancelled = meetings.where(status="cancelled")
missed = meetings.where(status="missed")

EXPECTED_DAYS = {"executive": 92, "middle": 31}
"""The cadence that is expected of people of a level: executives meet each quarter, middle management each month."""
REVIEW_DAYS = 92
"""A business review (qbr) is due each quarter."""


def held_at(level: str) -> Selected:
    """Meetings with people of that level."""
    return held.where(level=level)


reviews = held.where(subject="qbr")
strategy = held.where(subject="strategy")

_CALLED_OFF = total(cancelled.count(days=YEAR), missed.count(days=YEAR))

FEATURES = (
    Feature(
        "meetings_held_count_365d",
        held.count(days=YEAR),
        "meetings held in the last 365 days",
        "meetings",
        "0: none, or it is not recorded whether they were held",
    ),
    Feature(
        "meetings_called_off_sum_365d",
        _CALLED_OFF,
        "meetings cancelled or missed in the last 365 days",
        "meetings",
        "0: none",
    ),
    Feature(
        "meetings_called_off_share_365d",
        ratio(_CALLED_OFF, total(_CALLED_OFF, held.count(days=YEAR))),
        "share of the meetings of the last 365 days that were cancelled or missed",
        "share",
        "no meeting in that time",
    ),
    *(
        Feature(
            f"meetings_days_since_{level}",
            held_at(level).days_since_last(),
            f"time since the latest meeting with {called}",
            "days",
            "none was held",
        )
        for level, called in (("executive", "an executive"), ("middle", "middle management"))
    ),
    Feature(
        "meetings_days_since_review",
        reviews.days_since_last(),
        "time since the latest business review (qbr)",
        "days",
        "none was held",
    ),
    Feature(
        "meetings_days_since_strategy",
        strategy.days_since_last(),
        "time since the latest strategy meeting",
        "days",
        "none was held",
    ),
)
