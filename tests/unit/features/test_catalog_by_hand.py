"""Every family of the catalog on one account whose numbers can be checked by hand."""

import math
import statistics
from datetime import timedelta

import pytest
from histories import AS_OF

from features.catalog import CATALOG, named
from features.engine.events import Events
from features.engine.table import build_feature_row


def at(days_ago, **columns):
    moment = AS_OF - timedelta(days=days_ago)
    return {"occurred_at": moment, "known_at": moment} | columns


def bought(days_ago, order, amount, **columns):
    return at(days_ago, kind="order", order_id=order, amount=float(amount)) | columns


def case(days_ago, case_id, kind, **columns):
    return at(days_ago, case_id=case_id, kind=kind) | columns


def contract(days_ago, contract_id, kind, value, ends_in=None, **columns):
    ends_at = None if ends_in is None else AS_OF + timedelta(days=ends_in)
    term = {"term": "open" if ends_at is None else "fixed", "ends_at": ends_at}
    return at(days_ago, contract_id=contract_id, kind=kind, value=float(value)) | term | columns


HISTORY = {
    "purchases": [
        bought(5, "o1", 100, product_id="p1", category="x", channel="web", quantity=2.0, discount=10.0,
               margin=30.0, unit_price=55.0),
        bought(5, "o1", 50, product_id="p2", category="y", channel="web", quantity=1.0, margin=20.0, unit_price=50.0),
        bought(40, "o2", 60, product_id="p1", category="x", channel="store", quantity=1.0, margin=6.0, unit_price=60.0),
        bought(100, "o3", 30, product_id="p3"),
        bought(200, "o4", 20),
        bought(300, "o5", 80, quantity=2.0, margin=4.0),
        bought(400, "o6", 90),
        at(10, kind="return", order_id="o1", amount=-50.0, quantity=-1.0),
        at(380, kind="return", amount=-5.0),
        at(60, kind="cancellation", amount=-25.0),
    ],
    "service": [
        case(400, "c1", "opened", topic="complaint"),
        case(300, "c1", "resolved", hours_to_resolve=240.0),
        case(200, "c1", "rated", satisfaction=5.0),
        case(120, "c2", "opened", topic="question", severity="high"),
        case(119, "c2", "answered", hours_to_answer=6.0),
        case(50, "c3", "opened", topic="fault"),
        case(49, "c3", "resolved", hours_to_resolve=24.0),
        case(20, "c4", "opened", topic="complaint", severity="urgent"),
        case(19, "c4", "answered", hours_to_answer=10.0),
        case(18, "c4", "escalated"),
        case(15, "c4", "resolved", hours_to_resolve=120.0),
        case(14, "c4", "rated", satisfaction=2.0, effort=6.0),
        case(10, "c4", "reopened", topic="complaint", severity="urgent"),
    ],
    "engagement": [
        at(3, kind="login", contact_id="m"),
        at(20, kind="login", contact_id="m"),
        at(50, kind="login", contact_id="n"),
        at(4, kind="usage", subject="a", quantity=10.0, contact_id="m"),
        at(10, kind="usage", subject="a", quantity=30.0, contact_id="m"),
        at(70, kind="usage", subject="b", quantity=12.0, contact_id="n"),
        at(120, kind="usage", subject="c", quantity=8.0),
        at(99, kind="campaign", status="opened"),
        at(100, kind="campaign", status="sent"),
        at(101, kind="campaign", status="sent"),
        at(15, kind="visit"),
        at(25, kind="visit"),
        at(12, kind="portal"),
        at(14, kind="cart", status="abandoned"),
        at(40, kind="meeting", status="held", level="executive", subject="strategy"),
        at(61, kind="meeting", status="held", level="middle"),
        at(95, kind="meeting", status="cancelled", level="middle", subject="qbr"),
        at(200, kind="meeting", status="held", level="executive", subject="qbr"),
        at(35, kind="survey", scale="nps", score=9.0),
        at(300, kind="survey", scale="nps", score=6.0),
        at(36, kind="survey", scale="csat", score=4.0),
        at(37, kind="survey", scale="ces", score=5.0),
        at(80, kind="community", status="idea"),
        at(81, kind="community", status="vote"),
        at(85, kind="loyalty", status="earned", quantity=500.0),
        at(45, kind="loyalty", status="redeemed", quantity=200.0),
        at(44, kind="loyalty", status="upgraded"),
        at(22, kind="opinion", sentiment=-0.5),
        at(150, kind="opinion", sentiment=0.9),
        at(250, kind="reference", subject="case", status="published"),
        at(33, kind="stockout", product_id="p1", quantity=4.0),
        at(60, kind="project", subject="P", status="started"),
        at(20, kind="project", subject="P", status="delayed"),
        at(10, kind="telemetry", subject="faults", quantity=3.0, product_id="m1"),
        at(40, kind="telemetry", subject="faults", quantity=1.0, product_id="m2"),
        at(100, kind="telemetry", subject="faults", quantity=2.0, product_id="m3"),
        at(10, kind="telemetry", subject="energy", quantity=110.0, product_id="m1"),
        at(40, kind="telemetry", subject="energy", quantity=105.0, product_id="m1"),
        at(130, kind="telemetry", subject="energy", quantity=100.0, product_id="m1"),
    ],
    "contracts": [
        contract(500, "s1", "signed", 1000, ends_in=-135, quantity=10.0, notice_days=30.0),
        contract(135, "s1", "renewed", 1000, ends_in=230, quantity=10.0, notice_days=60.0),
        contract(50, "s1", "upgraded", 1500, ends_in=230, quantity=20.0, notice_days=60.0, renewal="manual"),
        contract(300, "s2", "signed", 200, quantity=5.0),
        contract(400, "s3", "signed", 300, ends_in=40),
        contract(20, "s3", "cancelled", 300, ends_in=40),
        contract(700, "s4", "signed", 50, ends_in=-335),
        contract(100, "s5", "signed", 700, ends_in=100, quantity=1.0, notice_days=30.0, renewal="automatic"),
    ],
    "contacts": [
        at(400, contact_id="m", status="joined", role="decides", level="executive", stance="champion"),
        at(300, contact_id="n", status="joined", role="uses", level="operational", stance="neutral"),
        at(200, contact_id="o", status="joined", role="influences", level="middle", stance="critic"),
        at(50, contact_id="o", status="left", role="influences", level="middle", stance="critic"),
        at(350, contact_id="p", status="joined", role="decides", level="executive", stance="champion"),
        at(30, contact_id="p", status="left", role="decides", level="executive", stance="champion"),
    ],
    "accounts": [
        at(500, size=10.0, founded_at=AS_OF - timedelta(days=3650), joined_at=AS_OF - timedelta(days=510),
           strategic_fit=4.0, influence=2.0, willing_to_be_reference="yes", industry_growth=0.05, market_share=0.2,
           switching_cost=3.0),
        at(90, size=12.0, market_share=0.25),
    ],
}  # fmt: skip

PURCHASES_BY_HAND = {
    "purchases_days_since_last": 5,
    "purchases_days_since_first": 400,
    "purchases_active_life_share": 395 / 400,
    "purchases_orders_distinct": 6,
    "purchases_orders_distinct_30d": 1,
    "purchases_orders_distinct_90d": 2,
    "purchases_orders_distinct_180d": 3,
    "purchases_orders_distinct_365d": 5,
    "purchases_lines_per_order_mean_365d": 6 / 5,
    "purchases_orders_per_year_mean": 6 / 400 * 365,
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
    "purchases_amount_std_365d": statistics.stdev([100, 50, 60, 30, 20, 80]),
    "purchases_amount_max_365d": 100,
    "purchases_quantity_sum_90d": 4,
    "purchases_net_amount_sum": 430 - 50 - 25 - 5,
    "purchases_net_amount_sum_365d": 340 - 50 - 25,
    "purchases_amount_per_year_mean": 430 / 400 * 365,
    "purchases_order_amount_ratio_90d": 105 / 68,
    "purchases_amount_median_365d": (50 + 60) / 2,
    "purchases_order_largest_share_365d": 150 / 340,
    "purchases_gap_days_mean": (35 + 60 + 100 + 100 + 100) / 5,
    "purchases_gap_days_std": statistics.stdev([35, 60, 100, 100, 100]),
    "purchases_gap_days_mean_180d": (35 + 60) / 2,
    "purchases_overdue_ratio": 5 / 79,
    "purchases_gap_days_median": 100,
    "purchases_days_until_expected": 100 - 5,
    "purchases_gap_days_max": 100,
    "purchases_silence_ratio": 5 / 100,
    "purchases_gap_variation": statistics.stdev([35, 60, 100, 100, 100]) / 79,
    "purchases_gap_ratio_180d": 47.5 / 79,
    "purchases_silent_90d_lag90d": 0,
    "purchases_silent_quarters_sum": 0,
    "purchases_orders_trend_30d": (1 - 1) / 2,
    "purchases_orders_trend_90d": (2 - 1) / 3,
    "purchases_amount_trend_90d": (210 - 30) / 240,
    "purchases_amount_trend_180d": (240 - 100) / 340,
    "purchases_amount_trend_90d_year": (210 - 90) / 300,
    "purchases_amount_sum_90d_lag275d": 80,
    "purchases_amount_trend_365d": (340 - 90) / 430,
    "purchases_season_share_90d_lag275d": 80 / 340,
    "purchases_products_distinct_90d": 2,
    "purchases_products_distinct_365d": 3,
    "purchases_categories_distinct_90d": 2,
    "purchases_categories_distinct_365d": 2,
    "purchases_channels_distinct_365d": 2,
    "purchases_product_largest_share_365d": (100 + 60) / (100 + 60 + 50 + 30),
    "purchases_category_largest_share_365d": (100 + 60) / (100 + 60 + 50),
    "purchases_products_new_90d": 2,
    "purchases_categories_new_90d": 2,
    "purchases_categories_dropped_90d": 0,
    "purchases_discount_sum_90d": 10,
    "purchases_discount_share_365d": 10 / 340,
    "purchases_discount_share_change_90d": 10 / 210 - 10 / 340,
    "purchases_discounted_lines_share_365d": 1 / 6,
    "purchases_price_ratio_90d": (210 / 4) / (80 / 2),
    "purchases_list_price_share_365d": 210 / (2 * 55 + 50 + 60),
    "purchases_margin_sum_365d": 30 + 20 + 6 + 4,
    "purchases_margin_share_365d": 60 / (210 + 80),
    "purchases_margin_share_change_90d": 56 / 210 - 60 / 290,
    "purchases_days_since_return": 10,
    "purchases_returns_count_365d": 1,
    "purchases_returns_amount_sum_365d": -50,
    "purchases_returns_share_365d": -50 / 340,
    "purchases_days_since_cancellation": 60,
    "purchases_cancellations_count_365d": 1,
}
SERVICE_BY_HAND = {
    "service_days_since_opened": 20,
    "service_opened_count_90d": 2,
    "service_opened_count_365d": 3,
    "service_opened_trend_90d": (2 - 1) / 3,
    "service_cases_per_order_365d": 3 / 5,
    "service_severity_decayed_sum": 4 * 0.5 ** (120 / 30) + 8 * 0.5 ** (20 / 30),
    "service_urgent_count_365d": 1,
    "service_escalated_count_365d": 1,
    "service_reopened_count_365d": 1,
    "service_open_cases_count": 2,  # c2, never resolved, and c4, opened again
    "service_open_urgent_cases_count": 2,
    "service_open_complaints_count": 1,
    "service_overdue_cases_count_7d": 2,
    "service_days_open_max": 120,
    "service_unanswered_cases_count": 0,  # c2 and c4 had their first answer
    "service_days_since_complaint": 20,
    "service_complaints_count_365d": 1,
    "service_faults_count_365d": 1,
    "service_faults_trend_90d": 1,
    "service_answer_hours_mean_365d": (6 + 10) / 2,
    "service_resolution_hours_mean_365d": (24 + 120 + 240) / 3,
    "service_resolution_hours_max_365d": 240,
    "service_resolution_hours_ratio_90d": 72 / 128,
    "service_resolved_within_day_share_365d": 1 / 3,
    "service_satisfaction_mean_365d": (5 + 2) / 2,
    "service_satisfaction_last": 2,
    "service_satisfaction_change_90d": 2 - 3.5,
    "service_poor_ratings_count_365d": 1,
    "service_effort_mean_365d": 6,
}
ENGAGEMENT_BY_HAND = {
    "engagement_days_since_last": 3,
    "engagement_count_30d": 8,  # 3 4 10 12 14 15 20 25 days ago
    "engagement_count_90d": 8 + 7 + 5,  # 35 36 37 40 44 45 50, then 61 70 80 81 85
    "engagement_count_365d": 20 + 5 + 2,  # 95 99 100 101 120, then 200 300
    "engagement_count_trend_30d": (8 - 7) / 15,
    "engagement_count_trend_90d": (20 - 5) / 25,
    "engagement_subjects_distinct_90d": 3,  # a, b, strategy
    "engagement_login_count_90d": 3,
    "engagement_days_since_login": 3,
    "engagement_usage_count_90d": 3,
    "engagement_days_since_usage": 4,
    "engagement_visit_count_90d": 2,
    "engagement_days_since_visit": 15,
    "engagement_mail_count_90d": 0,
    "engagement_days_since_mail": math.nan,
    "engagement_campaign_count_90d": 0,
    "engagement_days_since_campaign": 99,
    "engagement_coupon_count_90d": 0,
    "engagement_days_since_coupon": math.nan,
    "engagement_meeting_count_90d": 2,
    "engagement_days_since_meeting": 40,
    "engagement_survey_count_90d": 3,
    "engagement_days_since_survey": 35,
    "engagement_community_count_90d": 2,
    "engagement_days_since_community": 80,
    "engagement_loyalty_count_90d": 3,
    "engagement_days_since_loyalty": 44,
    "engagement_usage_quantity_sum_30d": 40,
    "engagement_usage_quantity_sum_90d": 10 + 30 + 12,  # the points are no use of anything
    "engagement_usage_quantity_trend_90d": (52 - 8) / 60,
    "engagement_usage_trend_30d": 1,
    "engagement_stickiness_30d": 1 / 2,
    "engagement_usage_overdue_ratio": 4 / ((6 + 60 + 50) / 3),
    "engagement_functions_distinct_90d": 2,
    "engagement_functions_dropped_90d": 1,
    "engagement_function_largest_share_90d": 40 / 52,
    "engagement_login_trend_30d": (2 - 1) / 3,
    "engagement_people_distinct_90d": 2,
    "engagement_silence_ratio": 3 / 100,
    "engagement_response_share_180d": 1 / 2,
    "engagement_unsubscribed_count_365d": 0,
    "engagement_portal_count_90d": 1,
    "engagement_carts_abandoned_count_30d": 1,
    "engagement_visits_per_order_90d": 2 / 2,
    "engagement_ideas_count_365d": 1,
    "engagement_votes_count_365d": 1,
    "engagement_points_sum": 500 - 200,
    "engagement_points_redeemed_sum_365d": 200,
    "engagement_tier_moves_sum_365d": 1,
    "engagement_references_count": 1,
    "engagement_stockouts_count_90d": 1,
    "engagement_projects_running_count": 1,
    "engagement_projects_delayed_count": 1,
    "meetings_held_count_365d": 3,
    "meetings_called_off_sum_365d": 1,
    "meetings_called_off_share_365d": 1 / 4,
    "meetings_days_since_executive": 40,
    "meetings_days_since_middle": 61,
    "meetings_days_since_review": 200,
    "meetings_days_since_strategy": 40,
    "surveys_nps_last": 9,
    "surveys_nps_net_365d": (1 - 1) / 2,
    "surveys_nps_change": 9 - 7.5,
    "surveys_days_since_detractor": 300,
    "surveys_satisfaction_mean_365d": 4,
    "surveys_effort_mean_365d": 5,
    "surveys_sentiment_mean_90d": -0.5,
    "surveys_sentiment_change_90d": -0.5 - 0.2,
    "surveys_negative_count_90d": 1,
    "telemetry_days_since_reading": 10,
    "telemetry_equipment_distinct_90d": 2,
    "telemetry_faults_sum_90d": 4,
    "telemetry_faults_trend_90d": (4 - 2) / 6,
    "telemetry_faults_slope_90d": (3 - 1) / 30,
    "telemetry_energy_ratio_90d": 107.5 / 100,
    "telemetry_energy_slope_90d": (110 - 105) / 30,
}
ACCOUNT_BY_HAND = {
    "contracts_in_force_count": 3,  # s1, s2, s5
    "contracts_value_sum": 1500 + 200 + 700,
    "contracts_quantity_sum": 20 + 5 + 1,
    "contracts_days_left_min": 100,
    "contracts_days_left_max": 230,
    "contracts_days_to_notice": 100 - 60,
    "contracts_automatic_share": 1 / 2,
    "contracts_notice_given_count": 1,
    "contracts_lapsed_count": 1,
    "contracts_days_since_first": 700,
    "contracts_renewed_count": 1,
    "contracts_upgraded_count_365d": 1,
    "contracts_downgraded_count_365d": 0,
    "contracts_cancelled_count_365d": 1,
    "contracts_days_since_cancelled": 20,
    "contacts_known_count": 2,
    "contacts_deciders_count": 1,
    "contacts_executives_count": 1,
    "contacts_champions_count": 1,
    "contacts_critics_count": 0,
    "contacts_left_count_365d": 2,
    "contacts_deciders_left_count_365d": 1,
    "contacts_engaged_share_90d": 2 / 2,
    "account_size_last": 12,
    "account_days_since_joined": 510,
    "account_days_since_founded": 3650,
    "account_strategic_fit_last": 4,
    "account_influence_last": 2,
    "account_willing_to_be_reference_last": 1,
    "account_industry_growth_last": 0.05,
    "account_market_share_last": 0.25,
    "account_market_share_change": 0.05,
    "account_switching_cost_last": 3,
}
SIGNALS_BY_HAND = {
    "signal_purchases_down_two_quarters": 0,
    "signal_purchase_frequency_falling": 0,
    "signal_long_without_repurchase": 0,
    "signal_browses_without_buying": 0,
    "signal_strategy_meeting_cancelled": 0,
    "signal_executive_meeting_overdue": 0,
    "signal_middle_meeting_overdue": 1,  # 61 days
    "signal_review_overdue": 1,  # 200 days
    "signal_reference_removed": 0,
    "signal_champion_left": 1,  # p, 30 days ago
    "signal_complaint_unresolved_7d": 1,  # c4, opened again 10 days ago
    "signal_detractor": 0,
    "signal_use_falling": 0,
    "signal_faults_rising": 1,  # 4 after 2
    "signal_contract_ends_soon": 0,
    "signal_notice_given": 1,  # s3
}
BY_HAND = PURCHASES_BY_HAND | SERVICE_BY_HAND | ENGAGEMENT_BY_HAND | ACCOUNT_BY_HAND | SIGNALS_BY_HAND
ELSEWHERE = {
    "purchases_amount_slope_365d",  # against SQL and the oracle
    "calendar_year_sine", "calendar_year_cosine",  # against the oracle
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test__feature__one_account__as_worked_out_by_hand(name):
    """The declaration computes what its meaning says."""
    values = dict(zip(CATALOG.names, build_feature_row(Events.from_rows(HISTORY), AS_OF, CATALOG), strict=True))
    assert values[name] == pytest.approx(BY_HAND[name], rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("days_ago", "orders", "amount"), [(0, 365 / 90, 3650 / 90), (1, 365 / 90, 3650 / 90), (180, 365 / 180, 3650 / 180)]
)
def test__per_year__first_order_just_now__is_not_multiplied_by_the_days_of_a_year(days_ago, orders, amount):
    """One order of yesterday is no 365 orders a year."""
    features = named(["purchases_orders_per_year_mean", "purchases_amount_per_year_mean"])
    row = build_feature_row(Events.from_rows({"purchases": [bought(days_ago, "o", 10)]}), AS_OF, features)
    assert row.tolist() == pytest.approx([orders, amount])


@pytest.mark.parametrize(
    ("kinds", "unanswered"),
    [
        (["opened"], 1),
        (["opened", "escalated"], 1),
        (["opened", "answered"], 0),
        (["opened", "resolved"], 0),
        (["opened", "answered", "resolved", "reopened"], 0),
        (["opened", "resolved", "reopened"], 0),
    ],
)
def test__unanswered_cases__first_answer_is_the_only_one_that_is_an_event__reopened_ones_do_not_wait_for_it(
    kinds, unanswered
):
    """A case that was answered and opened again has no second first answer: it would count as unanswered for ever."""
    events = [case(50 - number, "c", kind) for number, kind in enumerate(kinds)]
    (value,) = build_feature_row(
        Events.from_rows({"service": events}), AS_OF, named(["service_unanswered_cases_count"])
    )
    assert value == unanswered


def test__features__all_are_worked_out_somewhere():
    """A new feature needs a number that somebody has checked."""
    assert set(CATALOG.names) - set(BY_HAND) - ELSEWHERE == set()
