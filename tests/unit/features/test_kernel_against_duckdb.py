"""Every stat of the kernel equals DuckDB's, on random histories with late arrivals and missing values."""

from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pytest
from histories import AS_OF
from storing import store

from features.definitions import Feature, Stat, events
from features.engine.table import build_feature_table

DATES = [AS_OF - timedelta(days=60), AS_OF]
WINDOWS = (7, 30, 365)
lines = events("purchases")
PRODUCT_SUMS = [f"sum(quantity) filter ({{inside}} and product_id = 'p{number}')" for number in range(6)]
# Each stat as we declare it over a window, and as DuckDB says it over the rows that `inside` lets through.
BOTH = {
    Stat.COUNT: (lambda over: lines.count(**over), "count(*) filter ({inside})"),
    Stat.SUM: (lambda over: lines.sum("quantity", **over), "coalesce(sum(quantity) filter ({inside}), 0)"),
    Stat.MEAN: (lambda over: lines.mean("quantity", **over), "avg(quantity) filter ({inside})"),
    Stat.STD: (lambda over: lines.std("quantity", **over), "stddev_samp(quantity) filter ({inside})"),
    Stat.MIN: (lambda over: lines.min("amount", **over), "min(amount) filter ({inside})"),
    Stat.MAX: (lambda over: lines.max("amount", **over), "max(amount) filter ({inside})"),
    Stat.FIRST: (lambda over: lines.first("amount", **over), "arg_min(amount, occurred_at) filter ({inside})"),
    Stat.LAST: (lambda over: lines.last("amount", **over), "arg_max(amount, occurred_at) filter ({inside})"),
    Stat.DISTINCT: (lambda over: lines.distinct("product_id", **over), "count(distinct product_id) filter ({inside})"),
    Stat.DAYS_SINCE_FIRST: (lambda over: lines.days_since_first(**over), "max({age}) filter ({inside})"),
    Stat.DAYS_SINCE_LAST: (lambda over: lines.days_since_last(**over), "min({age}) filter ({inside})"),
    # No gap is shorter than an occasion here, so that SQL need not walk from one occasion to the next.
    Stat.GAP_MEAN: (lambda over: lines.gap_mean(same_occasion_days=0, **over), "avg({gap}) filter ({inside} and {paired})"),
    Stat.GAP_STD: (
        lambda over: lines.gap_std(same_occasion_days=0, **over), "stddev_samp({gap}) filter ({inside} and {paired})"
    ),
    Stat.GAP_MEDIAN: (
        lambda over: lines.gap_median(same_occasion_days=0, **over), "median({gap}) filter ({inside} and {paired})"
    ),
    Stat.GAP_MAX: (lambda over: lines.gap_max(same_occasion_days=0, **over), "max({gap}) filter ({inside} and {paired})"),
    Stat.QUANTILE: (
        lambda over: lines.quantile("quantity", 0.3, **over), "quantile_cont(quantity, 0.3) filter ({inside})"
    ),
    Stat.LARGEST_SHARE: (
        lambda over: lines.largest_share("quantity", "product_id", **over),
        f"greatest({', '.join(PRODUCT_SUMS)}) / sum(quantity) filter ({{inside}} and product_id is not null)",
    ),
    Stat.SLOPE: (
        lambda over: lines.slope("amount", **over),
        "case when count(*) filter ({inside}) > 1 then regr_slope(amount, -{age}) filter ({inside}) end",
    ),
    Stat.DECAYED_SUM: (
        lambda over: lines.decayed_sum("amount", half_life_days=20, **over),
        "coalesce(sum(amount * pow(0.5, {age} / 20)) filter ({inside}), 0)",
    ),
}  # fmt: skip
FEATURES = [
    Feature(f"{stat.name}_{days}".lower(), declare({"days": days}), "", "", "")
    for stat, (declare, _) in BOTH.items()
    for days in WINDOWS
]


def random_lines(seed, accounts=25, most=40):
    """Lines of accounts with none to many of them, no two of an account at once, a quarter of them reported late."""
    random = np.random.default_rng(seed)
    return {
        f"a{account}": [
            {
                "occurred_at": AS_OF - timedelta(seconds=int(second)),
                "known_at": AS_OF - timedelta(seconds=int(second)) + timedelta(days=late),
                "kind": "order",
                "amount": round(float(random.normal(100, 50)), 2),
                "quantity": float(random.integers(1, 9)) if random.random() < 0.8 else None,
                "product_id": f"p{random.integers(6)}" if random.random() < 0.8 else None,
            }
            for second, late in zip(
                random.choice(450 * 86_400, size=random.integers(1, most), replace=False),
                random.choice([0.0, 0.0, 0.0, 45.0], size=most),
                strict=False,
            )
        ]
        for account in range(accounts)
    }


def by_duckdb(history, as_of):
    """One query: what is known at as_of, each line beside the one before it."""
    known = pd.DataFrame([line | {"account_id": account} for account, own in history.items() for line in own])
    columns = []
    for stat, (_, sql) in BOTH.items():
        for days in WINDOWS:
            start = f"timestamptz '{as_of - timedelta(days=days)}'"
            parts = {
                "inside": f"where occurred_at > {start}",
                "paired": f"before > {start}",
                "age": "age",
                "gap": "gap",
            }
            columns.append(f"({sql.format(**parts)})::double as {stat.name}_{days}".lower())
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.register("lines", known)
    return (
        connection.sql(f"""
        with seen as (
            select *, lag(occurred_at) over (partition by account_id order by occurred_at) as before,
                epoch(occurred_at - before) / 86400 as gap, epoch(timestamptz '{as_of}' - occurred_at) / 86400 as age
            from lines where known_at <= timestamptz '{as_of}'
        )
        select account_id, {", ".join(columns)} from seen group by account_id order by account_id
    """)
        .to_arrow_table()
        .to_pandas()
        .set_index("account_id")
    )


def test__comparison__covers_every_stat():
    """A stat that DuckDB is not asked about is not compared."""
    assert set(BOTH) == set(Stat)


@pytest.mark.parametrize("seed", range(6))
def test__every_stat__random_histories__equals_duckdb(tmp_path, seed):
    """Twenty-five accounts, three windows, two dates: NaN where DuckDB has null, the same number elsewhere."""
    history = random_lines(seed)
    table = build_feature_table(
        store(tmp_path, {one: {"purchases": own} for one, own in history.items()}), DATES, FEATURES
    )
    for as_of in DATES:
        expected, got = by_duckdb(history, as_of), table.xs(as_of, level="as_of")
        assert got.index.tolist() == expected.index.tolist()
        for name in got.columns:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-7, atol=1e-7, err_msg=f"{name} at {as_of}")
