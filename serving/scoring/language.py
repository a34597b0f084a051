"""How a language writes numbers, amounts and phrases: units by name, and a phrase with its numbers filled in.

A phrase is a template over the account's own numbers. `{value:days}` is a number and the unit that the language writes it in.
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
"""Writes a present number."""


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
    """A share without its sign: 0.385 → 38%; a share that rounds to 0 is 'less than 1%'."""
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
    """The frequency, after a phrase that has named days as the unit."""
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
    """Sentiment from −1 to 1 in words, by fifths."""
    words = ("very negative", "negative", "neutral", "positive", "very positive")
    return words[min(int((value + 1) / 2 * 5), 4)] if value > -1 else words[0]


ENGLISH_UNITS: dict[str, Unit] = {
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
