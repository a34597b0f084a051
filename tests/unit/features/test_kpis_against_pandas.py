"""Every KPI of a random company against pandas: each period and member by itself, as its definition reads."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from histories import busy_history
from storing import store

from features.kpis import kpis

AS_OF = datetime(2020, 6, 1, tzinfo=UTC)
ZONE, CHURN = "Europe/Berlin", pd.Timedelta(days=45)
COLUMNS = {
    "purchases": ["kind", "category", "amount"], "engagement": ["kind", "scale", "score"],
    "service": ["kind", "satisfaction", "effort", "hours_to_resolve"], "accounts": ["region"],
    "contracts": ["kind", "contract_id", "term", "ends_at", "value"],
}  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    accounts = {f"a{seed}": busy_history(seed) for seed in range(40)}
    history = store(tmp_path_factory.mktemp("company"), accounts)
    figures = kpis(history, AS_OF, timezone=ZONE, churn_days=CHURN.days, by=["region"])
    return figures, Oracle(history)


@pytest.mark.parametrize(
    "kpi",
    [
        "revenue", "active_accounts", "new_accounts", "churned_accounts", "churned_value", "churned_high_value_accounts",
        "churned_high_value_value", "churn_rate", "upsell_revenue", "cross_sell_revenue", "net_revenue_retention",
        "gross_revenue_retention", "lifetime_value", "lifetime_value_change", "nps", "csat", "ces",
        "resolution_hours_median", "resolution_hours_p90", "top_20_percent_share", "gini", "contract_value",
        "contract_churned_accounts", "contract_churned_value", "contract_net_retention", "contract_gross_retention",
    ],
)  # fmt: skip
def test__kpi__as_pandas_says(both, kpi):
    figures, oracle = both
    rows = figures[figures["kpi"] == kpi]
    assert len(rows) > 5
    assert rows["value"].notna().any()
    expected = [
        oracle.value(kpi, row.member, moment(row.period_start), moment(row.period_end)) for row in rows.itertuples()
    ]
    np.testing.assert_allclose(rows["value"].to_numpy(), np.array(expected, float), rtol=1e-9, atol=1e-6)


def moment(day):
    return pd.Timestamp(datetime.combine(day, time(), ZoneInfo(ZONE))).tz_convert("UTC")


def year_before(when):
    return moment((when.tz_convert(ZONE) - pd.DateOffset(years=1)).date())


class Oracle:
    """Slow and obvious: it looks through all rows for each figure."""

    def __init__(self, history):
        for stream, columns in COLUMNS.items():
            names = ["account_id", "known_at", "occurred_at", *columns]
            rows = pd.concat([history.read(stream, bucket, names).to_pandas() for bucket in range(history.buckets)])
            rows = rows.astype({name: object for name in rows if isinstance(rows[name].dtype, pd.CategoricalDtype)})
            setattr(self, stream, rows[rows["known_at"] <= AS_OF].rename(columns={"occurred_at": "t"}))
        self.orders = self.purchases[self.purchases["kind"] == "order"]
        self.lapses = self._lapses()
        worth = [self._worth(account, own["t"].max()) for account, own in self.orders.groupby("account_id")]
        self.high = np.quantile(worth, 0.8)
        known = self.accounts[self.accounts["t"] <= AS_OF].sort_values(["t", "known_at"], kind="stable")
        self.region = known.groupby("account_id")["region"].last()

    def _lapses(self):
        found = []
        for account, own in self.orders.groupby("account_id"):
            moments = sorted(own["t"].unique())
            for one, following in zip(moments, [*moments[1:], None], strict=True):
                over = one + CHURN
                if (over < following) if following is not None else (over <= AS_OF):
                    found.append((account, over, self._worth(account, one)))
        return pd.DataFrame(found, columns=["account_id", "t", "worth"])

    def _worth(self, account, last):
        own = self.purchases[self.purchases["account_id"] == account]
        return own[(own["t"] > last - timedelta(days=365)) & (own["t"] <= last)]["amount"].sum()

    def of(self, rows, member):
        if member == "all":
            return rows
        region = rows["account_id"].map(self.region)
        return rows[region.isna() if member == "not recorded" else region == member]

    def value(self, kpi, member, start, end):
        self.member, self.start, self.end = member, start, end
        value = getattr(self, kpi)()
        return value if np.isfinite(value) else np.nan

    def within(self, rows, start=None, end=None):
        rows = self.of(rows, self.member)
        return rows[(rows["t"] >= (start or self.start)) & (rows["t"] < (end or self.end))]

    def by_account(self, start=None, end=None):
        return self.within(self.purchases, start, end).groupby("account_id")["amount"].sum()

    def revenue(self):
        return self.within(self.purchases)["amount"].sum()

    def active_accounts(self):
        return self.within(self.orders)["account_id"].nunique()

    def new_accounts(self):
        first = self.of(self.orders, self.member).groupby("account_id")["t"].min()
        return ((first >= self.start) & (first < self.end)).sum()

    def churned_accounts(self):
        return len(self.within(self.lapses))

    def churned_value(self):
        return self.within(self.lapses)["worth"].sum()

    def churned_high_value_accounts(self):
        return (self.within(self.lapses)["worth"] >= self.high).sum()

    def churned_high_value_value(self):
        churned = self.within(self.lapses)
        return churned[churned["worth"] >= self.high]["worth"].sum()

    def churn_rate(self):
        before = self.of(self.orders, self.member)
        customers = before[(before["t"] < self.start) & (before["t"] >= self.start - CHURN)]["account_id"].nunique()
        return self.churned_accounts() / customers if customers else np.nan

    def cross_sold(self):
        own = self.within(self.purchases)
        first_order = self.orders.groupby("account_id")["t"].min()
        first_of = self.orders.dropna(subset="category").groupby(["account_id", "category"])["t"].min()
        sold = {}
        for row in own.dropna(subset="category").itertuples():
            first = first_of.get((row.account_id, row.category))
            if first is not None and self.start <= first < self.end and first_order[row.account_id] < self.start:
                sold[row.account_id] = sold.get(row.account_id, 0) + row.amount
        return pd.Series(sold, dtype=float)

    def cross_sell_revenue(self):
        return self.cross_sold().sum()

    def then_and_now(self):
        then = self.by_account(year_before(self.start), year_before(self.end))
        then = then[then > 1e-6]
        return then, self.by_account().reindex(then.index, fill_value=0)

    def upsell_revenue(self):
        then, now = self.then_and_now()
        return (now - self.cross_sold().reindex(then.index, fill_value=0) - then).clip(lower=0).sum()

    def net_revenue_retention(self):
        then, now = self.then_and_now()
        return now.sum() / then.sum() if len(then) else np.nan

    def gross_revenue_retention(self):
        then, now = self.then_and_now()
        return np.minimum(now.clip(lower=0), then).sum() / then.sum() if len(then) else np.nan

    def lifetime(self, until):
        ever = self.of(self.orders, self.member).query("t < @until")["account_id"].unique()
        own = self.purchases[self.purchases["account_id"].isin(ever) & (self.purchases["t"] < until)]
        return own["amount"].sum() / len(ever) if len(ever) else np.nan

    def lifetime_value(self):
        return self.lifetime(self.end)

    def lifetime_value_change(self):
        return self.lifetime(self.end) - self.lifetime(self.start)

    def revenues(self):
        ever = self.orders[self.orders["t"] < self.end]["account_id"].unique()
        return self.by_account().reindex(ever, fill_value=0).sort_values(ascending=False)

    def top_20_percent_share(self):
        revenue = self.revenues()
        return revenue.iloc[: int(np.ceil(len(revenue) * 0.2))].sum() / revenue.sum()

    def gini(self):
        values = self.revenues().to_numpy()
        return np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean())

    def answers(self, scale, ratings=None):
        surveys = self.within(self.engagement)
        said = surveys[surveys["scale"] == scale]["score"]
        return pd.concat([said, self.within(self.service)[ratings]] if ratings else [said]).dropna().astype(float)

    def nps(self):
        said = self.answers("nps")
        return 100 * ((said >= 9).mean() - (said <= 6).mean())

    def csat(self):
        return (
            (self.answers("csat", "satisfaction") >= 4).mean() if len(self.answers("csat", "satisfaction")) else np.nan
        )

    def ces(self):
        return self.answers("ces", "effort").mean()

    def hours(self):
        own = self.within(self.service)
        return own[own["kind"] == "resolved"]["hours_to_resolve"].dropna().astype(float)

    def resolution_hours_median(self):
        return self.hours().median()

    def resolution_hours_p90(self):
        return self.hours().quantile(0.9)

    def in_force(self, until):
        """Of each account the number of contracts in force and their value just before a moment, as was known then."""
        own = self.of(self.contracts, self.member)
        own = own[(own["t"] < until) & (own["known_at"] < until)]
        order = ["t", "known_at", "kind", "ends_at", "value"]
        newest = (
            own.sort_values(order, na_position="first", kind="stable").groupby(["account_id", "contract_id"]).tail(1)
        )
        is_running = (newest["term"] == "open") | ((newest["term"] == "fixed") & (newest["ends_at"] >= until))
        held = newest[is_running & (newest["kind"] != "cancelled")]
        return held.groupby("account_id")["value"].agg(["size", "sum"])

    def contract_value(self):
        return self.in_force(self.end)["sum"].sum()

    def left(self):
        began = self.in_force(self.start)
        return began[~began.index.isin(self.in_force(self.end).index)]

    def contract_churned_accounts(self):
        return len(self.left())

    def contract_churned_value(self):
        return self.left()["sum"].sum()

    def contract_then_and_now(self):
        then = self.in_force(year_before(self.end))["sum"]
        then = then[then > 0]
        return then, self.in_force(self.end)["sum"].reindex(then.index, fill_value=0)

    def contract_net_retention(self):
        then, now = self.contract_then_and_now()
        return now.sum() / then.sum() if len(then) else np.nan

    def contract_gross_retention(self):
        then, now = self.contract_then_and_now()
        return np.minimum(now, then).sum() / then.sum() if len(then) else np.nan
