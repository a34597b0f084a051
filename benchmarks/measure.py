"""How every benchmark measures: each run in a process of its own, seconds as medians, memory as that process's peak.

Nothing but the standard library is imported, so that rivals measure themselves with it in their own environments.
"""

import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parents[1] / ".bench"
"""Where benchmarks keep what they need again: data, the rivals' environments, and the last results."""
WARM_UP_SECONDS = 20.0
"""A first run that takes longer needs no warming up: it is measured and stays the only one."""


@dataclass(frozen=True)
class Run:
    """Median seconds of the repeats, peak resident memory (MB) beyond what the process had before, and the answer."""

    seconds: float
    peak_mb: float
    answer: Any = None
    answer_mb: float = 0.0
    """The answer's own share of the peak, where it is known."""
    cpu_seconds: float | None = None
    """Of all cores, the mean of the repeats: what to compare by on a machine that others use too."""


@dataclass(frozen=True)
class Line:
    """One line of a table: who, what was measured, and how the time grows when the input grows ten times."""

    who: str
    seconds: float | None
    ratio: float | None = None
    peak_mb: float | None = None
    growth: float | None = None
    cpu_seconds: float | None = None
    note: str = ""


def measured(work: Callable[..., Any], *arguments: Any, repeats: int = 3) -> Run:
    """Run `work(*arguments)` in a fresh process: once to warm up (caches, compilation), then `repeats` times."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(repeated, (work, arguments, repeats))


def repeated(
    work: Callable[..., Any],
    arguments: Sequence[Any] = (),
    repeats: int = 3,
    size_mb: Callable[[Any], float] = lambda _: 0.0,
    others: Iterable[int] = (),
) -> Run:
    """The same in this process. `others` are the ids of processes that work for this one; their memory counts."""
    processes = ["self", *map(str, others)]
    for process in processes:
        Path(f"/proc/{process}/clear_refs").write_text("5")  # begin the peak anew
    before = sum(_resident_mb("VmRSS", process) for process in processes)
    cpu = sum(map(_cpu_seconds, processes))
    first, answer = _timed(work, arguments)
    if first > WARM_UP_SECONDS:
        seconds = [first]
    else:
        seconds, cpu = [], sum(map(_cpu_seconds, processes))
        for _ in range(repeats):
            answer = None  # two answers at once would be counted as the work's memory
            taken, answer = _timed(work, arguments)
            seconds.append(taken)
    cpu = (sum(map(_cpu_seconds, processes)) - cpu) / len(seconds)
    peak = sum(_resident_mb("VmHWM", process) for process in processes)
    return Run(statistics.median(seconds), peak - before, answer, size_mb(answer), cpu)


def once(work: Callable[..., Any], *arguments: Any) -> Run:
    """In this process and without warming up: for what takes long, or is done once in practice, like training."""
    Path("/proc/self/clear_refs").write_text("5")
    before, cpu = _resident_mb("VmRSS", "self"), _cpu_seconds("self")
    seconds, answer = _timed(work, arguments)
    return Run(seconds, _resident_mb("VmHWM", "self") - before, answer, cpu_seconds=_cpu_seconds("self") - cpu)


def _timed(work: Callable[..., Any], arguments: Sequence[Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    answer = work(*arguments)
    return time.perf_counter() - start, answer


def _resident_mb(field: str, process: str) -> float:
    """VmRSS (now) or VmHWM (peak) of a process. Not ru_maxrss: a child inherits its parent's."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(lines[field].split()[0]) / 1024


def _cpu_seconds(process: str) -> float:
    """User and system time that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def table(title: str, runs: dict[str, Run], ours: str) -> None:
    """Print who, seconds, ratio to ours, and peak memory."""
    print_lines(
        title,
        [
            Line(who, run.seconds, run.seconds / runs[ours].seconds, run.peak_mb, cpu_seconds=run.cpu_seconds)
            for who, run in runs.items()
        ],
    )


def print_lines(title: str, lines: Sequence[Line]) -> None:
    """Print the lines as a table; what was not measured is left blank."""
    wide = max(len(line.who) for line in lines) + 2
    print(f"\n{title}")
    print(f"{'':<{wide}}{'seconds':>11}{'ratio':>9}{'CPU s':>9}{'peak MB':>10}{'growth':>9}")
    for line in lines:
        figures = (
            (line.seconds, 11, ",.4g"),
            (line.ratio, 9, ",.2f"),
            (line.cpu_seconds, 9, ",.4g"),
            (line.peak_mb, 10, ",.0f"),
            (line.growth, 9, ".1f"),
        )
        print(
            f"{line.who:<{wide}}{''.join(_or_blank(*figure) for figure in figures)}  {line.note}".rstrip(), flush=True
        )


def note(benchmark: str, title: str, lines: Sequence[Line]) -> None:
    """Print the lines and keep them for the summary at the end of `make bench`."""
    print_lines(title, lines)
    results = BENCH / "results"
    results.mkdir(parents=True, exist_ok=True)
    kept = {"title": title, "lines": [asdict(line) for line in lines]}
    (results / f"{benchmark}.json").write_text(json.dumps(kept, indent=1))


def _or_blank(number: float | None, wide: int, how: str) -> str:
    return f"{'' if number is None else format(number, how):>{wide}}"
