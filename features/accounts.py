"""What an account is, and the time of year that a row speaks for."""

from features.definitions import Feature, Season, events

attributes = events("accounts")

FEATURES = (
    Feature("account_size_last", attributes.last("size"), "size of the account", "people", "not recorded"),
    Feature(
        "calendar_year_sine", Season.SINE, "time of year: 1 at the end of March, -1 at the end of September", "", ""
    ),
    Feature("calendar_year_cosine", Season.COSINE, "time of year: 1 at New Year, -1 at midsummer", "", ""),
)
