"""What reasons say, in plain words: one catalogue of phrases per language, and how that language writes numbers.

A phrase is a template over the account's own numbers. `{value:days}` is a number and the unit that the
language writes it in; the key is the feature's name, with `{days}` for any window, and the case that `serving.scoring.reasons` found. Another language is another `Language` with the same keys.
"""

import math
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "CNY": "¥", "INR": "₹", "KRW": "₩", "TRY": "₺", "UAH": "₴"}
MINUS = "−"
DAYS_A_YEAR = 365.25
DAYS_BETTER_READ_AS_YEARS = 730

Unit = Callable[[float], str]
"""Writes a number that is present."""


@dataclass(frozen=True)
class Language:
    """A language's phrases by key, and its units by name."""

    code: str
    phrases: Mapping[str, str]
    units: Mapping[str, Unit]

    def writes(self, unit: str) -> bool:
        """Whether a number of that unit can be written with it."""
        return unit in self.units or unit.startswith("currency")

    def say(self, key: str, currency: str, fields: Mapping[str, Any]) -> str:
        """The phrase of that key with the fields written in; KeyError for a key that the language lacks."""
        return _Writer(self.units, currency).vformat(self.phrases[key], (), fields)


class _Writer(string.Formatter):
    def __init__(self, units: Mapping[str, Unit], currency: str) -> None:
        self.units, self.currency = units, currency

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec.startswith("currency"):
            return money(value, self.currency)
        return self.units[format_spec](value) if format_spec else str(value)


def number(value: float) -> str:
    """Three significant digits below a thousand, whole and grouped from there on: 0.25, 12.5, 1,234."""
    size = abs(value)
    if size >= 1000 or size == round(size):
        text = f"{size:,.0f}"
    else:
        decimals = 2 - math.floor(math.log10(size)) if size >= 0.001 else 3
        text = f"{size:.{decimals}f}".rstrip("0").rstrip(".")
    return MINUS + text if value < 0 and text != "0" else text


def money(value: float, currency: str) -> str:
    """An amount and its currency: £1,234, £12.50, CHF 90; whole from a hundred on."""
    size = abs(value)
    text = f"{size:,.0f}" if size >= 100 or size == round(size) else f"{size:.2f}"
    sign = SIGNS.get(currency, f"{currency} " if currency else "")
    return (MINUS if value < 0 else "") + sign + text


def percent(value: float) -> str:
    """A share without its sign: 0.385 → 38%; what rounds to nothing is 'less than 1%'."""
    share = abs(value) * 100
    return "less than 1%" if 0 < share < 0.5 else f"{share:.0f}%"


def _count(one: str, many: str) -> Unit:
    return lambda value: f"{number(value)} {one if value == 1 else many}"


def _days(value: float) -> str:
    if value <= -1:
        return MINUS + _days(-value)
    whole = round(value)
    return "less than a day" if value < 1 else "1 day" if whole == 1 else f"{whole:,} days"


def _ago(value: float) -> str:
    return "today" if value < 1 else f"{_days(value)} ago"


def _every(value: float) -> str:
    """How often, after a phrase that has already said that it counts days."""
    days = round(value)
    return "several times a day" if days < 1 else "every day" if days == 1 else f"every {days:,}"


def _often(value: float) -> str:
    return f"{_every(value)} days" if round(value) > 1 else _every(value)


def _long(value: float) -> str:
    return f"{value / DAYS_A_YEAR:.1f} years" if value >= DAYS_BETTER_READ_AS_YEARS else _days(value)


def _times(value: float) -> str:
    return f"{value:,.1f} times" if abs(value) >= 0.1 else f"{number(value)} times"


def _out_of(best: int) -> Unit:
    return lambda value: f"{number(round(value, 1))} of {best}"


def _signed(value: float) -> str:
    """A change, with its sign: +1.5, −2."""
    return f"+{number(value)}" if value > 0 else number(value)


def _change_of_share(value: float) -> str:
    return f"{_signed(round(value * 100, 1))} percentage points"


def _net_share(value: float) -> str:
    return f"{_signed(round(value * 100))}%"


def _sentiment(value: float) -> str:
    """How something sounds: sentiment from −1 to 1 in fifths."""
    words = ("very negative", "negative", "neutral", "positive", "very positive")
    return words[min(int((value + 1) / 2 * 5), 4)] if value > -1 else words[0]


_ENGLISH_UNITS: dict[str, Unit] = {
    "number": number,
    "share": percent,
    "negative share": lambda value: MINUS + percent(value),
    "ratio": _times,
    "days": _days,
    "ago": _ago,
    "every": _every,
    "often": _often,
    "long": _long,
    "hours": _count("hour", "hours"),
    "1-5": _out_of(5),
    "1-7": _out_of(7),
    "0-10": _out_of(10),
    "points": _signed,
    "change of share": _change_of_share,
    "net share": _net_share,
    "sentiment": _sentiment,
    "orders": _count("order", "orders"),
    "products": _count("different product", "different products"),
    "categories": _count("category", "categories"),
    "lines": _count("line", "lines"),
    "cases": _count("case", "cases"),
    "complaints": _count("complaint", "complaints"),
    "dealings": _count("contact or use", "contacts and uses"),
    "contracts": _count("contract", "contracts"),
    "contacts": _count("contact", "contacts"),
    "meetings": _count("meeting", "meetings"),
    "functions": _count("function", "functions"),
    "faults": _count("fault", "faults"),
    "times": _count("time", "times"),
    "quarters": _count("quarter", "quarters"),
    "login": _count("login", "logins"),
    "usage": _count("use of the product", "uses of the product"),
    "visit": _count("visit", "visits"),
    "mail": _count("mail", "mails"),
    "campaign": _count("campaign received", "campaigns received"),
    "coupon": _count("coupon redeemed", "coupons redeemed"),
    "meeting": _count("meeting, held or not,", "meetings, held or not,"),
    "survey": _count("survey", "surveys"),
    "community": _count("contact in the community", "contacts in the community"),
    "loyalty": _count("loyalty activity", "loyalty activities"),
}

_ENGLISH_KINDS = {
    "login": "login",
    "usage": "use of the product",
    "visit": "visit",
    "mail": "mail",
    "campaign": "campaign",
    "coupon": "redeemed coupon",
    "meeting": "meeting, held or not,",
    "survey": "survey",
    "community": "contact in the community",
    "loyalty": "loyalty activity",
}
"""What one event of each kind of engagement is called."""


def _of_each_kind() -> dict[str, str]:
    phrases: dict[str, str] = {}
    for kind, called in _ENGLISH_KINDS.items():
        phrases |= {
            f"engagement_{kind}_count_{{days}}d.some": f"{{value:{kind}}} in the last {{days}} days",
            f"engagement_{kind}_count_{{days}}d.none": f"no {called} on record in the last {{days}} days",
            f"engagement_days_since_{kind}.some": f"last {called} {{value:ago}}",
            f"engagement_days_since_{kind}.absent": f"no {called} on record",
        }
    return phrases


def _of_trend(key: str, what: str, *, many: str = "as many", those: str = "those") -> dict[str, str]:
    """The phrases of a trend of something that is counted, or of an amount of it (`many` "as much", `those` "that")."""
    now, before = "in the last {days} days", "in the {days} before"
    return {
        f"{key}.stopped": f"no {what} {now}, unlike {before}",
        f"{key}.begun": f"{what} {now}, unlike {before}",
        f"{key}.down": f"{what} down {{change:share}} in {{days}} days",
        f"{key}.up": f"{what} up {{change:share}} in {{days}} days",
        f"{key}.same": f"{many} {what} {now} as {before}",
        f"{key}.against": f"{what} {now} {{times:ratio}} {those} {before}",
        f"{key}.manifold": f"more than ten times {many} {what} {now} as {before}",
        f"{key}.fraction": f"less than a tenth {many} {what} {now} as {before}",
        f"{key}.absent": f"no {what} {now}, nor {before}",
    }


_ENGLISH_SIGNALS = {
    "signal_purchases_down_two_quarters.some": "spend fell for two quarters running",
    "signal_purchase_frequency_falling.some": "orders grow rarer: down by a quarter and more in half a year",
    "signal_long_without_repurchase.some": "no order for longer than ever before, or for long after the only one",
    "signal_browses_without_buying.some": "looks around and does not buy",
    "signal_strategy_meeting_cancelled.some": "strategy meeting cancelled",
    "signal_executive_meeting_overdue.some": "no meeting with an executive for more than a quarter",
    "signal_middle_meeting_overdue.some": "no meeting with middle management for more than a month",
    "signal_review_overdue.some": "business review overdue: none for more than a quarter",
    "signal_reference_removed.some": "our reference case was removed",
    "signal_champion_left.some": "the contact who spoke for us left",
    "signal_complaint_unresolved_{days}d.some": "complaint unresolved for more than {days} days",
    "signal_detractor.some": "would not recommend us",
    "signal_use_falling.some": "use of the product, or logins, down by a quarter and more in a month",
    "signal_faults_rising.some": "the equipment reports more faults than the quarter before",
    "signal_contract_ends_soon.some": "a contract ends within three months",
    "signal_notice_given.some": "notice given on a contract that still runs",
}
"""What a signal says when it is on. One that is off may have nothing on record, and says nothing."""

_ENGLISH_PHRASES = {
    "purchases_days_since_last.late": "no order for {value:days}, usually {typical:every}",
    "purchases_days_since_last.on_time": "last order {value:ago}, usually {typical:often}",
    "purchases_days_since_last.seldom": "usually orders {typical:often}, the last time {value:ago}",
    "purchases_days_since_last.long": "no order for {value:days}",
    "purchases_days_since_last.some": "last order {value:ago}",
    "purchases_days_since_last.absent": "no order on record",
    "purchases_days_since_first.some": "first order {value:long} ago",
    "purchases_days_since_first.absent": "no order on record",
    "purchases_orders_distinct.some": "{value:orders} so far",
    "purchases_orders_distinct.none": "no order so far",
    "purchases_orders_distinct_{days}d.some": "{value:orders} in the last {days} days",
    "purchases_orders_distinct_{days}d.none": "no order in the last {days} days",
    "purchases_amount_sum.some": "{value:currency} ordered so far",
    "purchases_amount_sum.none": "nothing ordered so far",
    "purchases_amount_sum_{days}d.some": "{value:currency} ordered in the last {days} days",
    "purchases_amount_sum_{days}d.none": "nothing ordered in the last {days} days",
    "purchases_amount_decayed_sum.some": "{value:currency} ordered, recent orders counting most",
    "purchases_amount_decayed_sum.none": "nothing ordered so far",
    "purchases_order_amount_mean_{days}d.some": "an order of the last {days} days is worth {value:currency}",
    "purchases_order_amount_mean_{days}d.absent": "no order in the last {days} days",
    "purchases_lines_per_order_mean_{days}d.some": "{value:lines} in an order of the last {days} days",
    "purchases_lines_per_order_mean_{days}d.absent": "no order in the last {days} days",
    "purchases_orders_trend_{days}d.stopped": "no order in the last {days} days, after orders in the {days} before",
    "purchases_orders_trend_{days}d.begun": "orders in the last {days} days, after none in the {days} before",
    "purchases_orders_trend_{days}d.down": "orders down {change:share} in {days} days",
    "purchases_orders_trend_{days}d.up": "orders up {change:share} in {days} days",
    "purchases_orders_trend_{days}d.same": "as many orders in the last {days} days as in the {days} before",
    "purchases_orders_trend_{days}d.against": "orders in the last {days} days {times:ratio} those of the {days} before",
    "purchases_orders_trend_{days}d.manifold": "more than ten times as many orders in the last {days} days as in the "
    "{days} before",
    "purchases_orders_trend_{days}d.fraction": "less than a tenth as many orders in the last {days} days as in the "
    "{days} before",
    "purchases_orders_trend_{days}d.absent": "no order in the last {days} days, nor in the {days} before",
    "purchases_amount_trend_{days}d.stopped": "nothing ordered in the last {days} days, after orders in the {days} before",
    "purchases_amount_trend_{days}d.begun": "orders in the last {days} days, after none in the {days} before",
    "purchases_amount_trend_{days}d.down": "spend down {change:share} in {days} days",
    "purchases_amount_trend_{days}d.up": "spend up {change:share} in {days} days",
    "purchases_amount_trend_{days}d.same": "spend in the last {days} days as in the {days} before",
    "purchases_amount_trend_{days}d.against": "spend in the last {days} days {times:ratio} that of the {days} before",
    "purchases_amount_trend_{days}d.manifold": "more than ten times as much ordered in the last {days} days as in the "
    "{days} before",
    "purchases_amount_trend_{days}d.fraction": "less than a tenth as much ordered in the last {days} days as in the "
    "{days} before",
    "purchases_amount_trend_{days}d.absent": "nothing ordered in the last {days} days, nor in the {days} before",
    "purchases_amount_trend_{days}d_year.stopped": "nothing ordered in {days} days, unlike a year ago",
    "purchases_amount_trend_{days}d_year.begun": "orders in the last {days} days, unlike a year ago",
    "purchases_amount_trend_{days}d_year.down": "spend of the last {days} days down {change:share} on a year ago",
    "purchases_amount_trend_{days}d_year.up": "spend of the last {days} days up {change:share} on a year ago",
    "purchases_amount_trend_{days}d_year.same": "spend of the last {days} days as a year ago",
    "purchases_amount_trend_{days}d_year.against": "spend of the last {days} days {times:ratio} that of a year ago",
    "purchases_amount_trend_{days}d_year.manifold": "more than ten times as much ordered in the last {days} days as a "
    "year ago",
    "purchases_amount_trend_{days}d_year.fraction": "less than a tenth as much ordered in the last {days} days as a "
    "year ago",
    "purchases_amount_trend_{days}d_year.absent": "nothing ordered in the last {days} days, nor a year ago",
    "purchases_amount_sum_{days}d_lag275d.some": "{value:currency} ordered in the coming {days} days last year",
    "purchases_amount_sum_{days}d_lag275d.none": "nothing ordered in the coming {days} days last year",
    "purchases_days_until_expected.some": "next order expected in {value:days}, by its own rhythm",
    "purchases_days_until_expected.past": "next order was expected {size:ago}, by its own rhythm",
    "purchases_days_until_expected.absent": "no rhythm of orders on record",
    "purchases_gap_days_mean.some": "usually orders {value:often}",
    "purchases_gap_days_mean.absent": "no second order on record",
    "purchases_gap_ratio_{days}d.some": "time between orders of the last {days} days {value:ratio} the usual",
    "purchases_silence_ratio.some": "silent for {value:ratio} the longest time between orders so far",
    "purchases_silent_{days}d_lag90d.some": "no order in the {days} days before the last {days}",
    "purchases_silent_{days}d_lag90d.none": "orders in the {days} days before the last {days}",
    "purchases_silent_quarters_sum.some": "{value:quarters} of the last four without an order",
    "purchases_silent_quarters_sum.none": "orders in each of the last four quarters",
    "purchases_order_amount_ratio_{days}d.some": "an order of the last {days} days is worth {value:ratio} the usual",
    "purchases_orders_per_year_mean.some": "usually {value:number} orders a year",
    "purchases_amount_per_year_mean.some": "usually {value:currency} ordered a year",
    "purchases_net_amount_sum.some": "{value:currency} ordered so far, net of returns",
    "purchases_net_amount_sum_{days}d.some": "{value:currency} ordered in the last {days} days, net of returns",
    "purchases_season_share_{days}d_lag275d.some": "{value:share} of a year's spend fell into the coming {days} days last year",
    "purchases_season_share_{days}d_lag275d.none": "nothing ordered in the coming {days} days last year",
    "purchases_category_largest_share_{days}d.some": "{value:share} of spend in one category in the last {days} days",
    "purchases_product_largest_share_{days}d.some": "{value:share} of spend on one product in the last {days} days",
    "purchases_categories_dropped_{days}d.some": "{value:categories} dropped in the last {days} days",
    "purchases_categories_dropped_{days}d.none": "no category dropped in the last {days} days",
    "purchases_margin_share_{days}d.some": "margin of {value:share} in the last {days} days",
    "purchases_margin_share_{days}d.past": "a loss of {size:share} on what was ordered in the last {days} days",
    "purchases_days_since_cancellation.some": "last cancelled an order {value:ago}",
    "purchases_days_since_cancellation.absent": "no cancelled order on record",
    "purchases_cancellations_count_{days}d.some": "{value:lines} cancelled in the last {days} days",
    "purchases_cancellations_count_{days}d.none": "nothing cancelled in the last {days} days",
    "purchases_products_distinct_{days}d.some": "{value:products} in the last {days} days",
    "purchases_products_distinct_{days}d.none": "no product on record in the last {days} days",
    "purchases_categories_distinct_{days}d.some": "orders from {value:categories} in the last {days} days",
    "purchases_categories_distinct_{days}d.none": "no category on record in the last {days} days",
    "purchases_discount_sum_{days}d.some": "{value:currency} of discounts in the last {days} days",
    "purchases_discount_sum_{days}d.none": "no discount in the last {days} days",
    "purchases_discount_share_{days}d.some": "discounts of {value:share} in the last {days} days",
    "purchases_discount_share_{days}d.none": "no discount in the last {days} days",
    "purchases_discount_share_{days}d.absent": "no order in the last {days} days",
    "purchases_days_since_return.some": "last return {value:ago}",
    "purchases_days_since_return.absent": "no return on record",
    "purchases_returns_count_{days}d.some": "{value:lines} returned in the last {days} days",
    "purchases_returns_count_{days}d.none": "nothing returned in the last {days} days",
    "purchases_returns_amount_sum_{days}d.some": "returns of {size:currency} in the last {days} days",
    "purchases_returns_amount_sum_{days}d.none": "nothing returned in the last {days} days",
    "purchases_returns_share_{days}d.some": "{size:share} of the value ordered was returned in the last {days} days",
    "purchases_returns_share_{days}d.beyond": "more was returned than ordered in the last {days} days",
    "purchases_returns_share_{days}d.none": "nothing returned in the last {days} days",
    "purchases_returns_share_{days}d.absent": "no order in the last {days} days",
    "engagement_days_since_last.some": "last contact or use {value:ago}",
    "engagement_days_since_last.absent": "no contact or use on record",
    "engagement_count_{days}d.some": "{value:dealings} in the last {days} days",
    "engagement_count_{days}d.none": "no contact or use in the last {days} days",
    "engagement_count_trend_{days}d.stopped": "no contact or use in the last {days} days, unlike the {days} before",
    "engagement_count_trend_{days}d.begun": "contact or use in the last {days} days, unlike the {days} before",
    "engagement_count_trend_{days}d.down": "contacts and uses down {change:share} in {days} days",
    "engagement_count_trend_{days}d.up": "contacts and uses up {change:share} in {days} days",
    "engagement_count_trend_{days}d.same": "as many contacts and uses in the last {days} days as before",
    "engagement_count_trend_{days}d.against": "contacts and uses in {days} days {times:ratio} those of the {days} before",
    "engagement_count_trend_{days}d.manifold": "more than ten times as many contacts and uses in the last {days} days "
    "as in the {days} before",
    "engagement_count_trend_{days}d.fraction": "less than a tenth as many contacts and uses in the last {days} days "
    "as in the {days} before",
    "engagement_count_trend_{days}d.absent": "no contact or use in the last {days} days, nor in the {days} before",
    **_of_each_kind(),
    **_of_trend("engagement_usage_quantity_trend_{days}d", "use of the product", many="as much", those="that"),
    **_of_trend("engagement_usage_trend_{days}d", "uses of the product"),
    **_of_trend("engagement_login_trend_{days}d", "logins"),
    "engagement_functions_distinct_{days}d.some": "{value:functions} used in the last {days} days",
    "engagement_functions_distinct_{days}d.none": "no function on record in the last {days} days",
    "engagement_functions_dropped_{days}d.some": "{value:functions} used in the {days} days before, and not in the last {days}",
    "engagement_functions_dropped_{days}d.none": "no function given up in the last {days} days",
    "engagement_carts_abandoned_count_{days}d.some": "carts abandoned in the last {days} days: {value:number}",
    "engagement_carts_abandoned_count_{days}d.none": "no abandoned cart on record in the last {days} days",
    "engagement_stockouts_count_{days}d.some": "{value:times} out of stock in the last {days} days",
    "engagement_stockouts_count_{days}d.none": "nothing out of stock on record in the last {days} days",
    "meetings_held_count_{days}d.some": "{value:meetings} held in the last {days} days",
    "meetings_held_count_{days}d.none": "no meeting on record as held in the last {days} days",
    "meetings_called_off_sum_{days}d.some": "{value:meetings} cancelled or missed in the last {days} days",
    "meetings_called_off_sum_{days}d.none": "no meeting cancelled in the last {days} days",
    "meetings_days_since_executive.some": "last meeting with an executive {value:ago}",
    "meetings_days_since_executive.absent": "no meeting with an executive on record",
    "meetings_days_since_middle.some": "last meeting with middle management {value:ago}",
    "meetings_days_since_middle.absent": "no meeting with middle management on record",
    "meetings_days_since_review.some": "last business review {value:ago}",
    "meetings_days_since_review.absent": "no business review on record",
    "meetings_days_since_strategy.some": "last strategy meeting {value:ago}",
    "meetings_days_since_strategy.absent": "no strategy meeting on record",
    "surveys_nps_last.some": "latest answer to would you recommend us: {value:0-10}",
    "surveys_nps_last.none": "latest answer to would you recommend us: {value:0-10}",
    "surveys_nps_last.absent": "never asked, or never answered, whether it would recommend us",
    "surveys_days_since_detractor.some": "said {value:ago} that it would not recommend us",
    "surveys_days_since_detractor.absent": "nobody on record who would not recommend us",
    "surveys_sentiment_mean_{days}d.some": "what was said in the last {days} days sounds {value:sentiment}",
    "surveys_sentiment_mean_{days}d.none": "what was said in the last {days} days sounds {value:sentiment}",
    "surveys_negative_count_{days}d.some": "said something negative {value:times} in the last {days} days",
    "surveys_negative_count_{days}d.none": "nothing negative on record in the last {days} days",
    "telemetry_faults_sum_{days}d.some": "the equipment reported {value:faults} in the last {days} days",
    "telemetry_faults_sum_{days}d.none": "no fault of the equipment in the last {days} days",
    **_of_trend("telemetry_faults_trend_{days}d", "faults of the equipment"),
    "telemetry_energy_ratio_{days}d.some": "energy use of the last {days} days {value:ratio} that of the year before",
    "contracts_in_force_count.some": "{value:contracts} in force",
    "contracts_in_force_count.none": "no contract in force without notice given",
    "contracts_value_sum.some": "contracts worth {value:currency} a year",
    "contracts_value_sum.none": "no contract of a recorded value in force",
    "contracts_days_left_min.some": "a contract ends in {value:days}",
    "contracts_days_left_min.absent": "no contract that ends",
    "contracts_days_to_notice.some": "{value:days} left to give notice",
    "contracts_days_to_notice.past": "the time to give notice was over {size:ago}",
    "contracts_notice_given_count.some": "notice given on {value:contracts}",
    "contracts_notice_given_count.none": "no notice given",
    "contracts_lapsed_count.some": "{value:contracts} ended without renewal",
    "contracts_lapsed_count.none": "no contract ended without renewal",
    "contracts_cancelled_count_{days}d.some": "{value:contracts} cancelled in the last {days} days",
    "contracts_cancelled_count_{days}d.none": "no contract cancelled in the last {days} days",
    "contracts_downgraded_count_{days}d.some": "{value:contracts} downgraded in the last {days} days",
    "contracts_downgraded_count_{days}d.none": "no contract downgraded in the last {days} days",
    "contacts_known_count.some": "{value:contacts} on record",
    "contacts_known_count.none": "no contact on record",
    "contacts_champions_count.some": "{value:contacts} speaking for us",
    "contacts_champions_count.none": "no contact on record who speaks for us",
    "contacts_left_count_{days}d.some": "{value:contacts} left in the last {days} days",
    "contacts_left_count_{days}d.none": "no contact left in the last {days} days",
    **_ENGLISH_SIGNALS,
    "service_days_since_opened.some": "last case opened {value:ago}",
    "service_days_since_opened.absent": "no case on record",
    "service_opened_count_{days}d.some": "{value:cases} opened in the last {days} days",
    "service_opened_count_{days}d.none": "no case opened in the last {days} days",
    "service_open_cases_count.some": "{value:cases} still open",
    "service_open_cases_count.none": "no open case",
    "service_open_complaints_count.some": "{value:complaints} still open",
    "service_open_complaints_count.none": "no open complaint",
    "service_overdue_cases_count_{days}d.some": "{value:cases} open for {days} days and longer",
    "service_overdue_cases_count_{days}d.none": "no case open for longer than {days} days",
    "service_days_open_max.some": "a case has been open for {value:days}",
    "service_days_open_max.absent": "no open case",
    "service_unanswered_cases_count.some": "{value:cases} without an answer",
    "service_unanswered_cases_count.none": "no case without an answer",
    **_of_trend("service_opened_trend_{days}d", "cases"),
    **_of_trend("service_faults_trend_{days}d", "faults"),
    "service_days_since_complaint.some": "last complaint {value:ago}",
    "service_days_since_complaint.absent": "no complaint on record",
    "service_complaints_count_{days}d.some": "{value:complaints} in the last {days} days",
    "service_complaints_count_{days}d.none": "no complaint in the last {days} days",
    "service_resolution_hours_mean_{days}d.some": "cases took {value:hours} to resolve in the last {days} days",
    "service_resolution_hours_mean_{days}d.absent": "no resolved case on record in the last {days} days",
    "service_satisfaction_mean_{days}d.some": "cases rated {value:1-5} in the last {days} days",
    "service_satisfaction_mean_{days}d.absent": "no rating on record in the last {days} days",
    "service_satisfaction_last.some": "latest case rated {value:1-5}",
    "service_satisfaction_last.absent": "no rating on record",
    "account_size_last.some": "size of the account: {value:number}",
    "account_willing_to_be_reference_last.some": "may be named as a reference",
    "account_willing_to_be_reference_last.none": "does not want to be named as a reference",
    "account_days_since_joined.some": "an account for {value:long}",
    "account_days_since_founded.some": "founded {value:long} ago",
    "calendar_year_sine.some": "the time of year",
    "calendar_year_cosine.some": "the time of year",
    "declared.some": "{meaning}: {value:{unit}}",
    "declared.absent": "{meaning}: none on record",
}

ENGLISH = Language("en", _ENGLISH_PHRASES, _ENGLISH_UNITS)
LANGUAGES = {language.code: language for language in (ENGLISH,)}
