"""What people see on the terminal, and the same facts for machines."""

import dataclasses
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
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from features.ingest import IngestReport
    from features.status import HistoryStatus
    from foresail.workflow import Progress as Callback
    from foresail.workflow import Scored, SourceFailure
    from training.evaluation import Evaluation
    from training.hindsight import Hindsight
    from training.tracking import ModelRow
    from training.train import TrainingResult

BAND_STYLES = {"high": "bold red", "medium": "yellow", "low": "green"}


@dataclass(frozen=True)
class Shown:
    """An answer: `parts` for people, printed one after the other, and `facts` that JSON can hold."""

    parts: Sequence[RenderableType]
    facts: Any


def console() -> Console:
    """Standard output. Markup is off: an account called "[red]" is an account."""
    piped = not sys.stdout.isatty()
    width = int(os.environ.get("COLUMNS", "120")) if piped else None
    return Console(markup=False, highlight=False, soft_wrap=piped, width=width)


@contextmanager
def progress() -> Iterator["Callback"]:
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
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield step


def ingested(outcomes: "Sequence[IngestReport | SourceFailure]") -> Shown:
    """What became of each source's rows, with read = kept + duplicates + quarantined to be seen."""
    table = _table("source", "stream", "read", "= kept", "+ duplicates", "+ quarantined", "span", numbers=(2, 3, 4, 5))
    notes: list[RenderableType] = []
    for outcome in outcomes:
        facts = dataclasses.asdict(outcome)
        if "problem" in facts:
            table.add_row(outcome.source, outcome.stream, "failed")
            notes.append(Text(f"failed: {facts['problem']}", style="red"))
            continue
        counts = [f"{facts[name]:,}" for name in ("read", "kept", "duplicates", "quarantined")]
        table.add_row(outcome.source, outcome.stream, *counts, _span(facts["oldest"], facts["newest"]))
        notes += _refused(outcome.source, facts["reasons"], facts["examples"])
        if facts["repeated"]:
            notes.append(Text(
                f"{outcome.source}: {facts['repeated']:,} rows are alike in every column that the select gives, and count once. "
                "If they are different events, give what tells them apart: order_id, product_id, or an event_id",
                style="yellow",
            ))  # fmt: skip
    return Shown([table, *notes], [dataclasses.asdict(outcome) for outcome in outcomes])


def status(found: "HistoryStatus") -> Shown:
    """What the history holds: one line for each source of each stream, and what was refused."""
    table = _table("stream", "source", "rows", "accounts", "span", "quarantined", numbers=(2, 3, 5))
    reasons: list[RenderableType] = []
    for one in found.sources:
        refused = sum(one.quarantined.values())
        counts = f"{one.rows:,}", f"{one.accounts:,}", _span(one.oldest, one.newest), f"{refused:,}"
        table.add_row(one.stream, one.source, *counts)
        reasons += _refused(one.source, one.quarantined, {})
    return Shown([table, *reasons, f"{found.accounts:,} accounts in all"], dataclasses.asdict(found))


def quarantined(refused: "pd.DataFrame", top: int, out: Path | None) -> Shown:
    """Refused rows by source and kind of reason: how many, and the first `top` of each as they came."""
    parts: list[RenderableType] = []
    facts = []
    for (source, kind), rows in refused.groupby(["source", "kind"], sort=False):
        shown = rows.head(top)
        parts.append(Text(f"{source}: {len(rows):,} rows: {kind}", style="bold"))
        parts += [Text(f"  {reason}   {row}") for reason, row in zip(shown["reason"], shown["row"], strict=True)]
        facts.append({"source": source, "kind": kind, "rows": len(rows), "examples": shown.to_dict("records")})
    parts.append(f"wrote {out}: {len(refused):,} rows" if out else f"{len(refused):,} rows in quarantine")
    return Shown(parts, facts)


def catalog() -> Shown:
    """The declared features."""
    from features.catalog import CATALOG

    table = _table("feature", "unit", "meaning", "absent")
    for feature in CATALOG:
        table.add_row(feature.name, feature.unit, feature.meaning, feature.absent)
    facts = [{"name": one.name, "unit": one.unit, "meaning": one.meaning, "absent": one.absent} for one in CATALOG]
    return Shown([table, f"{len(facts)} features"], facts)


def written(path: Path, **counts: int) -> Shown:
    """A file that was written, and how large it is."""
    said = ", ".join(f"{count:,} {what}" for what, count in counts.items())
    return Shown([f"wrote {path}: {said}"], {"path": str(path), **counts})


def trained(result: "TrainingResult") -> Shown:
    """A fresh model: how good each rung is out of time, which was chosen and why."""
    parts: list[RenderableType] = [
        Text(f"{result.name} version {result.version} is now {result.alias}", style="bold"),
        f"judged on {result.card['as_of_dates']['test'][:10]}, the newest closed horizon, which no choice had seen",
        judged(result.evaluation),
        f"chosen on earlier dates: {result.choice}",
        f"calibration, chosen there too: {result.calibration.method}; {result.calibration.reason}",
        *(Text(f"note: {note}", style="yellow") for note in result.notes),
        f"report: {_from_here(result.report_path)}",
    ]
    facts = {
        "name": result.name, "version": result.version, "alias": result.alias, "run_id": result.run_id,
        "rung": result.rung, "choice": result.choice, "calibration": result.calibration.method,
        "notes": list(result.notes), "evaluation": result.evaluation.to_json(), "report": str(result.report_path),
    }  # fmt: skip
    return Shown(parts, _without_nan(facts))


def hindsight(found: "Hindsight", timezone: str) -> Shown:
    """What a model would have said at a moment, beside what happened; or why that cannot be told yet."""
    facts: dict[str, Any] = {
        "version": found.version, "rung": found.rung, "as_of": found.as_of, "accounts": len(found.scores),
        "notes": list(found.notes), "open_because": found.open_because,
        "evaluation": found.evaluation.to_json() if found.evaluation else None,
        "report": str(found.report_path) if found.report_path else None,
    }  # fmt: skip
    heading = f"version {found.version} ({found.rung}) as of {_day(found.as_of, timezone)}: {len(found.scores):,} eligible accounts"
    notes = [Text(f"note: {note}", style="yellow") for note in found.notes]
    if found.evaluation is None:
        return Shown([heading, *notes, f"not to be judged yet: {found.open_because}"], _without_nan(facts))
    said, happened = found.scores["probability"].mean(), found.scores["churned"].mean()
    parts: list[RenderableType] = [
        heading,
        *notes,
        judged(found.evaluation),
        f"foreseen {said:.1%} churned, happened {happened:.1%}",
    ]
    return Shown([*parts, f"report: {_from_here(found.report_path)}"], _without_nan(facts))


def judged(evaluation: "Evaluation") -> Table:
    """Every model's metrics with their 95 % intervals; the baseline stands first."""
    metrics = list(evaluation.metrics[evaluation.baseline])
    title = f"{evaluation.accounts:,} accounts, {evaluation.churned:,} churned; 95 % intervals; bold beats the baseline"
    table = _table(
        "metric", *(f"{name} (baseline)" if name == evaluation.baseline else name for name in evaluation.metrics)
    )
    table.title = title
    for metric in metrics:
        table.add_row(metric, *(_estimate(evaluation, name, metric) for name in evaluation.metrics))
    return table


def _estimate(evaluation: "Evaluation", model: str, metric: str) -> Text:
    one = evaluation.metrics[model][metric]
    better = model != evaluation.baseline and evaluation.beats_baseline(model, metric)
    return Text(f"{one.value:.3f}  {one.low:.3f}–{one.high:.3f}", style="bold" if better else "")


def scored(result: "Scored", currency: str, out: Path | None) -> Shown:
    """Who is most worth a call and why, how many accounts are in each band, and where the file is."""
    parts: list[RenderableType] = []
    facts = []
    for target, calls in result.calls.items():
        own = result.scores[result.scores["target"] == target]
        known = own[own["probability"].notna()]
        bands = {band: int((known["band"] == band).sum()) for band in BAND_STYLES}
        counts = ", ".join(f"{count:,} {band}" for band, count in bands.items())
        parts += [
            call_list(calls, f"{target}: most worth a call", currency),
            f"{target}: {len(known):,} scored ({counts}); {len(own) - len(known):,} not eligible",
        ]
        facts.append({
            "target": target, "scored": len(known), "not_eligible": len(own) - len(known), "bands": bands,
            "calls": calls.to_dict("records"),
        })  # fmt: skip
    parts += [Text(f"note: {note}", style="yellow") for note in result.notes]
    if out is not None:
        parts.append(f"wrote {out}: {len(result.scores):,} rows")
    return Shown(
        parts,
        _without_nan(
            {
                "targets": facts,
                "notes": list(result.notes),
                "rows": len(result.scores),
                "out": str(out) if out else None,
            }
        ),
    )


def call_list(calls: "pd.DataFrame", title: str, currency: str) -> Table:
    """Accounts with the most at stake first: risk × what a year of the account brings, and the reasons in words."""
    headings = "account", "at stake", "= risk", "× net of a year", "band", "why"
    shown = _table(*headings, numbers=(1, 2, 3))
    shown.title, shown.show_lines = f"{title} (amounts in {currency})", True
    for row in calls.to_dict("records"):
        why = "\n".join(_signed(reason) for reason in row["reasons"] or ())
        band = Text(row["band"], style=BAND_STYLES[row["band"]])
        amounts = f"{row['at_stake']:,.0f}", f"{row['probability']:.0%}", f"{row['net_365d']:,.0f}"
        shown.add_row(row["account_id"], *amounts, band, why)
    return shown


def _signed(reason: Mapping[str, Any]) -> str:
    return f"{'▲' if reason['direction'] == 'raises' else '▼'} {reason['words']}"


def models(rows: "Mapping[str, Sequence[ModelRow]]", timezone: str) -> Shown:
    """The registered versions of each target."""
    table = _table("target", "version", "alias", "kind", "trained as of", "log loss", "AUROC", numbers=(1, 5, 6))
    for target, versions in rows.items():
        for one in versions:
            metrics = [f"{one.metrics.get(name, math.nan):.4f}" for name in ("log_loss", "auroc")]
            table.add_row(
                target,
                str(one.version),
                ", ".join(one.aliases),
                one.rung,
                _day(datetime.fromisoformat(one.trained_as_of), timezone),
                *metrics,
            )
    missing = [f"{target}: no model yet; foresail train {target} --as-of DATE" for target in rows if not rows[target]]
    facts = {target: [dataclasses.asdict(one) for one in versions] for target, versions in rows.items()}
    return Shown([table, *missing], _without_nan(facts))


def _table(*headings: str, numbers: Sequence[int] = ()) -> Table:
    table = Table(header_style="bold", title_justify="left", title_style="bold")
    for position, heading in enumerate(headings):
        number = position in numbers
        table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=number)
    return table


def _refused(source: str, reasons: Mapping[str, int], examples: Mapping[str, str]) -> list[RenderableType]:
    return [
        Text(
            f"{source}: {count:,} quarantined: {reason}{_example(reason, examples.get(reason, reason))}", style="yellow"
        )
        for reason, count in reasons.items()
    ]


def _example(reason: str, example: str) -> str:
    """What the reason of one row says more than the kind of reason, which is the value."""
    return "" if example == reason else f" (one of them: {example.removeprefix(reason).strip(': ')})"


def _day(moment: datetime, timezone: str) -> str:
    """A moment as people of the project write it: its date, and the time unless it is midnight."""
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"


def _span(oldest: Any, newest: Any) -> str:
    return f"{oldest:%Y-%m-%d} to {newest:%Y-%m-%d}" if oldest is not None else "–"


def _from_here(path: Path | None) -> Path | None:
    """A path as one would type it in this folder."""
    return path.relative_to(Path.cwd()) if path is not None and path.is_relative_to(Path.cwd()) else path


def _without_nan(facts: Any) -> Any:
    """The same facts with null for NaN, which JSON does not have."""
    if isinstance(facts, Mapping):
        return {key: _without_nan(value) for key, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [_without_nan(value) for value in facts]
    return None if isinstance(facts, float) and math.isnan(facts) else facts
