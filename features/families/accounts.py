"""What an account is, how long it has been one, and the time of year that a row speaks for."""

from features.definitions import Constant, Derived, Feature, Season, days_until, difference, events, weights

attributes = events("accounts")


def days_since(column: str) -> Derived:
    """Days since a moment that is an attribute."""
    return difference(Constant(0), days_until(attributes.last(column)))


_NOT_RECORDED = "not recorded"

SALES = (
    Feature("account_size_last", attributes.last("size"), "size of the account", "people", _NOT_RECORDED),
    Feature(
        "account_days_since_joined", days_since("joined_at"), "time since it became an account", "days", _NOT_RECORDED
    ),
    Feature(
        "account_days_since_founded",
        days_since("founded_at"),
        "time since the account was founded",
        "days",
        _NOT_RECORDED,
    ),
)

BEYOND_SALES = (
    Feature(
        "account_strategic_fit_last",
        attributes.last("strategic_fit"),
        "how well the account fits our strategy",
        "1-5",
        "not judged",
    ),
    Feature(
        "account_influence_last",
        attributes.last("influence"),
        "how much others in its industry look to the account",
        "1-5",
        "not judged",
    ),
    Feature(
        "account_willing_to_be_reference_last",
        attributes.last(weights("willing_to_be_reference", yes=1.0, no=0.0)),
        "1 if we may name the account as a reference, 0 if not",
        "0 or 1",
        "not asked",
    ),
    Feature(
        "account_industry_growth_last",
        attributes.last("industry_growth"),
        "growth of the account's industry in a year",
        "change of share",
        "not known",
    ),
    Feature(
        "account_market_share_last",
        attributes.last("market_share"),
        "our share of what the account spends on what we sell",
        "share",
        "not known",
    ),
    Feature(
        "account_market_share_change",
        difference(attributes.last("market_share"), attributes.first("market_share")),
        "our share of what the account spends on what we sell, less the first on record",
        "change of share",
        "not known",
    ),
    Feature(
        "account_switching_cost_last",
        attributes.last("switching_cost"),
        "how dear it would be for the account to change to a rival",
        "1-5",
        "not judged",
    ),
)

CALENDAR = (
    Feature(
        "calendar_year_sine", Season.SINE, "time of year: 1 at the end of March, -1 at the end of September", "", ""
    ),
    Feature("calendar_year_cosine", Season.COSINE, "time of year: 1 at New Year, -1 at midsummer", "", ""),
)

FEATURES = (*SALES, *BEYOND_SALES, *CALENDAR)
