"""How every benchmark measures: each run in a process of its own, seconds as medians, memory as that process's peak."""

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """Median seconds of the repeats, peak resident memory (MB) beyond what the process had before, and the answer."""

    seconds: float
    peak_mb: float
    answer: Any


def measured(work: Callable[..., Any], *arguments: Any, repeats: int = 3) -> Run:
    """Run `work(*arguments)` in a fresh process: once to warm up (caches, compilation), then `repeats` times."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_repeat, (work, arguments, repeats))


def _repeat(work: Callable[..., Any], arguments: tuple[Any, ...], repeats: int) -> Run:
    Path("/proc/self/clear_refs").write_text("5")  # begin the peak anew
    before = _resident_mb("VmRSS")
    answer = work(*arguments)
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work(*arguments)
        seconds.append(time.perf_counter() - start)
    return Run(statistics.median(seconds), _resident_mb("VmHWM") - before, answer)


def _resident_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process. Not ru_maxrss: a child inherits its parent's."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def table(title: str, runs: dict[str, Run], ours: str) -> None:
    """Print who, seconds, ratio to us, and peak memory."""
    print(f"\n{title}")
    print(f"{'':<28}{'seconds':>10}{'ratio':>9}{'peak MB':>10}")
    for name, run in runs.items():
        print(f"{name:<28}{run.seconds:>10.3f}{run.seconds / runs[ours].seconds:>9.2f}{run.peak_mb:>10.0f}")
