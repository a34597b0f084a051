"""Which share of accounts brings which share of revenue: worked out by hand, and on a real retailer."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from histories import AS_OF
from storing import store

from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from features.kpis.concentration import concentration, fewest_for, gini, lorenz, top_share

RETAIL = Path(__file__).parents[4] / "shared" / "data" / "online_retail" / "online_retail.parquet"
LINES = """
    select "Customer ID"::text as account_id, InvoiceDate as occurred_at, Invoice as order_id, StockCode as product_id,
           Quantity as quantity, Quantity * Price as amount
    from source where "Customer ID" is not null
"""
DAY = timedelta(days=1)


def line(amount, days=10, late=0, kind=None):
    occurred_at = AS_OF - days * DAY
    kind = kind or ("order" if amount > 0 else "return")
    return {"occurred_at": occurred_at, "known_at": occurred_at + late * DAY, "kind": kind, "amount": float(amount)}


def named(name, known_days_ago, holds_days_ago=None):
    known_at = AS_OF - known_days_ago * DAY
    return {"known_at": known_at, "occurred_at": AS_OF - (holds_days_ago or known_days_ago) * DAY, "name": name}


COMPANY = {
    # 600 − 100 = 500: half of the revenue.
    "big": {"purchases": [line(600), line(-100)], "accounts": [named("Big Ltd", 300), named("Bigger Ltd", 20)]},
    "middle": {"purchases": [line(300)], "accounts": [named("Renamed later", -5, 3)]},
    "small": {"purchases": [line(150), line(50), line(-40, kind="cancellation"), line(40)]},
    # None of these counts: before the window, on its old edge, not known yet, in the future.
    "silent": {"purchases": [line(9000, days=400), line(9000, days=365), line(9000, late=11), line(9000, days=-1)]},
    "prospect": {"accounts": [named("Prospect", 50)]},
}


@pytest.fixture
def report(tmp_path):
    return concentration(store(tmp_path, COMPANY), AS_OF)


def test__concentration__by_hand__500_300_200_and_two_that_bring_nothing(report):
    """1,000 in all; of five accounts the largest brings 50 %, the two largest 80 %."""
    assert (report.accounts, report.without_purchases, report.revenue) == (5, 2, 1000.0)
    assert (report.bring_most, report.bring_most_share) == (2, 0.4)
    tops = {one.percent: (one.accounts, one.revenue, one.share) for one in report.top}
    assert tops == {
        1: (1, 500.0, 0.5), 5: (1, 500.0, 0.5), 10: (1, 500.0, 0.5), 20: (1, 500.0, 0.5), 50: (3, 1000.0, 1.0),
    }  # fmt: skip


def test__concentration__gini_by_hand(report):
    """Smallest first 0, 0, 200, 300, 500: 2·(3·200 + 4·300 + 5·500) / (5·1000) − 6/5 = 0.52."""
    assert report.gini == pytest.approx(0.52)


def test__concentration__lorenz_by_hand(report):
    """The smallest 40 % bring nothing, 60 % bring 200, 80 % bring 500; straight lines between."""
    curve = dict(report.lorenz)
    assert len(report.lorenz) == 101
    assert [curve[share] for share in (0.0, 0.4, 1.0)] == [0.0, 0.0, 1.0]
    assert (curve[0.5], curve[0.6], curve[0.8]) == pytest.approx((0.1, 0.2, 0.5))


def test__concentration__largest__named_as_was_known_then(report):
    """A name that became known later is not seen, of several the one that holds; without one the id speaks."""
    assert [(one.account_id, one.name, one.revenue, one.share, one.cumulative) for one in report.largest] == [
        ("big", "Bigger Ltd", 500.0, 0.5, 0.5),
        ("middle", None, 300.0, 0.3, 0.8),
        ("small", None, 200.0, 0.2, 1.0),
        ("prospect", "Prospect", 0.0, 0.0, 1.0),
        ("silent", None, 0.0, 0.0, 1.0),
    ]


def test__concentration__as_json__says_the_same(report):
    facts = json.loads(json.dumps(report.to_json()))
    assert facts["top"][0] == {"percent": 1, "accounts": 1, "revenue": 500.0, "share": 0.5}
    assert facts["as_of"] == "2020-06-01T00:00:00+00:00"


def test__concentration__one_brings_everything__and_all_bring_the_same():
    """The two ends of Gini's scale: 1 − 1/n and 0."""
    assert gini(np.array([7.0, 0.0, 0.0, 0.0])) == pytest.approx(0.75)
    assert gini(np.full(9, 3.0)) == pytest.approx(0.0)
    assert dict(lorenz(np.full(10, 3.0)))[0.3] == pytest.approx(0.3)


def test__concentration__account_that_returned_more_than_it_bought__counts_with_what_it_cost():
    """The others bring more than the whole, which is what the books say."""
    revenue = np.array([80.0, 40.0, -20.0])
    assert top_share(revenue, 50).share == pytest.approx(1.2)
    assert fewest_for(revenue, 0.8) == 1


def test__concentration__no_revenue__no_shares(tmp_path):
    """A company on its first day: nothing is divided by nothing."""
    report = concentration(store(tmp_path, {"prospect": COMPANY["prospect"]}), AS_OF)
    assert (report.revenue, report.bring_most, report.lorenz) == (0.0, 0, ())
    assert math.isnan(report.gini)
    assert math.isnan(report.top[0].share)


def test__concentration__nobody_known__says_so(tmp_path):
    with pytest.raises(ValueError, match="no account is known as of 2020-06-01"):
        concentration(store(tmp_path, {}), AS_OF)


def test__concentration__window__is_what_is_asked_for(tmp_path):
    """Revenue of the last five days alone."""
    history = store(tmp_path, {"a": {"purchases": [line(10, days=4), line(90, days=6)]}})
    assert concentration(history, AS_OF, days=5).revenue == 10.0
    assert concentration(history, AS_OF, days=7).revenue == 100.0


def test__concentration__online_retail__as_plain_sql_says(tmp_path):
    """A real wholesaler: DuckDB over the file, sorted and added up, comes to the same."""
    if not RETAIL.is_file():
        pytest.skip(f"the Online Retail II data is not there: {RETAIL}")
    as_of = datetime(2011, 1, 1, tzinfo=UTC)
    history, source = History(tmp_path), Source("invoices", "purchases", RETAIL.name, RETAIL.parent, LINES)
    ingest(history, source, as_of=as_of + 365 * DAY, timezone="UTC", earliest=datetime(1970, 1, 1, tzinfo=UTC))
    report = concentration(history, as_of)
    net = duckdb.sql(f"""
        with source as (from '{RETAIL}'), lines as (select distinct * from ({LINES}) where occurred_at <= '2011-01-01')
        select account_id, coalesce(sum(amount) filter (occurred_at > timestamp '2011-01-01' - interval 365 days), 0) as net
        from lines group by all order by net desc, account_id""").df()
    share = net["net"].cumsum() / net["net"].sum()
    assert report.accounts == len(net)
    assert report.revenue == pytest.approx(net["net"].sum())
    assert [one.accounts for one in report.top] == [math.ceil(len(net) * p / 100) for p in (1, 5, 10, 20, 50)]
    assert [one.share for one in report.top] == pytest.approx([share[one.accounts - 1] for one in report.top])
    assert report.bring_most == int((share < 0.8).sum()) + 1
    assert [one.account_id for one in report.largest[:10]] == net["account_id"][:10].tolist()
    # Half the mean absolute difference between two accounts, relative to the mean: Gini's own definition.
    values = net["net"].to_numpy()
    assert report.gini == pytest.approx(np.abs(values[:, None] - values[None, :]).mean() / (2 * values.mean()))
    assert 0.6 < report.top[3].share < 0.9
