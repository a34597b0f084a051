"""How answers look: parts for people, facts for machines, bars while they wait."""

import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from features.progress import StepProgress


@dataclass(frozen=True)
class Shown:
    """An answer: `parts` for people, printed one after the other, and `facts` that JSON can hold."""

    parts: Sequence[RenderableType]
    facts: Any

    def followed_by(self, name: str, more: "Shown") -> "Shown":
        """The answer with another below it, whose facts stand under `name`."""
        return Shown([*self.parts, *more.parts], {**self.facts, name: more.facts})


def console() -> Console:
    """Standard output. Markup is off: an account called "[red]" is an account."""
    piped = not sys.stdout.isatty()
    width = int(os.environ.get("COLUMNS", "120")) if piped else None
    return Console(markup=False, highlight=False, soft_wrap=piped, width=width)


@contextmanager
def progress() -> Iterator["StepProgress"]:
    """Bars on standard error, one for each kind of step; standard output stays free for the answer."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=not sys.stderr.isatty()) as bars:
        tasks: dict[str, TaskID] = {}

        def step(done: int, total: int, what: str) -> None:
            name = what.partition(" · ")[0]  # what follows is news of the same step, such as the best so far
            if name not in tasks:
                tasks[name] = bars.add_task(what, total=total)
            bars.update(tasks[name], completed=done, total=total, description=what)

        yield step


def written(path: Path, **counts: int) -> Shown:
    """A file that was written, and how large it is."""
    text = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    return Shown([f"wrote {path}: {text}"], {"path": str(path), **counts})


def grid(*headings: str, numbers: Sequence[int] = ()) -> Table:
    table = Table(header_style="bold", title_justify="left", title_style="bold")
    for position, heading in enumerate(headings):
        number = position in numbers
        table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def day(moment: datetime, timezone: str) -> str:
    """A moment as people of the project write it: its date, and the time unless it is midnight."""
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"


def minute(moment: datetime, timezone: str) -> str:
    """Day and time of day in the project's timezone."""
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"


def span(oldest: datetime | None, newest: datetime | None, timezone: str) -> str:
    """From the day of the first to the moment of the last."""
    if oldest is None or newest is None:
        return "–"
    return f"{oldest.astimezone(ZoneInfo(timezone)):%Y-%m-%d} to {day(newest, timezone)}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """A number and what it counts: 1 row, 1,234 rows."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def from_here(path: Path | str | None) -> Path | str | None:
    """A path as one would type it in this folder; what is no path stays as it is."""
    return path.relative_to(Path.cwd()) if isinstance(path, Path) and path.is_relative_to(Path.cwd()) else path


def without_nan(facts: Any) -> Any:
    """The same facts with null for NaN and infinity, which JSON does not have."""
    if isinstance(facts, Mapping):
        return {key: without_nan(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [without_nan(value) for value in facts]
    return None if isinstance(facts, float) and not math.isfinite(facts) else facts
