"""Reasons read like a colleague's: the account's own numbers, distinct stories, no contradiction."""

import math
import re

import pytest

from features.catalog import CATALOG, named
from features.definitions import Feature
from features.families.purchases import orders
from features.history.streams import ENGAGEMENT_KINDS
from serving.scoring.language import money, number, percent
from serving.scoring.phrases import ENGLISH, LANGUAGES
from serving.scoring.reason_words import value_words
from serving.scoring.reasons import reasons_of, theme

NAN = math.nan
LAST, GAP = "purchases_days_since_last", "purchases_gap_days_mean"


def words(name, value, raises=True, currency="GBP", **others):
    """What is said of one feature of one account."""
    (feature,) = named([name])
    told = value_words(feature, {name: value} | others, raises)
    return ENGLISH.say(told.key, currency, told.fields)


def explain(contributions, values, **options):
    features = named(list(contributions))
    return reasons_of(features, list(contributions.values()), values, **options)


@pytest.mark.parametrize(
    ("days", "gap", "raises", "said"),
    [
        (74.3, 21.2, True, "no order for 74 days, usually every 21"),
        (74.3, 1.2, True, "no order for 74 days, usually every day"),
        (74.3, 0.2, True, "no order for 74 days, usually several times a day"),
        (0.2, 1.2, False, "last order today, usually every day"),
        (0.2, 0.2, False, "last order today, usually several times a day"),
        (0.2, 0.8, True, "usually orders every day, the last time today"),
        (0.2, 0.2, True, "usually orders several times a day, the last time today"),
        (21.4, 20.6, True, "usually orders every 21 days, the last time 21 days ago"),
        (21.4, 20.6, False, "last order 21 days ago, usually every 21 days"),
        (21.6, 21.4, True, "no order for 22 days, usually every 21"),
        (21.6, 21.4, False, "last order 22 days ago"),
        (74.3, 21.2, False, "last order 74 days ago"),
        (6.0, 21.2, False, "last order 6 days ago, usually every 21 days"),
        (6.0, 21.2, True, "usually orders every 21 days, the last time 6 days ago"),
        (74.3, NAN, True, "no order for 74 days"),
        (0.4, NAN, False, "last order today"),
        (NAN, NAN, True, "no order on record"),
    ],
)
def test__recency__says_late_only_of_an_account_that_is_late_and_at_risk_for_it(days, gap, raises, said):
    """'Usually every 21' beside 'no order for 74 days' is an accusation: it must be true, and be what raises the risk."""
    assert words(LAST, days, raises, **{GAP: gap}) == said


@pytest.mark.parametrize(
    ("value", "raises", "said"),
    [
        (-1 / 3, True, "spend down 50% in 90 days"),
        (1 / 3, False, "spend up 100% in 90 days"),
        (1 / 3, True, "spend in the last 90 days 2.0 times that of the 90 before"),
        (-1 / 3, False, "spend in the last 90 days 0.5 times that of the 90 before"),
        (-1.0, True, "nothing ordered in the last 90 days, after orders in the 90 before"),
        (1.0, False, "orders in the last 90 days, after none in the 90 before"),
        (0.0, True, "spend in the last 90 days as in the 90 before"),
        (NAN, True, "nothing ordered in the last 90 days, nor in the 90 before"),
        (9 / 11, False, "spend up 900% in 90 days"),
        (10 / 12, False, "more than ten times as much ordered in the last 90 days as in the 90 before"),
        (10 / 12, True, "more than ten times as much ordered in the last 90 days as in the 90 before"),
        (0.999, False, "more than ten times as much ordered in the last 90 days as in the 90 before"),
        (-10 / 12, False, "less than a tenth as much ordered in the last 90 days as in the 90 before"),
        (-10 / 12, True, "spend down 91% in 90 days"),
    ],
)
def test__trend__words_follow_the_value_and_never_argue_with_the_direction(value, raises, said):
    """(new − old) / (new + old) = −1/3 is half as much. 'Up' is said only of growth that lowers the risk."""
    assert words("purchases_amount_trend_90d", value, raises) == said


@pytest.mark.parametrize("value", [NAN, -1.0, -0.4, 0.0, 0.4, 1.0, 2.0, 37.25, 12345.6])
@pytest.mark.parametrize("raises", [True, False])
def test__every_feature__any_value__has_words_without_nan_or_gaps(value, raises):
    """No declared feature can make a reason unreadable."""
    for feature in CATALOG:
        said = words(feature.name, value, raises, **({GAP: 21.0} if feature.name == LAST else {}))
        assert said
        assert not re.search(r"\bnan\b|\binf\b|[{}]|None|_", said), f"{feature.name}: {said}"


def test__feature_without_phrase__is_told_by_its_declaration():
    """A data scientist's own feature needs no phrase to be explained."""
    own = Feature("purchases_weekend_orders", orders(), "orders placed at weekends", "orders", "never ordered")
    dear = Feature("purchases_dearest", orders(), "the dearest order", "currency", "never ordered")
    said = [
        ENGLISH.say(told.key, "EUR", told.fields)
        for told in (
            value_words(own, {own.name: 3.0}, raises=True),
            value_words(own, {own.name: NAN}, raises=True),
            value_words(dear, {dear.name: 1234.5}, raises=True),
        )
    ]
    assert said == [
        "orders placed at weekends: 3",
        "orders placed at weekends: none on record",
        "the dearest order: €1,234",
    ]


def test__reasons__one_story_told_by_many_features__is_one_reason():
    """Three ways to say 'no order for long' would crowd out everything else; their sizes add up."""
    contributions = {
        LAST: 0.5,
        "purchases_overdue_ratio": 0.7,
        "purchases_orders_distinct_30d": 0.2,
        "service_open_cases_count": 0.3,
    }
    values = {
        LAST: 74.0,
        GAP: 21.0,
        "purchases_overdue_ratio": 3.5,
        "purchases_orders_distinct_30d": 0.0,
        "service_open_cases_count": 2.0,
    }
    found = explain(contributions, values)
    assert [(reason.words, reason.direction) for reason in found] == [
        ("no order for 74 days, usually every 21", "raises"),
        ("2 cases still open", "raises"),
    ]
    assert found[0].size == pytest.approx(1.4)
    assert (found[0].feature, found[0].value) == (LAST, 74.0)


def test__reasons__largest_first_signed_and_few():
    """The reader sees what weighs most, and whether it raises or lowers; a tenth of a percent is no reason."""
    contributions = {
        "purchases_amount_sum_90d": -0.9,
        "purchases_orders_distinct_365d": -0.2,
        "purchases_products_distinct_90d": 0.4,
        "service_complaints_count_365d": 0.01,
    }
    values = {
        "purchases_amount_sum_90d": 1234.5,
        "purchases_orders_distinct_365d": 1.0,
        "purchases_products_distinct_90d": 1.0,
        "service_complaints_count_365d": 1.0,
    }
    found = explain(contributions, values, currency="GBP", most=2)
    assert [(reason.direction, reason.words) for reason in found] == [
        ("lowers", "£1,234 ordered in the last 90 days"),
        ("raises", "1 different product in the last 90 days"),
    ]
    assert len(explain(contributions, values, most=10)) == 3


def test__reasons__within_a_story__a_plain_feature_speaks_for_one_that_reads_oddly():
    """'Spend up raises the risk' is told by another feature of the same story, if that did at least half as much."""
    contributions = {"purchases_amount_trend_90d": 0.5, "purchases_orders_trend_90d": 0.3}
    values = {"purchases_amount_trend_90d": 0.2, "purchases_orders_trend_90d": -1 / 3}
    (reason,) = explain(contributions, values)
    assert reason.words == "orders down 50% in 90 days"


def test__reasons__plain_feature_that_did_less_than_half__leaves_the_word_to_the_strongest():
    """The story is told by what moved the score, even if it reads oddly; the direction stands beside it."""
    contributions = {"purchases_amount_trend_90d": 0.5, "purchases_orders_trend_90d": 0.24}
    (reason,) = explain(contributions, {"purchases_amount_trend_90d": 0.2, "purchases_orders_trend_90d": -1 / 3})
    assert reason.words == "spend in the last 90 days 1.5 times that of the 90 before"


def test__reasons__absent_value__is_null_and_told_so():
    """Absent is not zero, in words either."""
    (reason,) = explain({"service_satisfaction_last": 0.4}, {"service_satisfaction_last": NAN})
    assert (reason.value, reason.words) == (None, "no rating on record")


def test__reasons__attribute_that_is_not_on_record__is_none():
    """A gap in our own records is nothing that anybody could talk about with the account."""
    contributions = {"account_size_last": 2.0, "purchases_orders_distinct_90d": 0.4}
    (reason,) = explain(contributions, {"account_size_last": NAN, "purchases_orders_distinct_90d": 1.0})
    assert reason.feature == "purchases_orders_distinct_90d"
    told = explain(contributions, {"account_size_last": 12.0, "purchases_orders_distinct_90d": 1.0})
    assert [each.feature for each in told] == list(contributions)


def test__theme__empty_window_since_the_last_order__belongs_to_rhythm():
    """Nothing in 30 days says no more than 'last order 40 days ago'; nothing in 90 days says something else."""
    values = {LAST: 40.0, "purchases_amount_sum_30d": 0.0, "purchases_amount_sum_90d": 0.0}
    assert theme("purchases_amount_sum_30d", values) == "rhythm"
    assert theme("purchases_amount_sum_90d", values) == "spend"


def test__theme__every_feature__belongs_to_exactly_one_story():
    """Known features do not fall into a nameless heap."""
    told = {theme(feature.name, {feature.name: 5.0}) for feature in CATALOG}
    assert "purchases" not in told
    assert {
        "rhythm",
        "frequency",
        "spend",
        "trend",
        "breadth",
        "returns",
        "engagement",
        "outreach",
        "complaints",
    } <= told


def test__languages__all_have_the_same_phrases():
    """A language is complete or not there."""
    for language in LANGUAGES.values():
        assert language.phrases.keys() == ENGLISH.phrases.keys()
        assert language.units.keys() == ENGLISH.units.keys()


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (5.0, "5"), (1234.5, "1,234"), (0.256, "0.256"), (12.345, "12.3"), (-3.0, "−3"), (0.00001, "0")],
)
def test__number__reads_like_a_human_wrote_it(value, said):
    """Three digits say enough."""
    assert number(value) == said


def test__money__shows_its_currency_and_pence_only_where_they_matter():
    """£12.50 but £1,234; a currency without a sign of its own is named."""
    assert [money(12.5, "GBP"), money(1234.56, "GBP"), money(-90.0, "CHF"), money(8.0, "")] == [
        "£12.50",
        "£1,235",
        "−CHF 90",
        "8",
    ]
    assert percent(0.004) == "less than 1%"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("account_size_last", 1.0, "size of the account: 1"),
        ("purchases_returns_share_365d", -1.0, "100% of the value ordered was returned in the last 365 days"),
        ("purchases_returns_share_365d", -1.01, "more was returned than ordered in the last 365 days"),
        (
            "purchases_orders_trend_30d",
            0.9,
            "more than ten times as many orders in the last 30 days as in the 30 before",
        ),
        ("engagement_days_since_community", 1.2, "last contact in the community 1 day ago"),
        ("engagement_days_since_community", NAN, "no contact in the community on record"),
        ("engagement_days_since_loyalty", 0.3, "last loyalty activity today"),
        ("engagement_days_since_loyalty", NAN, "no loyalty activity on record"),
        ("engagement_days_since_usage", 7.0, "last use of the product 7 days ago"),
        ("engagement_days_since_coupon", NAN, "no redeemed coupon on record"),
        ("engagement_loyalty_count_90d", 0.0, "no loyalty activity on record in the last 90 days"),
        ("engagement_loyalty_count_90d", 2.0, "2 loyalty activities in the last 90 days"),
        ("engagement_community_count_90d", 1.0, "1 contact in the community in the last 90 days"),
    ],
)
def test__words__read_as_english(name, value, said):
    """A sentence that nobody would say makes the number beside it doubtful."""
    assert words(name, value) == said


def test__words__every_kind_of_engagement__has_phrases_of_its_own():
    """A kind that gets features of its own is named here too, or this fails."""
    told = [kind for kind in ENGAGEMENT_KINDS if f"engagement_days_since_{kind}" in CATALOG.names]
    assert len(told) == 10
    for kind in told:
        for case in ("some", "absent"):
            assert f"engagement_days_since_{kind}.{case}" in ENGLISH.phrases
        for case in ("some", "none"):
            assert f"engagement_{kind}_count_{{days}}d.{case}" in ENGLISH.phrases


@pytest.mark.parametrize("value", [1.0000001, -1.0000001, 2.0, -37.0])
def test__reasons__trend_outside_its_range__is_left_out(value):
    """Beyond ±1 one of the two sums is negative: there is no sentence about that which could not mislead."""
    trend = "purchases_amount_trend_90d"
    assert explain({trend: 0.9}, {trend: value}) == []
    assert len(explain({trend: 0.9}, {trend: math.copysign(1.0, value)})) == 1


def test__reasons__story_without_words__makes_room_for_the_next_and_is_told_by_another_if_it_can():
    """'…: none on record' tells nothing; what says something stands in its place."""
    nothing, something = "purchases_amount_std_365d", "purchases_amount_sum_365d"
    orders_so_far = "purchases_orders_distinct"
    values = {nothing: NAN, something: 500.0, orders_so_far: 3.0}
    (reason,) = explain({nothing: 0.9, orders_so_far: 0.2}, values, most=1)
    assert (reason.feature, reason.words) == (orders_so_far, "3 orders so far")
    (reason,) = explain({nothing: 0.9, something: 0.1}, values)
    assert (reason.feature, reason.size) == (something, pytest.approx(1.0))


def test__reasons__what_pulls_the_other_way__does_not_speak_for_the_story():
    """'Raises: 500 ordered' of a feature that lowered the risk would be wrong."""
    contributions = {"purchases_amount_std_365d": 0.9, "purchases_amount_sum_365d": -0.1}
    assert explain(contributions, {"purchases_amount_std_365d": NAN, "purchases_amount_sum_365d": 500.0}) == []


@pytest.mark.parametrize(
    "hard",
    ["purchases_amount_std_365d", "purchases_amount_max_365d", "purchases_amount_decayed_sum"],
)
@pytest.mark.parametrize(("others_share", "speaks"), [(0.25, "purchases_amount_sum_90d"), (0.24, None)])
def test__reasons__feature_that_is_hard_to_read__speaks_only_where_no_other_did_a_quarter_as_much(
    hard, others_share, speaks
):
    """'How much the value of a line varies' is the last thing that a caller wants to hear."""
    contributions = {hard: 0.8, "purchases_amount_sum_90d": 0.8 * others_share}
    (reason,) = explain(contributions, {hard: 12.0, "purchases_amount_sum_90d": 90.0})
    assert reason.feature == (speaks or hard)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("signal_purchases_down_two_quarters", 1.0, "spend fell for two quarters running"),
        ("signal_complaint_unresolved_7d", 1.0, "complaint unresolved for more than 7 days"),
        ("purchases_days_until_expected", 12.0, "next order expected in 12 days, by its own rhythm"),
        ("purchases_days_until_expected", -12.0, "next order was expected 12 days ago, by its own rhythm"),
        ("purchases_margin_share_365d", -0.125, "a loss of 12% on what was ordered in the last 365 days"),
        ("purchases_active_life_share", 0.5, "share of the time since the first order that lies before the latest: 50%"),
        ("contracts_days_left_min", 40.2, "a contract ends in 40 days"),
        ("contracts_days_to_notice", -3.0, "the time to give notice was over 3 days ago"),
        ("surveys_nps_last", 0.0, "latest answer to would you recommend us: 0 of 10"),
        ("surveys_sentiment_mean_90d", -1.0, "what was said in the last 90 days sounds very negative"),
        ("surveys_sentiment_mean_90d", 1.0, "what was said in the last 90 days sounds very positive"),
        ("service_open_cases_count", 1.0, "1 case still open"),
        ("service_satisfaction_change_90d", -1.5, "average rating of cases in the last 90 days less that of the last 365: −1.5"),
        ("account_market_share_last", 0.25, "our share of what the account spends on what we sell: 25%"),
        ("account_industry_growth_last", -0.034, "growth of the account's industry in a year: −3.4 percentage points"),
        ("engagement_login_trend_30d", -1 / 3, "logins down 50% in 30 days"),
        ("engagement_days_since_meeting", 3.0, "last meeting, held or not, 3 days ago"),
        ("engagement_meeting_count_90d", 2.0, "2 meetings, held or not, in the last 90 days"),
        ("meetings_held_count_365d", 0.0, "no meeting on record as held in the last 365 days"),
        ("contracts_in_force_count", 0.0, "no contract in force without notice given"),
        ("purchases_net_amount_sum", 1200.0, "£1,200 ordered so far, net of returns"),
        ("signal_long_without_repurchase", 1.0, "no order for longer than ever before, or for long after the only one"),
        ("engagement_login_trend_30d", -1.0, "no logins in the last 30 days, unlike in the 30 before"),
    ],
)  # fmt: skip
def test__words__of_the_other_streams__read_as_english(name, value, said):
    """What the model reads of contracts, meetings, surveys and signals is told as plainly as orders are."""
    assert words(name, value) == said


@pytest.mark.parametrize(
    ("value", "said"), [(-0.2, "our share: −20%"), (0.2, "our share: 20%"), (-1.5, "our share: −150%")]
)
def test__words__negative_share_of_a_feature_without_a_phrase__keep_the_sign(value, said):
    """A phrase of ours says 'a loss of'; the words of a declaration say nothing of the sign, and 20% is no −20%."""
    own = Feature("our_share", CATALOG[0].definition, "our share", "share", "")
    told = value_words(own, {"our_share": value}, raises=True)
    assert ENGLISH.say(told.key, "", told.fields) == said


def test__signals__each_has_words_for_when_it_is_on_and_says_nothing_when_it_is_off():
    """'No strategy meeting cancelled' may mean that nobody writes down meetings: it is no reason for anything."""
    names = [name for name in CATALOG.names if name.startswith("signal_")]
    assert len(names) == 16
    for name in names:
        assert not words(name, 1.0).startswith("1 if")
        assert explain({name: -0.9}, {name: 0.0}) == []
