"""The named warning signals: each fires on what it names, and on nothing else that looks like it."""

from datetime import timedelta

import pytest
from histories import AS_OF

from features.engine.events import Events
from features.engine.table import build_feature_row
from features.families import signals


def at(days_ago, **columns):
    moment = AS_OF - timedelta(days=days_ago)
    return {"occurred_at": moment, "known_at": moment} | columns


def order(days_ago, amount=10.0, **columns):
    return at(days_ago, kind="order", amount=float(amount)) | columns


def met(days_ago, status="held", **columns):
    return at(days_ago, kind="meeting", status=status) | columns


def case(days_ago, kind, case_id="c", topic="complaint"):
    return at(days_ago, kind=kind, case_id=case_id, topic=topic)


def seen(kind, *days_ago, **columns):
    return [at(days, kind=kind, **columns) for days in days_ago]


def faults(days_ago, number):
    return at(days_ago, kind="telemetry", subject="faults", quantity=float(number))


def signed(days_ago, ends_in, kind="signed"):
    return at(days_ago, kind=kind, contract_id="s", term="fixed", ends_at=AS_OF + timedelta(days=ends_in))


def person(days_ago, status, stance):
    return at(days_ago, contact_id="m", status=status, stance=stance)


def signal(name, **history):
    features = [feature for feature in signals.FEATURES if feature.name == f"signal_{name}"]
    (value,) = build_feature_row(Events.from_rows(history), AS_OF, features)
    return value


def test__signals__account_without_events__are_all_silent_and_none_is_absent():
    """What was never recorded is nothing to warn of; a rule reads a signal without asking whether it is there."""
    assert build_feature_row(Events.from_rows({}), AS_OF, signals.FEATURES).tolist() == [0.0] * len(signals.FEATURES)


FALLING, RISEN_BEFORE = (
    [order(200, 300), order(100, 200), order(10, 100)],
    [order(200, 100), order(100, 200), order(10, 50)],
)


@pytest.mark.parametrize(
    ("name", "history", "fires"),
    [
        ("purchases_down_two_quarters", {"purchases": FALLING}, 1),
        ("purchases_down_two_quarters", {"purchases": RISEN_BEFORE}, 0),
        ("purchases_down_two_quarters", {"purchases": [order(200, 300), order(100, 200), order(10, 200)]}, 0),
        ("purchase_frequency_falling", {"purchases": [order(days) for days in (350, 300, 250, 200, 100, 50)]}, 1),
        ("purchase_frequency_falling", {"purchases": [order(days) for days in (350, 300, 250, 200, 100, 50, 9)]}, 0),
        ("long_without_repurchase", {"purchases": [order(100), order(80), order(21)]}, 0),
        ("long_without_repurchase", {"purchases": [order(180), order(120), order(61)]}, 1),
        ("long_without_repurchase", {"purchases": [order(181)]}, 1),
        ("long_without_repurchase", {"purchases": [order(179)]}, 0),
        ("browses_without_buying", {"engagement": seen("visit", 3)}, 1),
        ("browses_without_buying", {"engagement": seen("cart", 29)}, 1),
        ("browses_without_buying", {"engagement": seen("visit", 31)}, 0),
        ("browses_without_buying", {"engagement": seen("visit", 3), "purchases": [order(60)]}, 0),
        ("strategy_meeting_cancelled", {"engagement": [met(400, subject="strategy"), met(9, "cancelled", subject="strategy")]}, 1),
        ("strategy_meeting_cancelled", {"engagement": [met(9, "cancelled", subject="strategy"), met(2, subject="strategy")]}, 0),
        ("strategy_meeting_cancelled", {"engagement": [met(9, "cancelled", subject="qbr")]}, 0),
        ("executive_meeting_overdue", {"engagement": [met(93, level="executive")]}, 1),
        ("executive_meeting_overdue", {"engagement": [met(91, level="executive")]}, 0),
        ("executive_meeting_overdue", {"engagement": [met(200, level="middle")]}, 0),
        ("middle_meeting_overdue", {"engagement": [met(32, level="middle"), met(3, "cancelled", level="middle")]}, 1),
        ("middle_meeting_overdue", {"engagement": [met(30, level="middle")]}, 0),
        ("review_overdue", {"engagement": [met(93, subject="qbr"), met(5, "missed", subject="qbr")]}, 1),
        ("review_overdue", {"engagement": [met(50, subject="qbr")]}, 0),
        ("reference_removed", {"engagement": [*seen("reference", 500, subject="a", status="published"), *seen("reference", 9, subject="a", status="removed")]}, 1),
        ("reference_removed", {"engagement": [*seen("reference", 9, subject="a", status="removed"), *seen("reference", 2, subject="a", status="published")]}, 0),
        ("reference_removed", {"engagement": [*seen("reference", 9, subject="a", status="removed"), *seen("reference", 2, subject="b", status="published")]}, 1),
        ("reference_removed", {"engagement": [*seen("reference", 500, status="published"), *seen("reference", 9, status="removed")]}, 1),
        ("reference_removed", {"engagement": [*seen("reference", 9, status="removed"), *seen("reference", 2, status="published")]}, 0),
        ("champion_left", {"contacts": [person(300, "joined", "champion"), person(30, "left", "champion")]}, 1),
        ("champion_left", {"contacts": [person(300, "joined", "neutral"), person(30, "left", "neutral")]}, 0),
        ("champion_left", {"contacts": [person(300, "left", "champion")]}, 0),
        ("champion_left", {"contacts": [person(30, "left", "champion"), person(3, "joined", "champion")]}, 0),
        ("champion_left", {"engagement": seen("champion", 20, status="left")}, 1),
        ("complaint_unresolved_7d", {"service": [case(7, "opened")]}, 1),
        ("complaint_unresolved_7d", {"service": [case(6, "opened")]}, 0),
        ("complaint_unresolved_7d", {"service": [case(20, "opened"), case(9, "resolved")]}, 0),
        ("complaint_unresolved_7d", {"service": [case(20, "opened"), case(9, "resolved"), case(8, "reopened")]}, 1),
        ("complaint_unresolved_7d", {"service": [case(20, "opened"), case(9, "answered"), case(9, "escalated")]}, 1),
        ("complaint_unresolved_7d", {"service": [case(20, "opened", topic="question")]}, 0),
        ("detractor", {"engagement": seen("survey", 20, scale="nps", score=6.0)}, 1),
        ("detractor", {"engagement": seen("survey", 20, scale="nps", score=7.0)}, 0),
        ("detractor", {"engagement": seen("survey", 20, scale="csat", score=1.0)}, 0),
        ("use_falling", {"engagement": seen("usage", 31, 35, 40, 45, 3, 9)}, 1),
        ("use_falling", {"engagement": seen("usage", 31, 35, 40, 45, 3, 9, 12)}, 0),
        ("use_falling", {"engagement": seen("login", 40)}, 1),
        ("faults_rising", {"engagement": [faults(100, 2), faults(10, 4)]}, 1),
        ("faults_rising", {"engagement": [faults(100, 2), faults(10, 3)]}, 0),
        ("contract_ends_soon", {"contracts": [signed(300, ends_in=89)]}, 1),
        ("contract_ends_soon", {"contracts": [signed(300, ends_in=91)]}, 0),
        ("contract_ends_soon", {"contracts": [signed(300, ends_in=-1)]}, 0),
        ("contract_ends_soon", {"contracts": [signed(300, ends_in=20), signed(9, ends_in=385, kind="renewed")]}, 0),
        ("notice_given", {"contracts": [signed(300, ends_in=60), signed(9, ends_in=60, kind="cancelled")]}, 1),
        ("notice_given", {"contracts": [signed(300, ends_in=-5), signed(9, ends_in=-5, kind="cancelled")]}, 0),
    ],
)  # fmt: skip
def test__signal__fires_on_what_it_names_and_not_beside_it(name, history, fires):
    """An account manager who is warned for nothing stops reading."""
    assert signal(name, **history) == fires


def test__signal__complaint_resolved_but_not_known_yet__still_warns():
    """What a row may not see cannot calm it."""
    late = case(9, "resolved") | {"known_at": AS_OF + timedelta(hours=1)}
    assert signal("complaint_unresolved_7d", service=[case(20, "opened"), late]) == 1
