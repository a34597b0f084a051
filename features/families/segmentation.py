"""The inputs of segmentation beside the catalog: no inputs of a model, so that no model changes with them."""

from features.definitions import Constant, Definition, Derived, Feature, events, larger, or_else, trend
from features.families.accounts import attributes, days_since
from features.families.contracts import changed
from features.families.engagement import contacts
from features.families.purchases import HALF_YEAR, YEAR, orders, since_first
from features.families.surveys import recommend


def _longest(*ages: Definition) -> Derived:
    """The longest of some ages, 0 where all are absent."""
    longest: Derived = or_else(ages[0], Constant(0))
    for age in ages[1:]:
        longest = larger(longest, or_else(age, Constant(0)))
    return longest


_served = (days_since("joined_at"), since_first, changed("signed").days_since_first())

DAYS_SERVED = Feature(
    "standing_days_served",
    _longest(*_served),
    "time since it joined, first bought or first signed, whichever is longest ago",
    "days",
    "0: none of these",
)
DAYS_KNOWN = Feature(
    "standing_days_known",
    _longest(*_served, events("engagement").days_since_first(), attributes.days_since_first()),
    "time since anything was first on record of it",
    "days",
    "0: nothing before today",
)
NPS = Feature(
    "standing_nps_mean_365d",
    recommend.mean("score", days=YEAR),
    "answers of the last 365 days to would you recommend us, on average",
    "0-10",
    "not asked, or not answered, in that time",
)
ORDERS_BEFORE = Feature(
    "standing_orders_distinct_180d_lag180d",
    orders(HALF_YEAR, lag_days=HALF_YEAR),
    "orders in the 180 days before the last 180",
    "orders",
    "0: no order in that time",
)
ENGAGEMENT = Feature(
    "standing_engagement_count_trend_180d",
    trend(contacts.count(days=HALF_YEAR), contacts.count(days=HALF_YEAR, lag_days=HALF_YEAR)),
    "contacts and uses in the last 180 days against the 180 before",
    "-1 to 1",
    "none in the 360 days",
)

FEATURES = (DAYS_SERVED, DAYS_KNOWN, NPS, ORDERS_BEFORE, ENGAGEMENT)
