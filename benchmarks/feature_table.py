"""The training shape: windowed aggregates of many accounts at many dates, us beside DuckDB and pandas on the same files.

    python benchmarks/feature_table.py --events 2_000_000

Every rival gets the form that suits it best among those tried: DuckDB one query per date with FILTER, pandas one
groupby per date and window. Answers are compared before any time is printed.
"""

import argparse
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
from measure import Run, measured, table

from features.definitions import Feature, events
from features.events import Events
from features.history import History
from features.ingest import Source, ingest
from features.table import build_feature_row, build_feature_table

WINDOWS = (30, 90, 180, 365, 730)
LAST = datetime(2024, 1, 1, tzinfo=UTC)
DATES = [LAST - timedelta(days=30 * month) for month in range(24)]
lines = events("purchases")
FEATURES = [
    Feature(f"{name}_{days}", declare(days), "", "", "")
    for days in WINDOWS
    for name, declare in {
        "n": lambda days: lines.count(days=days),
        "sum": lambda days: lines.sum("amount", days=days),
        "mean": lambda days: lines.mean("amount", days=days),
        "std": lambda days: lines.std("amount", days=days),
        "min": lambda days: lines.min("amount", days=days),
        "max": lambda days: lines.max("amount", days=days),
        "pieces": lambda days: lines.sum("quantity", days=days),
        "categories": lambda days: lines.distinct("category", days=days),
    }.items()
]
SQL = {
    "n": "count(*)", "sum": "sum(amount)", "mean": "avg(amount)", "std": "stddev_samp(amount)", "min": "min(amount)",
    "max": "max(amount)", "pieces": "sum(quantity)", "categories": "count(distinct category)",
}  # fmt: skip


def generate(folder: Path, count: int) -> tuple[str, History]:
    """Two years and more of events of `count` / 100 accounts, as one sorted Parquet file and as a history."""
    path = str(folder / f"events-{count}.parquet")
    duckdb.execute(f"""
        copy (select 'a' || (hash(i) % {max(count // 100, 1)}) as account_id,
                make_timestamptz({int(LAST.timestamp())}000000 - (hash(i + 1) % 63072000)::bigint * 1000000) as occurred_at,
                (hash(i + 2) % 100000) / 100.0 as amount, (hash(i + 3) % 20 + 1)::double as quantity,
                'c' || (hash(i + 4) % 30) as category, i::varchar as event_id
            from range({count}) r(i) order by account_id, occurred_at) to '{path}' (format parquet)""")
    history = History(folder / f"history-{count}")
    ingest(
        history,
        Source("events", "purchases", path),
        as_of=LAST,
        timezone="UTC",
        earliest=datetime(2000, 1, 1, tzinfo=UTC),
    )
    return path, history


def ours(history: History) -> pd.DataFrame:
    return build_feature_table(history, DATES, FEATURES)


def with_duckdb(path: str) -> pd.DataFrame:
    """A query per date; a range join of all dates at once took longer and several times the memory."""
    columns = ", ".join(
        f"{sql} filter (occurred_at > d - interval {days} day) as {name}_{days}"
        for days in WINDOWS
        for name, sql in SQL.items()
    )
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    parts = [
        connection.execute(f"""
            with known as (select *, timestamptz '{date}' as d from '{path}' where occurred_at <= timestamptz '{date}')
            select account_id, d as as_of, {columns} from known group by all""").df()
        for date in DATES
    ]
    return pd.concat(parts)


def with_pandas(path: str) -> pd.DataFrame:
    known = pd.read_parquet(path)
    parts = []
    for date in DATES:
        seen = known[known.occurred_at <= date]
        by_window = [_one_window(seen, date, days) for days in WINDOWS]
        parts.append(pd.concat(by_window, axis=1).assign(as_of=date))
    return pd.concat(parts).rename_axis("account_id").reset_index()


def _one_window(seen: pd.DataFrame, date: datetime, days: int) -> pd.DataFrame:
    grouped = seen[seen.occurred_at > date - timedelta(days=days)].groupby("account_id")
    amounts = grouped.amount.agg(["count", "sum", "mean", "std", "min", "max"])
    amounts.columns = ["n", "sum", "mean", "std", "min", "max"]
    amounts["pieces"], amounts["categories"] = grouped.quantity.sum(), grouped.category.nunique()
    return amounts.add_suffix(f"_{days}")


def assert_agree(mine: pd.DataFrame, theirs: pd.DataFrame, who: str) -> None:
    """Every value of every row agrees; empty windows are 0 or NaN with us, null or no row with them."""
    other = theirs.set_index(["account_id", "as_of"])[mine.columns]
    other.index = other.index.set_levels(pd.DatetimeIndex(other.index.levels[1]).as_unit("us"), level=1)
    other = other.reindex(mine.index)
    zero = [name for name in mine.columns if name.split("_")[0] in ("n", "sum", "pieces", "categories")]
    other[zero] = other[zero].fillna(0.0)
    np.testing.assert_allclose(mine.to_numpy(), other.to_numpy(dtype=float), rtol=1e-7, atol=1e-6, err_msg=who)


def one_account() -> int:
    """The whole catalog for one account of 100 events, a thousand times over."""
    rows = [
        {"occurred_at": LAST - timedelta(days=n), "known_at": LAST - timedelta(days=n), "kind": "order",
         "order_id": str(n), "product_id": str(n % 7), "amount": float(n)}
        for n in range(100)
    ]  # fmt: skip
    account = Events.from_rows({"purchases": rows})
    for _ in range(1000):
        build_feature_row(account, LAST)
    return len(rows)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--events", type=int, default=1_000_000)
    count = arguments.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        path, history = generate(Path(folder), count)
        _, tenth = generate(Path(folder), count // 10)
        runs: dict[str, Run] = {
            "foresail": measured(ours, history),
            "duckdb": measured(with_duckdb, path, repeats=1),
            "pandas": measured(with_pandas, path, repeats=1),
        }
        for rival in ("duckdb", "pandas"):
            assert_agree(runs["foresail"].answer, runs[rival].answer, rival)
        shape = runs["foresail"].answer.shape
        title = f"{count:,} events, {count // 100:,} accounts, {len(DATES)} dates, {len(FEATURES)} aggregates: {shape[0]:,} rows"
        table(f"{title}; all agree", runs, "foresail")
        growth = runs["foresail"].seconds / measured(ours, tenth).seconds
        print(f"ten times the events take {growth:.1f} times as long")
        print(f"one account, whole catalog: {measured(one_account).seconds * 1000:.0f} µs")


if __name__ == "__main__":
    main()
