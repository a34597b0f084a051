"""How long ingest takes beside the least that it could do: DuckDB's plain `order by` written as Parquet.

    python benchmarks/ingest.py [--rows 2_000_000] [--repeat 3]

Each measurement runs in a process of its own, so that its peak memory is its own; the two ways take turns, and every
pair is printed. Answers are compared first. Only the writing is timed. On a machine that others use too, trust the
ratio of CPU seconds: wall time then says as much about the neighbours.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import duckdb

sys.path.insert(0, str(Path(__file__).parents[1]))

from measure import Line, Run, note

from features.history.ingest.ingestion import MEMORY_LIMIT, Source, ingest
from features.history.store import History

AS_OF, EARLIEST = datetime(2026, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)


def generate(path, rows):
    """Order lines of one account for every hundred, in no order, with event ids."""
    duckdb.execute(f"""copy (
        select 'A' || hash(i) % greatest({rows} // 100, 1) as account_id,
               make_timestamptz((1.6e15 + (hash(i + 7) % 100_000_000_000) * 1000)::bigint) as occurred_at,
               'O' || hash(i + 11) % greatest({rows} // 4, 1) as order_id, 'P' || hash(i + 5) % 5000 as product_id,
               'C' || hash(i + 5) % 40 as category, (1 + hash(i + 3) % 9)::double as quantity,
               (hash(i + 4) % 10_000) / 100.0 as amount, 'E' || i as event_id
        from range({rows}) r(i)) to '{path}' (format parquet)""")


def plain(folder, path):
    """The rival: sort by account and time, write Parquet, with the memory that ingest has."""
    config = {"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "spilled")}
    with duckdb.connect(config=config) as connection:
        query = f"select * from '{path}' order by account_id, occurred_at"
        connection.execute(f"copy ({query}) to '{folder}/sorted.parquet' (format parquet, compression zstd)")


def plain_answer(folder):
    ((rows, amount),) = duckdb.execute(f"select count(*), sum(amount) from '{folder}/sorted.parquet'").fetchall()
    return rows, amount


def ours(folder, path):
    source = Source("lines", "purchases", str(path))
    ingest(History(folder / "history"), source, as_of=AS_OF, timezone="Europe/London", earliest=EARLIEST)


def our_answer(folder):
    history = History(folder / "history")
    amounts = [history.read("purchases", bucket, ["amount"])["amount"].to_numpy() for bucket in range(history.buckets)]
    return sum(map(len, amounts)), sum(amount.sum() for amount in amounts)


WAYS = {"plain": (plain, plain_answer), "ours": (ours, our_answer)}


def measure(name, path):
    """Seconds, peak memory and answers of one way, in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--only", name, str(path)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def only(name, path):
    write, answer = WAYS[name]
    with tempfile.TemporaryDirectory() as folder:
        began, cpu_began = time.perf_counter(), time.process_time()
        write(Path(folder), path)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows, amount = answer(Path(folder))
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak, "rows": rows, "amount": float(amount)}))


def pair(path, rows):
    """One turn of each way, printed and given: the rival's, ours."""
    rival, ours_run = measure("plain", path), measure("ours", path)
    if ours_run["rows"] != rival["rows"] or abs(ours_run["amount"] / rival["amount"] - 1) > 1e-9:
        raise SystemExit(f"different answers: {rival} {ours_run}")
    print(
        f"{rows:>12,} rows   plain {rival['seconds']:6.1f} s wall {rival['cpu']:6.1f} s CPU {rival['peak_mb']:6,.0f} MB   "
        f"ingest {ours_run['seconds']:6.1f} s wall {ours_run['cpu']:6.1f} s CPU {ours_run['peak_mb']:6,.0f} MB   "
        f"ratio {ours_run['seconds'] / rival['seconds']:.2f} wall {ours_run['cpu'] / rival['cpu']:.2f} CPU",
        flush=True,
    )
    return rival, ours_run


def compare(rows, repeat):
    """The medians of each way: the rival's, ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.parquet"
        generate(path, rows)
        turns = zip(*(pair(path, rows) for _ in range(repeat)), strict=True)
        return [medians(list(turn)) for turn in turns]


def medians(turns):
    seconds, peak, cpu = (statistics.median(turn[key] for turn in turns) for key in ("seconds", "peak_mb", "cpu"))
    return Run(seconds, peak, cpu_seconds=cpu)


def lines(runs, tenth):
    """Growth is that of CPU seconds, as is the ratio that counts on a busy machine."""
    plain, _ = runs
    return [
        Line(
            name, run.seconds, run.seconds / plain.seconds, run.peak_mb, run.cpu_seconds / small.cpu_seconds,
            run.cpu_seconds, f"{run.cpu_seconds / plain.cpu_seconds:.2f} times the CPU",
        )
        for name, run, small in zip(("DuckDB, order by to Parquet", "foresail, ingest"), runs, tenth, strict=True)
    ]  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        only(arguments.only[0], Path(arguments.only[1]))
        return
    tenth, whole = (compare(rows, arguments.repeat) for rows in (arguments.rows // 10, arguments.rows))
    note("ingest", f"Ingest: {arguments.rows:,} rows of Parquet to a committed history", lines(whole, tenth))


if __name__ == "__main__":
    main()
