"""What an account is, and the time of year that a row speaks for."""

from features.definitions import Feature, Season, events

attributes = events("accounts")

FEATURES = (
    Feature("account_size_last", attributes.last("size"), "size of the account", "people", "not recorded"),
    Feature(
        "account_days_since_known",
        attributes.days_since_first(),
        "time since the account's attributes are on record",
        "days",
        "no attributes on record",
    ),
    Feature(
        "calendar_year_sine", Season.SINE, "time of year: 1 at the end of March, -1 at the end of September", "", ""
    ),
    Feature("calendar_year_cosine", Season.COSINE, "time of year: 1 at New Year, -1 at midsummer", "", ""),
)
