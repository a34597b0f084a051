"""The simulated company: how long it takes to make one, how much memory, and how both grow with the number of accounts.

    python benchmarks/simulate.py [--accounts 100_000] [--moments 90 0] [--days 731]

There is no peer that makes such a company. What it is measured by is the least that any maker of the same files must do: pyarrow
reading them and writing them again. The answer is checked first: a tenth of the accounts, simulated alone, live the same histories.
"""

import argparse
import shutil

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from measure import BENCH, Line, measured, note

from foresail.simulation.company import simulate, write_company
from foresail.simulation.world.settings import Settings

FOLDER = BENCH / "simulated"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=731)
    parser.add_argument(
        "--moments", type=int, nargs="*", default=[90, 0], help="for which the truth is told, days before the end"
    )
    arguments = parser.parse_args()
    check()
    lines, before = [], None
    for accounts in (arguments.accounts // 10, arguments.accounts):
        run = measured(make, accounts, arguments.days, arguments.moments, repeats=1)
        copied = measured(copy, repeats=1)
        growth = run.seconds / before if before else None
        rows = f"{run.answer:,} rows"
        lines.append(
            Line(f"foresail, {accounts:,} accounts", run.seconds, 1.0, run.peak_mb, growth, run.cpu_seconds, rows)
        )
        ratio = copied.seconds / run.seconds
        lines.append(
            Line(
                "pyarrow, the same files read and written",
                copied.seconds,
                ratio,
                copied.peak_mb,
                None,
                copied.cpu_seconds,
            )
        )
        before = run.seconds
    note(
        "simulate",
        f"A simulated company of {arguments.days} days, truth told for {len(arguments.moments)} moments",
        lines,
    )
    shutil.rmtree(FOLDER, ignore_errors=True)


def check() -> None:
    """An account has the same history in a larger company."""
    small, large = (simulate(Settings.of({"company": {"accounts": size}}), 0, 200) for size in (200, 2000))
    if small.events.tobytes() != large.events.tobytes():
        raise SystemExit("an account's history depends on how many others there are")


def make(accounts: int, days: int, moments: list[int]) -> int:
    """Write a company; the number of its rows."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    settings = Settings.of({"company": {"accounts": accounts, "days": days}, "truth": {"days_before_end": moments}})
    return int(write_company(settings, FOLDER / "company", FOLDER / "truth").rows.total())


def copy() -> None:
    """Read every CSV and Parquet file of the company and write it again, one after the other."""
    target = FOLDER / "copy"
    target.mkdir(exist_ok=True)
    for path in sorted((FOLDER / "company" / "data").rglob("*.*")):
        if path.suffix == ".parquet":
            pq.write_table(pq.read_table(path), target / path.name, compression="zstd")
        elif path.suffix == ".csv":
            pa_csv.write_csv(pa_csv.read_csv(path), target / path.name)


if __name__ == "__main__":
    main()
