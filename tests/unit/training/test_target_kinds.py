"""What each kind of target calls happened, on histories small enough to count by hand."""

from datetime import UTC, datetime, timedelta
from typing import get_args

import numpy as np
import pytest
from storing import store

from features.engine.table import build_feature_table
from features.families.eligibility import of_target
from foresail.config.project import KINDS
from registry.target_kinds import AnswerKind
from training.data.dataset import labelled
from training.data.targets import (
    TARGETS,
    ChurnTarget,
    ContractChurnTarget,
    ContractionTarget,
    CrossSellTarget,
    NextOrderTarget,
    UpsellTarget,
    ValueTarget,
    target_from,
)

AS_OF = datetime(2024, 1, 1, tzinfo=UTC)
HORIZON = 90


def day(number):
    """The moment so many days after as_of."""
    return AS_OF + timedelta(days=number)


def order(number, amount=100.0, kind="order", **more):
    return {"occurred_at": day(number), "known_at": day(number), "kind": kind, "amount": amount, **more}


def contract(number, kind="signed", ends=None, name="c", **more):
    ends_at = None if ends is None else day(ends)
    return {
        "occurred_at": day(number), "known_at": day(number), "kind": kind, "contract_id": name, "ends_at": ends_at,
        "term": "open" if ends is None else "fixed", **more,
    }  # fmt: skip


def labels(tmp_path, target, accounts, known_by=400):
    """{account: label} of the accounts that are eligible at as_of."""
    data = labelled(store(tmp_path, accounts), target, [AS_OF], (), day(known_by))
    return dict(zip(data.account_id, data.labels.tolist(), strict=True))


def why_not(tmp_path, target, accounts):
    table = build_feature_table(store(tmp_path, accounts), AS_OF, target.population.features)
    return dict(zip(table.index.get_level_values("account_id"), target.population.why_not(table), strict=True))


def buys(*orders):
    return {"purchases": list(orders)}


def test__contract_churn__ends_or_is_cancelled_without_renewal(tmp_path):
    """Renewed in time is kept; ended, or notice given, is left; who need not decide within 90 days is not asked."""
    accounts = {
        "renewed": {"contracts": [contract(-300, ends=30), contract(20, "renewed", ends=395)]},
        "renewed late": {"contracts": [contract(-300, ends=30), contract(200, "renewed", ends=395)]},
        "lapsed": {"contracts": [contract(-300, ends=30)]},
        "notice given": {"contracts": [contract(-300, ends=80), contract(10, "cancelled", ends=80)]},
        "open, stays": {"contracts": [contract(-300)]},
        "open, leaves": {"contracts": [contract(-300), contract(90, "cancelled")]},
        "open, leaves later": {"contracts": [contract(-300), contract(91, "cancelled")]},
        "far away": {"contracts": [contract(-300, ends=200)]},
        "long ago": {"contracts": [contract(-300, ends=-100)]},
        "renews itself": {"contracts": [contract(-300, ends=30, renewal="automatic")]},
        "left in spite of it": {
            "contracts": [contract(-300, ends=80, renewal="automatic"), contract(5, "cancelled", ends=80)]
        },
    }
    target = ContractChurnTarget("renewal", HORIZON)
    assert labels(tmp_path / "labels", target, accounts) == {
        "renewed": 0.0, "renewed late": 1.0, "lapsed": 1.0, "notice given": 1.0, "open, stays": 0.0, "open, leaves": 1.0,
        "open, leaves later": 0.0, "renews itself": 0.0, "left in spite of it": 1.0,
    }  # fmt: skip
    said = why_not(tmp_path / "why", target, accounts)
    assert said["far away"] == "no contract ends within 90 days; the first ends in 200 days"
    assert said["long ago"] == "no contract in force on which no notice is given"


def test__contract_churn__lapsed_before_as_of__is_no_news(tmp_path):
    """An old contract that ended long ago does not make the account leave again, though it was entered only yesterday."""
    old = contract(-800, ends=-400, name="old") | {"known_at": day(10)}
    accounts = {"one": {"contracts": [old, contract(-300)]}}
    assert labels(tmp_path, ContractChurnTarget("renewal", HORIZON), accounts) == {"one": 0.0}


@pytest.mark.parametrize(("renewed", "label"), [(45, 0.0), (100, 0.0), (111, 1.0)])
def test__contract_churn__grace__waits_for_a_late_renewal(tmp_path, renewed, label):
    """With 20 days of grace a renewal up to day 110 keeps the contract."""
    accounts = {"one": {"contracts": [contract(-300, ends=40), contract(renewed, "renewed", ends=500)]}}
    assert labels(tmp_path, ContractChurnTarget("renewal", HORIZON, grace_days=20), accounts) == {"one": label}


def test__churn__grace__an_order_soon_after_the_horizon_is_in_time(tmp_path):
    accounts = {"late": buys(order(-5), order(95)), "too late": buys(order(-5), order(101))}
    assert labels(tmp_path, ChurnTarget("churn", HORIZON, 365, grace_days=10), accounts) == {
        "late": 0.0,
        "too late": 1.0,
    }


def test__contraction_and_upsell__measured_by_the_own_pace(tmp_path):
    """365 a year lets expect 90 in 90 days: below 45 it contracts, above 135 it grows; on the edge neither."""
    year = [order(-400), *(order(-365 + 73 * number + 1, 73.0) for number in range(5))]
    accounts = {str(ordered): buys(*year, order(50, ordered)) for ordered in (44.0, 45.0, 135.0, 136.0)}
    less = ContractionTarget("less", HORIZON, 365, seasonal=False)
    more = UpsellTarget("more", HORIZON, 365, seasonal=False)
    assert labels(tmp_path / "less", less, accounts) == {"44.0": 1.0, "45.0": 0.0, "135.0": 0.0, "136.0": 0.0}
    assert labels(tmp_path / "more", more, accounts) == {"44.0": 0.0, "45.0": 0.0, "135.0": 0.0, "136.0": 1.0}


def test__pace__young_account__is_scaled_up_as_if_it_were_90_days_old(tmp_path):
    """30 days old with 90 spent: 365 a year, so 90 are expected, and 44 are less than half."""
    accounts = {"young": buys(order(-30, 90.0), order(10, 44.0)), "as before": buys(order(-30, 90.0), order(10, 46.0))}
    target = ContractionTarget("less", HORIZON, 365, seasonal=False)
    assert labels(tmp_path, target, accounts) == {"young": 1.0, "as before": 0.0}


def of_autumn(*more):
    return buys(order(-500, 1.0), order(-120, 500.0), order(-80, 500.0), *more)


def test__contraction__seasonal__expects_what_the_season_brought_last_year(tmp_path):
    """Who orders in autumn alone does not contract by ordering little in spring; the calendar would say so."""
    many = {f"autumn {number}": of_autumn() for number in range(60)}
    accounts = {
        **many,
        "a little": of_autumn(order(30, 5.0)),
        "of spring": buys(order(-500), order(-330, 10.0), order(-50, 990.0)),
    }
    # 10 of 62,000 fell to these days of last year: of a thousand, 0.16 are expected.
    seasonal = labels(tmp_path / "a", ContractionTarget("less", HORIZON, 365), accounts)
    by_calendar = labels(tmp_path / "b", ContractionTarget("less", HORIZON, 365, seasonal=False), accounts)
    assert (seasonal["a little"], by_calendar["a little"]) == (0.0, 1.0)
    assert (seasonal["autumn 0"], by_calendar["autumn 0"]) == (1.0, 1.0)


def test__contraction__seasonal__few_accounts_or_those_who_stopped_make_no_season(tmp_path):
    """One old account would decide for all, and who has stopped bought at the year's beginning whatever the season."""
    steady = {f"young {number}": buys(order(-200), order(-100), order(-10), order(45, 120.0)) for number in range(60)}
    stopped = {f"stopped {number}": buys(order(-500), order(-300, 5000.0)) for number in range(60)}
    target = UpsellTarget("more", HORIZON, 365)
    found = labels(tmp_path, target, {**steady, **stopped, "one": buys(order(-500), order(-350, 1.0), order(-5, 9.0))})
    assert {label for account, label in found.items() if account.startswith("young")} == {0.0}


def test__pace__nothing_expected__is_neither_growth_nor_contraction(tmp_path):
    """Who gave back more than it bought and orders nothing has not grown; who ordered nothing of worth cannot order less."""
    accounts = {"gave back": buys(order(-50, -20.0)), "bought": buys(order(-50))}
    assert labels(tmp_path / "a", UpsellTarget("more", HORIZON, 365), accounts)["gave back"] == 0.0
    assert labels(tmp_path / "b", ContractionTarget("less", HORIZON, 365), accounts) == {"bought": 1.0}


def test__upsell__upgrade_of_a_contract__counts_whatever_is_ordered(tmp_path):
    accounts = {"one": {**buys(order(-30)), "contracts": [contract(-300), contract(5, "upgraded")]}}
    assert labels(tmp_path, UpsellTarget("more", HORIZON, 365), accounts) == {"one": 1.0}


def test__cross_sell__category_new_within_the_lookback(tmp_path):
    """Bought two years ago is new again after a lookback of one."""
    accounts = {
        "same": buys(order(-10, category="a"), order(10, category="a")),
        "other": buys(order(-10, category="a"), order(10, category="b")),
        "forgotten": buys(order(-10, category="a"), order(-500, category="b"), order(10, category="b")),
        "nothing": buys(order(-10, category="a")),
    }
    target = CrossSellTarget("wider", HORIZON, 365)
    assert labels(tmp_path, target, accounts) == {"same": 0.0, "other": 1.0, "forgotten": 1.0, "nothing": 0.0}


def test__cross_sell__one_category__asks_those_alone_that_do_not_have_it(tmp_path):
    accounts = {
        "has it": buys(order(-10, category="b"), order(10, category="b")),
        "takes it": buys(order(-10, category="a"), order(10, category="b")),
        "does not": buys(order(-10, category="a"), order(10, category="a")),
    }
    target = CrossSellTarget("b", HORIZON, 365, category="b")
    assert labels(tmp_path / "labels", target, accounts) == {"takes it": 1.0, "does not": 0.0}
    assert why_not(tmp_path / "why", target, accounts)["has it"] == "bought from b within the last 365 days"


def test__cross_sell__category_with_braces__is_a_word_like_any(tmp_path):
    accounts = {"has it": buys(order(-10, category="box {A}")), "not": buys(order(-10, category="a"))}
    target = CrossSellTarget("box", HORIZON, 365, category="box {A}")
    assert why_not(tmp_path, target, accounts) == {
        "has it": "bought from box {A} within the last 365 days",
        "not": None,
    }


def test__value__returns_are_taken_off_and_margin_on_request(tmp_path):
    """Everybody is asked, also who has never bought."""
    accounts = {
        "buys": buys(
            order(-9), order(3, 70.0, margin=20.0), order(90, 30.0), order(91, 1000.0), order(8, -5.0, "return")
        ),
        "only visits": {"engagement": [{"occurred_at": day(-4), "known_at": day(-4), "kind": "visit"}]},
    }
    assert labels(tmp_path / "a", ValueTarget("value", HORIZON), accounts) == {"buys": 95.0, "only visits": 0.0}
    margin = ValueTarget("value", HORIZON, measure="margin")
    assert labels(tmp_path / "b", margin, accounts) == {"buys": 20.0, "only visits": 0.0}


def test__next_order__days_until_it_comes_or_infinity(tmp_path):
    """The first order after as_of counts; after the horizon nobody looks; once bought is no rhythm."""
    accounts = {
        "soon": buys(order(-50), order(-20), order(7.5), order(30)),
        "later": buys(order(-50), order(-20), order(91)),
        "once": buys(order(-50), order(7)),
    }
    target = NextOrderTarget("next", HORIZON)
    assert labels(tmp_path / "a", target, accounts) == {"soon": 7.5, "later": np.inf}
    assert why_not(tmp_path / "b", target, accounts)["once"] == "fewer than two orders so far: there is no rhythm yet"


def test__min_tenure__young_accounts_are_told_to_wait(tmp_path):
    accounts = {"young": buys(order(-10)), "old": buys(order(-40))}
    target = ChurnTarget("churn", HORIZON, 365, min_tenure_days=30)
    assert labels(tmp_path / "a", target, accounts) == {"old": 1.0}
    accounts["never"] = {"engagement": [{"occurred_at": day(-4), "known_at": day(-4), "kind": "visit"}]}
    said = why_not(tmp_path / "b", ValueTarget("value", HORIZON, min_tenure_days=30), accounts)
    assert said == {
        "never": "no purchase on record",
        "young": "first bought 10 days ago; scored from 30 days on",
        "old": None,
    }


def said_no(known, opted_out="yes"):
    return {"accounts": [{"occurred_at": day(known), "known_at": day(known), "opted_out": opted_out}]}


def regular(*attributes):
    """Bought each month, holds a contract that ends soon: eligible for every kind."""
    bought = [order(-30 * month, category="a") for month in range(1, 8)]
    rows = [row for one in attributes for row in one["accounts"]]
    return {"purchases": bought, "contracts": [contract(-300, ends=30)], "accounts": rows}


@pytest.mark.parametrize("kind", TARGETS)
def test__opted_out__is_scored_by_no_target_and_learnt_from_by_none(tmp_path, kind):
    """As was known at as_of: who opted out later was still there, who came back is there again."""
    accounts = {
        "never asked": regular(),
        "out": regular(said_no(-3)),
        "back": regular(said_no(-30), said_no(-3, "no")),
        "out later": regular(said_no(3)),
    }
    target = target_from({"kind": kind, "name": "one", "horizon_days": HORIZON})
    assert set(labels(tmp_path / "a", target, accounts)) == {"never asked", "back", "out later"}
    said = why_not(tmp_path / "b", target, accounts)
    assert said == dict.fromkeys(accounts) | {"out": "the account opted out of profiling"}


@pytest.mark.parametrize("kind", TARGETS)
def test__kinds__known_in_every_room_and_the_same_after_a_card(kind):
    """The project file, the populations and the targets know the same kinds; a card brings the target back."""
    target = target_from({"kind": kind, "name": "one", "horizon_days": 30})
    assert target_from(target.to_json()) == target
    assert of_target(target.to_json()) == target.population
    assert set(KINDS) == set(TARGETS)
    assert target.answer in get_args(AnswerKind)
    assert "in (as_of, as_of + 30 days]" in target.definition or "followed for 30 days" in target.definition


def test__target_from__unknown_kind__names_those_there_are():
    with pytest.raises(ValueError, match="the target's kind is 'chrun'; it must be one of churn, contract_churn"):
        target_from({"kind": "chrun", "name": "one", "horizon_days": 30})
