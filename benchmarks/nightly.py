"""The nightly shape: the whole catalog for every account at one date, beside pyarrow merely reading and writing as much.

    python benchmarks/nightly.py [--events 20_000_000]

An account for every twenty events, over all streams. The rival computes nothing: it reads the columns that the catalog
needs from the same files of the history, and writes the finished table. It reads text as dictionaries, which is the faster way.
What it writes is compared with what we wrote, and so is the number of rows that it read.
"""

import argparse
import functools
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from generate import EVENTS_EACH_AT_NIGHT, LAST, company
from measure import Line, Run, measured, note, repeated

from features.catalog import CATALOG
from features.engine.table import build_feature_table
from features.history.store import History
from features.history.streams import STREAMS
from foresail.operations.features import write_table

SHARED = ("account_id", "occurred_at", "known_at")


def ours(root: str, out: str) -> int:
    """From the history on disk to the table on disk."""
    table = build_feature_table(History(root), LAST, CATALOG)
    write_table(table, Path(out))
    return len(table)


def in_memory(root: str) -> int:
    """From the history on disk to the matrix in memory."""
    return len(build_feature_table(History(root), LAST, CATALOG))


def read(root: str) -> int:
    """The rows of all streams, in the columns that the catalog needs."""
    history = History(root)
    return sum(table.num_rows for stream in history.versions() for table in _tables(history, stream))


def write(finished: pa.Table, out: str) -> int:
    pq.write_table(finished, out)
    return finished.num_rows


def write_alone(out: str) -> Run:
    """Writing is measured without the reading of what is to be written."""
    finished = pq.read_table(out)
    return replace(repeated(functools.partial(write, finished, f"{out}.again")), answer=finished.num_rows)


def _tables(history: History, stream: str):
    columns = [*SHARED, *CATALOG.plan.streams.get(stream, ())]
    texts = [column.name for column in STREAMS[stream].columns if column.type == "text"]
    for file in history.snapshot(stream).files:
        with pq.ParquetFile(f"{history.uri(stream)}/{file.path}", read_dictionary=texts, pre_buffer=True) as parquet:
            present = [name for name in dict.fromkeys(columns) if name in parquet.schema_arrow.names]
            yield parquet.read(columns=present)


def compare(events: int, folder: str) -> dict[str, Run]:
    """Every run with `events` events; the table that was written holds what is in memory."""
    root, out = company(events).root, f"{folder}/{events}.parquet"
    runs = {
        "foresail, history to Parquet": measured(ours, root, out),
        "foresail, history to memory": measured(in_memory, root),
        "pyarrow, reading the same columns": measured(read, root),
        "pyarrow, writing the same table": measured(write_alone, out, repeats=1).answer,
    }
    assert_same_work(root, out, events, runs)
    return runs


def assert_same_work(root: str, out: str, events: int, runs: dict[str, Run]) -> None:
    """The rival read every event and wrote our table; ours has a row for each account."""
    history = History(root)
    stored = sum(history.snapshot(stream).rows for stream in history.versions())
    assert runs["pyarrow, reading the same columns"].answer == stored == events
    pd.testing.assert_frame_equal(pd.read_parquet(out), pd.read_parquet(f"{out}.again"))
    assert runs["foresail, history to Parquet"].answer == runs["pyarrow, writing the same table"].answer


def lines(runs: dict[str, Run], tenth: dict[str, Run]) -> list[Line]:
    bare = Run(
        sum(runs[who].seconds for who in runs if "pyarrow" in who),
        max(runs[who].peak_mb for who in runs if "pyarrow" in who),
    )
    bare_tenth = sum(tenth[who].seconds for who in tenth if "pyarrow" in who)
    shown = [
        Line(
            who, run.seconds, run.seconds / bare.seconds, run.peak_mb, run.seconds / tenth[who].seconds, run.cpu_seconds
        )
        for who, run in runs.items()
    ]
    return [Line("pyarrow, both", bare.seconds, 1.0, bare.peak_mb, bare.seconds / bare_tenth), *shown]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=2_000_000)
    events = arguments.parse_args().events
    with tempfile.TemporaryDirectory() as folder:
        tenth, runs = (compare(count, folder) for count in (events // 10, events))
    shape = f"{events:,} events, {events // EVENTS_EACH_AT_NIGHT:,} accounts, one date, {len(CATALOG)} features"
    note("nightly", f"Nightly shape: {shape}; ratio to pyarrow's reading and writing", lines(runs, tenth))


if __name__ == "__main__":
    main()
