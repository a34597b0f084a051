"""One account of 200 events over all streams, the whole catalog: what a request for scores has to wait for.

    python benchmarks/one_account.py

`events in memory` goes from the account's events to its row; of that, `the kernel alone` is the compiled code, called
again with what it was called with. `events as dictionaries` makes the events first, as a request that brings them does.
`an account state` begins with the bytes that the operational database holds, as the service does. All rows are compared first, bit for bit. DuckDB is asked
for 12 stats of the order lines in one window only, on a table in memory.
"""

import argparse
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import duckdb
import numpy as np
from generate import LAST, one_account
from measure import Line, measured, note

from features.catalog import CATALOG
from features.engine import kernel
from features.engine.account_state import BucketStates, State
from features.engine.events import Events
from features.engine.state_packing import layout_of, pack_state
from features.engine.table import build_feature_row, one_row
from features.history.store import History
from features.history.streams import STREAMS

ACCOUNT = "A00000000"
BATCHES, CALLS = 15, 200
SQL = """select count(*), sum(amount), avg(amount), stddev_samp(amount), min(amount), max(amount), sum(quantity),
    max(quantity), count(distinct category), arg_min(amount, occurred_at), arg_max(amount, occurred_at),
    sum(amount * quantity) from lines where occurred_at > timestamptz '2023-01-01' and occurred_at <= timestamptz '2024-01-01'"""
IN_MEMORY, KERNEL, AS_ROWS, STATE = (
    "events in memory",
    "  the kernel alone",
    "events as dictionaries",
    "an account state",
)


def microseconds(events: int) -> dict[str, tuple[float, float]]:
    """Of each way the µs of one call, and the KB that it holds at its peak."""
    history = one_account(events)
    bucket = history.bucket_of(ACCOUNT)
    ((_, _, state),) = BucketStates.of(history, bucket)
    layout = layout_of(CATALOG.plan)
    rows = {stream: plain_rows(history, stream, bucket) for stream in history.versions()}
    events_in_memory = Events.from_rows(rows, ACCOUNT)
    ways = {
        IN_MEMORY: lambda: build_feature_row(events_in_memory, LAST, CATALOG),
        KERNEL: recorded_kernel(events_in_memory),
        AS_ROWS: lambda: build_feature_row(Events.from_rows(rows), LAST, CATALOG),
        STATE: lambda: one_row(pack_state(State(state), layout), CATALOG.plan.program, LAST),
    }
    assert_same_bits(*(ways[way]() for way in (IN_MEMORY, AS_ROWS, STATE)))
    lines = history.read("purchases", bucket, ["occurred_at", "amount", "quantity", "category"])
    with duckdb.connect() as connection:
        connection.register("arrow", lines)
        connection.execute("create table lines as from arrow")
        ways["DuckDB, 12 stats of one window"] = lambda: connection.execute(SQL).fetchone()
        return {name: (timed(work), allocated(work)) for name, work in ways.items()}


def plain_rows(history: History, stream: str, bucket: int) -> list[dict[str, Any]]:
    names = [column.name for column in STREAMS[stream].columns]
    return history.read(stream, bucket, names).to_pylist()


def recorded_kernel(events: Events) -> Callable[[], object]:
    """The compiled code, called again with the arguments of a real call."""
    compiled, calls = kernel.fill, []
    kernel.fill = lambda *arguments: calls.append(arguments) or compiled(*arguments)
    try:
        build_feature_row(events, LAST, CATALOG)
    finally:
        kernel.fill = compiled
    ((arguments),) = calls
    return lambda: compiled(*arguments)


def assert_same_bits(*rows: np.ndarray) -> None:
    for row in rows[1:]:
        assert row.tobytes() == rows[0].tobytes(), f"{(row != rows[0]).sum()} of {row.size} features differ"


def timed(work: Callable[[], object]) -> float:
    """Median µs of a call, over batches."""
    for _ in range(CALLS):
        work()
    return statistics.median(_batch(work) for _ in range(BATCHES))


def _batch(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(CALLS):
        work()
    return (time.perf_counter() - start) / CALLS * 1e6


def allocated(work: Callable[[], object]) -> float:
    """KB at the peak of one call; numpy reports its arrays to tracemalloc as well, Arrow and DuckDB do not."""
    work()
    tracemalloc.start()
    work()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=200)
    events = arguments.parse_args().events
    tenfold, answers = (measured(microseconds, count, repeats=1).answer for count in (events * 10, events))
    base = answers[IN_MEMORY][0]
    lines = [
        Line(name, us / 1e6, us / base, None, tenfold[name][0] / us, note=f"{us:,.1f} µs, {kb:,.0f} KB at its peak")
        for name, (us, kb) in answers.items()
    ]
    note("one_account", f"One account, {events} events, {len(CATALOG)} features; all rows equal, bit for bit", lines)


if __name__ == "__main__":
    main()
