"""Every benchmark, one after the other, and one table of what they found.

    python benchmarks [--events 20_000_000]

Without `--events` the shapes have 2 million, which takes a quarter of an hour on two cores; the goals speak of 20 million,
which takes some hours and 20 GB of disk, most of both for the rivals.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from generate import EVENTS_EACH_AT_NIGHT
from measure import BENCH, Line, print_lines

HERE = Path(__file__).parent
SIZED = ("feature_table", "nightly")
INGESTED = ("ingest",)
OTHERS = (
    "one_account",
    "own_work",
    "startup",
    "fit_and_score",
    "serve",
    "accuracy",
    "simulate",
    "uplift",
    "allocation",
    "dispatch",
    "loop",
)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=2_000_000, help="events of the shapes, and rows of the ingest")
    size = str(arguments.parse_args().events)
    for old in (BENCH / "results").glob("*.json"):
        old.unlink()
    failed = [name for name, flags in commands(size) if not run(name, flags)]
    summary()
    if failed:
        raise SystemExit(f"not finished: {', '.join(failed)}")


def commands(size: str) -> list[tuple[str, list[str]]]:
    sized = [(name, ["--events", size]) for name in SIZED]
    night = ("night", ["--accounts", str(int(size) // EVENTS_EACH_AT_NIGHT)])
    return [*sized, night, *((name, ["--rows", size]) for name in INGESTED), *((name, []) for name in OTHERS)]


def run(name: str, flags: list[str]) -> bool:
    print(f"\n== benchmarks/{name}.py {' '.join(flags)}".rstrip(), flush=True)
    return subprocess.run([sys.executable, HERE / f"{name}.py", *flags], check=False).returncode == 0


def summary() -> None:
    """What was noted, table after table, in the order in which it was measured."""
    print("\n== All that was found. Ratio: how many times the first line's time; growth: ten times the input.")
    for path in sorted((BENCH / "results").glob("*.json"), key=lambda path: path.stat().st_mtime):
        found = json.loads(path.read_text())
        print_lines(found["title"], [Line(**line) for line in found["lines"]])


if __name__ == "__main__":
    main()
