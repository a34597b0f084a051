"""Named warning signals: 1 where something happened, or failed to happen, that a good account manager would act upon.

A signal is 0 where there is nothing to warn of and where nothing is on record: silence about meetings is no missed
meeting. So signals are never absent, and a rule may read them without asking first.
"""

from features.definitions import (
    Constant,
    Definition,
    Derived,
    Feature,
    Selected,
    both,
    either,
    events,
    less,
    or_else,
    product,
)
from features.families.contacts import gone
from features.families.contracts import cancelled_running, days_left
from features.families.engagement import carts, logins, references, usage
from features.families.meetings import EXPECTED_DAYS, REVIEW_DAYS, held_at, meetings, reviews
from features.families.purchases import HALF_YEAR, MONTH, QUARTER, YEAR, amount, order_lines, orders, since_last
from features.families.service import open_longer_than
from features.families.surveys import DETRACTOR, recommend
from features.families.telemetry import faults

UNRESOLVED_DAYS = 7
"""A complaint that is open for so long is a warning."""
WITHOUT_REPURCHASE_DAYS = 180
"""So long without a second order is long, for an account that has no rhythm yet."""
ENDING_DAYS = 90
"""So long before a contract ends its renewal is due to be talked about."""
MUCH_FEWER = 0.75
"""A frequency has fallen when it is below that share of its earlier value."""
MUCH_MORE = 1.5
"""Faults rise when there are more than so many times those of before."""


def is_any(number: Definition) -> Derived:
    """1 where a count is above 0."""
    return less(Constant(0), number)


def overdue(held: Selected, days: float) -> Derived:
    """1 if such meetings were held before, and the latest lies further back than it should."""
    return or_else(less(Constant(days), held.days_since_last()), Constant(0))


def fallen(now: Definition, before: Definition) -> Derived:
    """1 if now is much less than before."""
    return less(now, product(Constant(MUCH_FEWER), before))


_latest_strategy_meeting = meetings.where(subject="strategy", status=("held", "cancelled", "missed")).newest("subject")
_latest_reference = events("engagement", kind="reference").newest("kind")
"""Of whatever reference case: companies that have one each do not say which."""
_champions_left = gone.where(stance="champion")
_announced = events("engagement", kind="champion", status="left")
_browsing = either(
    is_any(events("engagement", kind=("visit", "portal")).count(days=MONTH)), is_any(carts.count(days=MONTH))
)

WARNINGS: tuple[tuple[str, Definition, str], ...] = (
    (
        "signal_purchases_down_two_quarters",
        both(
            less(amount(QUARTER), amount(QUARTER, lag_days=QUARTER)),
            less(amount(QUARTER, lag_days=QUARTER), amount(QUARTER, lag_days=2 * QUARTER)),
        ),
        "value ordered fell in the last 90 days, and in the 90 before them",
    ),
    (
        "signal_purchase_frequency_falling",
        fallen(orders(HALF_YEAR), orders(HALF_YEAR, lag_days=HALF_YEAR)),
        "fewer than three quarters as many orders in the last 180 days as in the 180 before",
    ),
    (
        "signal_long_without_repurchase",
        or_else(
            less(order_lines.gap_max(), since_last),
            or_else(less(Constant(WITHOUT_REPURCHASE_DAYS), since_last), Constant(0)),
        ),
        f"no order for longer than ever before, or for {WITHOUT_REPURCHASE_DAYS} days after the only one",
    ),
    (
        "signal_browses_without_buying",
        both(_browsing, less(order_lines.count(days=QUARTER), Constant(1))),
        "visits or carts in the last 30 days, and no order in the last 90",
    ),
    (
        "signal_strategy_meeting_cancelled",
        is_any(_latest_strategy_meeting.where(status="cancelled").count(days=YEAR)),
        "the latest strategy meeting was cancelled, within the last 365 days",
    ),
    (
        "signal_executive_meeting_overdue",
        overdue(held_at("executive"), EXPECTED_DAYS["executive"]),
        f"executives used to meet us, and have not for {EXPECTED_DAYS['executive']} days",
    ),
    (
        "signal_middle_meeting_overdue",
        overdue(held_at("middle"), EXPECTED_DAYS["middle"]),
        f"middle management used to meet us, and has not for {EXPECTED_DAYS['middle']} days",
    ),
    (
        "signal_review_overdue",
        overdue(reviews, REVIEW_DAYS),
        f"business reviews (qbr) were held, and none for {REVIEW_DAYS} days",
    ),
    (
        "signal_reference_removed",
        either(
            is_any(references.where(status="removed").count(days=YEAR)),
            is_any(_latest_reference.where(status="removed").count(days=YEAR)),
        ),
        "our reference case with the account was removed within the last 365 days",
    ),
    (
        "signal_champion_left",
        either(is_any(_champions_left.count(days=HALF_YEAR)), is_any(_announced.count(days=HALF_YEAR))),
        "who spoke for us left within the last 180 days",
    ),
    (
        f"signal_complaint_unresolved_{UNRESOLVED_DAYS}d",
        is_any(open_longer_than(UNRESOLVED_DAYS, complaints_only=True)),
        f"a complaint has been open for {UNRESOLVED_DAYS} days and longer",
    ),
    (
        "signal_detractor",
        or_else(less(recommend.last("score", days=YEAR), Constant(DETRACTOR + 0.5)), Constant(0)),
        f"the latest answer of the last 365 days to would you recommend us was 0 to {DETRACTOR}",
    ),
    (
        "signal_use_falling",
        either(
            fallen(usage.count(days=MONTH), usage.count(days=MONTH, lag_days=MONTH)),
            fallen(logins.count(days=MONTH), logins.count(days=MONTH, lag_days=MONTH)),
        ),
        "fewer than three quarters as many uses or logins in the last 30 days as in the 30 before",
    ),
    (
        "signal_faults_rising",
        less(
            product(Constant(MUCH_MORE), faults.sum("quantity", days=QUARTER, lag_days=QUARTER)),
            faults.sum("quantity", days=QUARTER),
        ),
        "the equipment reported more than one and a half times the faults of the 90 days before in the last 90",
    ),
    (
        "signal_contract_ends_soon",
        or_else(less(days_left, Constant(ENDING_DAYS)), Constant(0)),
        f"a contract in force ends within {ENDING_DAYS} days",
    ),
    ("signal_notice_given", is_any(cancelled_running.count()), "a contract is cancelled and still runs"),
)

FEATURES = tuple(
    Feature(name, definition, f"1 if {meaning}; else 0", "0 or 1", "never absent")
    for name, definition, meaning in WARNINGS
)
