"""How long people wait before anything happens: `foresail --help`, and the first row of features in a fresh process.

    python benchmarks/startup.py

The kernel is compiled once and kept on disk; with an empty cache the first call pays for compiling it. The rival of
`foresail --help` is Python starting and importing typer, which it is written with.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Line, note

FORESAIL = Path(sys.executable).with_name("foresail")
FIRST_ROW = (
    "from datetime import UTC, datetime; from features.engine.events import Events; from features.engine.table import build_feature_row;"
    "print(build_feature_row(Events.from_rows({}), datetime(2024, 1, 1, tzinfo=UTC)).tobytes().hex())"
)
IMPORTS = FIRST_ROW.rsplit(";", 1)[0]
REPEATS = 5


def seconds(command: list[str | Path], cache: str, repeats: int = REPEATS) -> tuple[float, str]:
    """Median wall time of a command, and what it printed."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | {"NUMBA_CACHE_DIR": cache}
        )
        taken.append(time.perf_counter() - start)
    return statistics.median(taken), done.stdout


def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        cold, compiled = seconds([sys.executable, "-c", FIRST_ROW], cache, repeats=1)
        warm, loaded = seconds([sys.executable, "-c", FIRST_ROW], cache)
        assert compiled == loaded, "the kernel answers otherwise when it comes from the cache"
        imported, _ = seconds([sys.executable, "-c", IMPORTS], cache)
        help_, text = seconds([FORESAIL, "--help"], cache)
        assert "ingest" in text
        bare, _ = seconds([sys.executable, "-c", "import typer.rich_utils"], cache)
    lines = [
        Line("python, importing typer", bare, 1.0),
        Line("foresail --help", help_, help_ / bare),
        Line("first row, kernel cache cold", cold, cold / bare),
        Line("first row, kernel cache warm", warm, warm / bare),
        Line("  of that, imports", imported, imported / bare),
    ]
    note("startup", "Start-up: a fresh process each time", lines)


if __name__ == "__main__":
    main()
