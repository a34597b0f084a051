"""What reasons say, in plain words: one catalogue of phrases per language, and how that language writes numbers.

A phrase is a template over the account's own numbers. `{value:days}` is a number and the unit that the
language writes it in; the key is the feature's name, with `{days}` for any window, and the case that `serving.reasons` found. Another language is another `Language` with the same keys.
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
    return f"{value:,.1f} times"


def _rating(value: float) -> str:
    return f"{number(round(value, 1))} of 5"


_ENGLISH_UNITS: dict[str, Unit] = {
    "number": number,
    "share": percent,
    "ratio": _times,
    "days": _days,
    "ago": _ago,
    "every": _every,
    "often": _often,
    "long": _long,
    "hours": _count("hour", "hours"),
    "1-5": _rating,
    "orders": _count("order", "orders"),
    "products": _count("different product", "different products"),
    "categories": _count("category", "categories"),
    "lines": _count("line", "lines"),
    "cases": _count("case", "cases"),
    "complaints": _count("complaint", "complaints"),
    "contacts": _count("contact or use", "contacts and uses"),
    "login": _count("login", "logins"),
    "usage": _count("use of the product", "uses of the product"),
    "visit": _count("visit", "visits"),
    "mail": _count("mail", "mails"),
    "campaign": _count("campaign received", "campaigns received"),
    "coupon": _count("coupon redeemed", "coupons redeemed"),
    "meeting": _count("meeting", "meetings"),
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
    "meeting": "meeting",
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
    "engagement_count_{days}d.some": "{value:contacts} in the last {days} days",
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
    "service_days_since_opened.some": "last case opened {value:ago}",
    "service_days_since_opened.absent": "no case on record",
    "service_opened_count_{days}d.some": "{value:cases} opened in the last {days} days",
    "service_opened_count_{days}d.none": "no case opened in the last {days} days",
    "service_open_cases_sum.some": "{value:cases} still open",
    "service_open_cases_sum.none": "no open case",
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
    "calendar_year_sine.some": "the time of year",
    "calendar_year_cosine.some": "the time of year",
    "declared.some": "{meaning}: {value:{unit}}",
    "declared.absent": "{meaning}: none on record",
}

ENGLISH = Language("en", _ENGLISH_PHRASES, _ENGLISH_UNITS)
LANGUAGES = {language.code: language for language in (ENGLISH,)}
