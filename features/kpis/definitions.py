"""Every KPI, defined once: its meaning, its unit, its source, and which direction is the better one."""

from dataclasses import dataclass
from typing import Literal

CURRENCY, ACCOUNTS, SHARE, POINTS, HOURS = "currency", "accounts", "share", "points", "hours"

TOP_PERCENT = 20
"""The share of the largest accounts that the concentration measures."""
HIGH_VALUE_QUANTILE = 0.8
SATISFIED = 4
"""From here up an answer on the scale of 1 to 5 counts as satisfied."""


@dataclass(frozen=True)
class Kpi:
    """A figure of a period. `counts` is what its n counts; `better` is 0 where neither direction is."""

    name: str
    title: str
    meaning: str
    unit: str
    counts: str
    better: Literal[-1, 0, 1]


PURCHASES = (
    Kpi("revenue", "revenue", "net value of the purchase lines of the period: returns and cancellations taken off",
        CURRENCY, "accounts with a line", 1),
    Kpi("active_accounts", "active accounts", "accounts that ordered in the period", ACCOUNTS, "the same", 1),
    Kpi("new_accounts", "new accounts", "accounts whose first order lies in the period", ACCOUNTS, "the same", 1),
    Kpi("churned_accounts", "churned accounts",
        "accounts whose silence reached the churn days in the period: (order, order + churn days] without another order. One that "
        "comes back and falls silent again counts again", ACCOUNTS, "the same", -1),
    Kpi("churned_value", "churned value",
        "what the churned accounts had brought: each one's revenue of the 365 days up to its last order", CURRENCY,
        "churned accounts", -1),
    Kpi("churned_high_value_accounts", "churned, of high value",
        "those of the churned accounts whose value is among the highest fifth of the values of all accounts that ever ordered",
        ACCOUNTS, "the same", -1),
    Kpi("churned_high_value_value", "churned value, of high value", "what these had brought", CURRENCY,
        "churned accounts of high value", -1),
    Kpi("churn_rate", "churn rate",
        "churned accounts as a share of those that were still customers as the period began: an order in the churn days before",
        SHARE, "accounts as the period began", -1),
    Kpi("upsell_revenue", "upsell revenue",
        "of accounts with revenue in the same period of the year before, what they brought above that, cross-selling apart",
        CURRENCY, "accounts that brought more", 1),
    Kpi("cross_sell_revenue", "cross-sell revenue",
        "revenue from categories that the account first ordered in the period, of accounts that had ordered before it",
        CURRENCY, "accounts that bought from a new category", 1),
    Kpi("net_revenue_retention", "net revenue retention",
        "of accounts with revenue in the same period of the year before: their revenue as a share of what it was then",
        SHARE, "accounts with revenue then", 1),
    Kpi("gross_revenue_retention", "gross revenue retention",
        "the same, where no account counts with more than it brought then, nor with less than nothing",
        SHARE, "accounts with revenue then", 1),
    Kpi("lifetime_value", "lifetime value", "revenue so far at the end of the period, per account that ever ordered by then",
        CURRENCY, "accounts that ever ordered", 1),
    Kpi("lifetime_value_change", "change of lifetime value", "lifetime value less that of the end of the period before",
        CURRENCY, "accounts that ever ordered", 1),
)  # fmt: skip
CONCENTRATION = (
    Kpi("top_20_percent_share", "share of the top 20 %",
        "share of the revenue that the largest 20 % of the accounts bring, of those that ever ordered by the end of the period; of "
        "quarters and years, of the whole company", SHARE, "accounts that ever ordered", 0),
    Kpi("gini", "Gini of revenue", "Gini's index of their revenue: 0 all bring the same, near 1 one brings everything",
        SHARE, "accounts that ever ordered", 0),
)  # fmt: skip
VOICES = (
    Kpi("nps", "NPS", "net promoter score: 100 × (answers of 9 and 10 − answers of 0 to 6) / answers, of surveys on that scale",
        POINTS, "answers", 1),
    Kpi("csat", "CSAT", "share of the answers of 4 and 5 on the scale of 1 to 5: surveys, and the ratings of cases", SHARE,
        "answers", 1),
    Kpi("ces", "CES", "mean ease on the scale of 1 very hard to 7 very easy: surveys, and the ratings of cases", POINTS,
        "answers", 1),
)  # fmt: skip
SERVICE = (
    Kpi("resolution_hours_median", "resolution time, median",
        "hours from opening to resolution of the cases resolved in the period, where they are recorded", HOURS, "resolutions", -1),
    Kpi("resolution_hours_p90", "resolution time, 90 %", "nine in ten of them took no longer", HOURS, "resolutions", -1),
)  # fmt: skip
CONTRACTS = (
    Kpi("contract_value", "contract value",
        "what the contracts in force as the period ends are worth in a year, those left out on which notice is given", CURRENCY,
        "accounts with a contract in force", 1),
    Kpi("contract_churned_accounts", "contract churn",
        "accounts with a contract in force as the period began and none as it ended", ACCOUNTS, "the same", -1),
    Kpi("contract_churned_value", "contract churn, value", "what theirs were worth in a year as the period began", CURRENCY,
        "accounts that churned", -1),
    Kpi("contract_net_retention", "net contract retention",
        "of accounts with a contract of some value twelve months before the end of the period: what theirs are worth now as a share "
        "of that", SHARE, "accounts with a contract then", 1),
    Kpi("contract_gross_retention", "gross contract retention", "the same, where no account counts with more than then", SHARE,
        "accounts with a contract then", 1),
)  # fmt: skip

KPIS = {kpi.name: kpi for kpi in (*PURCHASES, *CONCENTRATION, *VOICES, *SERVICE, *CONTRACTS)}
