"""The catalog on real, messy data equals what SQL says, written by hand from the features' meanings."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest

from features.catalog import named
from features.engine.table import build_feature_table
from features.history.ingest.ingestion import Source, ingest
from features.history.store import History

DATA = Path(__file__).parents[4] / "shared" / "data" / "online_retail" / "online_retail.parquet"
pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"real data is not there: {DATA}")

SELECT = """
    select "Customer ID"::text as account_id, InvoiceDate as occurred_at, Invoice as order_id, StockCode as product_id,
        Country as channel, Quantity as quantity, Quantity * Price as amount
    from source where "Customer ID" is not null
"""
AS_OF = [datetime(2010, 7, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC)]

ORDERS = "kind = 'order'"
D30, D90, D365 = (f"{ORDERS} and occurred_at > as_of - interval {days} day" for days in (30, 90, 365))
BEFORE = f"{ORDERS} and occurred_at <= as_of - interval 90 day and occurred_at > as_of - interval 180 day"
BEFORE_THAT = f"{ORDERS} and occurred_at <= as_of - interval 180 day and occurred_at > as_of - interval 270 day"
YEAR_BEFORE = f"{ORDERS} and occurred_at <= as_of - interval 90 day and occurred_at > as_of - interval 455 day"
SQL = {
    "purchases_days_since_last": f"epoch(as_of - max(occurred_at) filter ({ORDERS})) / 86400",
    "purchases_days_since_first": f"epoch(as_of - min(occurred_at) filter ({ORDERS})) / 86400",
    "purchases_orders_distinct": f"count(distinct order_id) filter ({ORDERS})",
    "purchases_orders_distinct_30d": f"count(distinct order_id) filter ({D30})",
    "purchases_orders_distinct_365d": f"count(distinct order_id) filter ({D365})",
    "purchases_amount_sum_90d": f"coalesce(sum(amount) filter ({D90}), 0)",
    "purchases_amount_std_365d": f"stddev_samp(amount) filter ({D365})",
    "purchases_amount_max_365d": f"max(amount) filter ({D365})",
    "purchases_quantity_sum_90d": f"coalesce(sum(quantity) filter ({D90}), 0)",
    "purchases_products_distinct_365d": f"count(distinct product_id) filter ({D365})",
    "purchases_returns_count_365d": "count(*) filter (kind = 'return' and occurred_at > as_of - interval 365 day)",
    "purchases_days_since_return": "epoch(as_of - max(occurred_at) filter (kind = 'return')) / 86400",
    "purchases_amount_decayed_sum": f"""coalesce(
        sum(amount * pow(0.5, epoch(as_of - occurred_at) / 86400 / 90)) filter ({ORDERS}), 0)""",
    "purchases_amount_trend_90d": f"""(coalesce(sum(amount) filter ({D90}), 0) - coalesce(sum(amount) filter ({BEFORE}), 0))
        / nullif(coalesce(sum(amount) filter ({D90}), 0) + coalesce(sum(amount) filter ({BEFORE}), 0), 0)""",
    "purchases_amount_slope_365d": f"regr_slope(amount, epoch(occurred_at - as_of) / 86400) filter ({D365})",
    "purchases_active_life_share": f"""epoch(max(occurred_at) filter ({ORDERS}) - min(occurred_at) filter ({ORDERS}))
        / nullif(epoch(as_of - min(occurred_at) filter ({ORDERS})), 0)""",
    "purchases_amount_per_year_mean": f"""sum(amount) filter ({ORDERS})
        / greatest(epoch(as_of - min(occurred_at) filter ({ORDERS})) / 86400, 90) * 365""",
    "purchases_net_amount_sum_365d": "coalesce(sum(amount) filter (occurred_at > as_of - interval 365 day), 0)",
    "purchases_amount_median_365d": f"median(amount) filter ({D365})",
    "purchases_order_amount_ratio_90d": f"""(sum(amount) filter ({D90}) / count(distinct order_id) filter ({D90}))
        / nullif(sum(amount) filter ({D365}) / count(distinct order_id) filter ({D365}), 0)""",
    "purchases_silent_90d_lag90d": f"(count(*) filter ({BEFORE}) = 0)::int",
    "purchases_products_new_90d": f"""len(list_filter(
        list_distinct(coalesce(list(product_id) filter ({D90}), [])),
        lambda product: not list_contains(coalesce(list(product_id) filter ({YEAR_BEFORE}), []), product)))""",
    "purchases_price_ratio_90d": f"""(sum(amount) filter ({D90} and quantity >= 0) / nullif(sum(quantity) filter ({D90} and quantity >= 0), 0))
        / nullif(sum(amount) filter ({YEAR_BEFORE} and quantity >= 0)
            / nullif(sum(quantity) filter ({YEAR_BEFORE} and quantity >= 0), 0), 0)""",
    "purchases_product_largest_share_365d": f"""list_max(map_values(map_from_entries(list_transform(
            list_distinct(list(product_id) filter ({D365})),
            lambda product: {{'k': product, 'v': list_sum(list_transform(
                list_filter(list({{'p': product_id, 'a': amount}}) filter ({D365}), lambda line: line.p = product), lambda line: line.a))}}))))
        / nullif(sum(amount) filter ({D365}), 0)""",
    "signal_purchases_down_two_quarters": f"""(
        coalesce(sum(amount) filter ({D90}), 0) < coalesce(sum(amount) filter ({BEFORE}), 0)
        and coalesce(sum(amount) filter ({BEFORE}), 0) < coalesce(sum(amount) filter ({BEFORE_THAT}), 0))::int""",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    history = History(tmp_path_factory.mktemp("history"), buckets=3)
    bounds = {
        "as_of": datetime(2012, 1, 1, tzinfo=UTC),
        "timezone": "UTC",
        "earliest": datetime(2000, 1, 1, tzinfo=UTC),
    }
    report = ingest(history, Source("retail", "purchases", str(DATA), select=SELECT), **bounds)
    assert report.quarantined == 0
    return history


def by_sql():
    """One query over the file itself, duplicates dropped as a set drops them."""
    columns = ", ".join(f"({expression})::double as {name}" for name, expression in SQL.items())
    dates = ", ".join(f"(timestamptz '{moment}')" for moment in AS_OF)
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    return (
        connection.sql(f"""
        with lines as (
            select distinct account_id, occurred_at::timestamptz as occurred_at, order_id, product_id, channel, quantity, amount,
                case when amount < 0 or quantity < 0 then 'return' else 'order' end as kind
            from ({SELECT.replace("from source", f"from '{DATA}'")})
        )
        select account_id, as_of, {columns} from lines, (values {dates}) as dates(as_of)
        where occurred_at <= as_of group by account_id, as_of order by account_id, as_of""")
        .to_arrow_table()
        .to_pandas()
    )


def test__catalog__online_retail__equals_sql(history):
    """543,768 lines of 4,000 accounts at two moments: every value of every feature that SQL can say."""
    table = build_feature_table(history, AS_OF, named(list(SQL)))
    expected = by_sql()
    assert len(expected) == len(table) > 6000
    assert expected["account_id"].tolist() == table.index.get_level_values("account_id").tolist()
    for name in SQL:
        np.testing.assert_allclose(
            table[name].to_numpy(), expected[name].to_numpy(float), rtol=1e-6, atol=1e-6, err_msg=name
        )
