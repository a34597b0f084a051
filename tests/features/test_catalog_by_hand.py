"""Every family of the catalog on one account whose numbers can be checked by hand."""

import math
from datetime import timedelta

import pytest
from histories import AS_OF
from storing import store

from features.catalog import CATALOG
from features.events import Events
from features.prepared import PreparedBucket
from features.table import build_feature_row


def at(days_ago, **columns):
    moment = AS_OF - timedelta(days=days_ago)
    return {"occurred_at": moment, "known_at": moment} | columns


def bought(days_ago, order, amount, **columns):
    return at(days_ago, kind="order", order_id=order, amount=float(amount)) | columns


def case(days_ago, kind, **columns):
    return at(days_ago, case_id="c", kind=kind) | columns


HISTORY = {
    "purchases": [
        bought(5, "o1", 100, product_id="p1", category="x", channel="web", quantity=2.0, discount=10.0),
        bought(5, "o1", 50, product_id="p2", category="y", channel="web", quantity=1.0),
        bought(40, "o2", 60, product_id="p1", category="x", channel="store", quantity=1.0),
        bought(100, "o3", 30, product_id="p3"),
        bought(200, "o4", 20),
        bought(300, "o5", 80),
        bought(400, "o6", 90),
        at(10, kind="return", order_id="o1", amount=-50.0, quantity=-1.0),
        at(380, kind="return", amount=-5.0),
    ],
    "service": [
        case(400, "opened", topic="complaint"),
        case(120, "opened", topic="question", severity="high"),
        case(50, "opened", topic="fault"),
        case(20, "opened", topic="complaint", severity="urgent"),
        case(49, "resolved", hours_to_resolve=24.0),
        case(15, "resolved", hours_to_resolve=120.0),
        case(18, "escalated"),
        case(10, "reopened"),
        case(200, "rated", satisfaction=5.0),
        case(14, "rated", satisfaction=2.0),
    ],
    "engagement": [
        at(3, kind="login"),
        at(20, kind="login"),
        at(50, kind="login"),
        at(10, kind="usage", subject="a", quantity=30.0),
        at(70, kind="usage", subject="b", quantity=12.0),
        at(100, kind="campaign"),
    ],
    "accounts": [at(500, size=10.0), at(90, size=12.0)],
}

BY_HAND = {
    "purchases_days_since_last": 5,
    "purchases_days_since_first": 400,
    "purchases_orders_distinct": 6,
    "purchases_orders_distinct_30d": 1,
    "purchases_orders_distinct_90d": 2,
    "purchases_orders_distinct_180d": 3,
    "purchases_orders_distinct_365d": 5,
    "purchases_lines_per_order_mean_365d": 6 / 5,
    "purchases_amount_sum": 430,
    "purchases_amount_sum_30d": 150,
    "purchases_amount_sum_90d": 210,
    "purchases_amount_sum_180d": 240,
    "purchases_amount_sum_365d": 340,
    "purchases_amount_decayed_sum": sum(
        amount * 0.5 ** (days / 90) for days, amount in [(5, 150), (40, 60), (100, 30), (200, 20), (300, 80), (400, 90)]
    ),
    "purchases_order_amount_mean_365d": 340 / 5,
    "purchases_order_amount_mean_90d": 210 / 2,
    "purchases_amount_max_365d": 100,
    "purchases_quantity_sum_90d": 4,
    "purchases_gap_days_mean": (35 + 60 + 100 + 100 + 100) / 5,
    "purchases_gap_days_mean_180d": (35 + 60) / 2,
    "purchases_overdue_ratio": 5 / 79,
    "purchases_orders_trend_30d": (1 - 1) / 2,
    "purchases_orders_trend_90d": (2 - 1) / 3,
    "purchases_amount_trend_90d": (210 - 30) / 240,
    "purchases_amount_trend_180d": (240 - 100) / 340,
    "purchases_amount_trend_90d_year": (210 - 90) / 300,
    "purchases_amount_sum_90d_lag275d": 80,
    "purchases_products_distinct_90d": 2,
    "purchases_products_distinct_365d": 3,
    "purchases_categories_distinct_90d": 2,
    "purchases_categories_distinct_365d": 2,
    "purchases_channels_distinct_365d": 2,
    "purchases_discount_sum_90d": 10,
    "purchases_discount_share_365d": 10 / 340,
    "purchases_days_since_return": 10,
    "purchases_returns_count_365d": 1,
    "purchases_returns_amount_sum_365d": -50,
    "purchases_returns_share_365d": -50 / 340,
    "service_days_since_opened": 20,
    "service_opened_count_90d": 2,
    "service_opened_count_365d": 3,
    "service_open_cases_sum": 4 + 1 - 2,
    "service_urgent_count_365d": 1,
    "service_escalated_count_365d": 1,
    "service_days_since_complaint": 20,
    "service_complaints_count_365d": 1,
    "service_faults_count_365d": 1,
    "service_resolution_hours_mean_365d": (24 + 120) / 2,
    "service_resolution_hours_max_365d": 120,
    "service_satisfaction_mean_365d": (5 + 2) / 2,
    "service_satisfaction_last": 2,
    "service_poor_ratings_count_365d": 1,
    "engagement_days_since_last": 3,
    "engagement_count_30d": 3,
    "engagement_count_90d": 5,
    "engagement_count_365d": 6,
    "engagement_count_trend_30d": (3 - 1) / 4,
    "engagement_count_trend_90d": (5 - 1) / 6,
    "engagement_quantity_sum_90d": 42,
    "engagement_subjects_distinct_90d": 2,
    "engagement_login_count_90d": 3,
    "engagement_days_since_login": 3,
    "engagement_usage_count_90d": 2,
    "engagement_days_since_usage": 10,
    "engagement_campaign_count_90d": 0,
    "engagement_days_since_campaign": 100,
    "engagement_days_since_mail": math.nan,
    "account_size_last": 12,
}
ELSEWHERE = {
    "purchases_amount_std_365d", "purchases_gap_days_std", "purchases_amount_slope_365d",  # against SQL and the oracle
    "calendar_year_sine", "calendar_year_cosine",  # against the oracle
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test__feature__one_account__as_worked_out_by_hand(name):
    """The declaration computes what its meaning says."""
    values = dict(zip(CATALOG.names, build_feature_row(Events.from_rows(HISTORY), AS_OF), strict=True))
    assert values[name] == pytest.approx(BY_HAND[name], rel=1e-12, nan_ok=True)


def test__features__all_are_worked_out_somewhere():
    """A new feature needs a number that somebody has checked; each kind of engagement is declared alike."""
    kinds = {name for name in CATALOG.names if name.startswith("engagement_")}
    assert set(CATALOG.names) - kinds - set(BY_HAND) - ELSEWHERE == set()


def test__prepared_bucket__account_first_known_at_as_of__has_the_row_of_the_table(tmp_path):
    """Known at as_of is known; a microsecond earlier it is nobody."""
    history = store(tmp_path, {"a": HISTORY, "new": {"purchases": [bought(0, "o1", 5)]}}, buckets=1)
    bucket = PreparedBucket.read(history, 0, CATALOG)
    assert bucket.row("new", AS_OF) is not None
    assert bucket.row("new", AS_OF - timedelta(microseconds=1)) is None
    assert bucket.row("a", AS_OF).tobytes() == build_feature_row(Events.from_rows(HISTORY), AS_OF).tobytes()
