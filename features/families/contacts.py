"""Whom we know at an account: who is there, who decides and who speaks for us, who left, and whom we deal with."""

from features.definitions import Feature, events, ratio

QUARTER, YEAR = 90, 365

newest = events("contacts").newest("contact_id")
"""The state of each contact."""
present = newest.where(status="joined")
gone = newest.where(status="left")

FEATURES = (
    Feature("contacts_known_count", present.count(), "contacts who are there", "contacts", "0: none on record"),
    Feature(
        "contacts_deciders_count",
        present.where(role="decides").count(),
        "contacts who decide",
        "contacts",
        "0: none, or roles are not recorded",
    ),
    Feature(
        "contacts_executives_count",
        present.where(level="executive").count(),
        "executives among the contacts",
        "contacts",
        "0: none, or levels are not recorded",
    ),
    Feature(
        "contacts_champions_count",
        present.where(stance="champion").count(),
        "contacts who speak for us",
        "contacts",
        "0: none, or it is not recorded",
    ),
    Feature(
        "contacts_critics_count",
        present.where(stance="critic").count(),
        "contacts who speak against us",
        "contacts",
        "0: none, or it is not recorded",
    ),
    Feature(
        "contacts_left_count_365d",
        gone.count(days=YEAR),
        "contacts who left in the last 365 days",
        "contacts",
        "0: none",
    ),
    Feature(
        "contacts_deciders_left_count_365d",
        gone.where(role="decides").count(days=YEAR),
        "contacts who decided and left in the last 365 days",
        "contacts",
        "0: none, or roles are not recorded",
    ),
    Feature(
        "contacts_engaged_share_90d",
        ratio(events("engagement").distinct("contact_id", days=QUARTER), present.count()),
        "contacts we dealt with in the last 90 days per contact on record",
        "share",
        "no contact on record",
    ),
)
