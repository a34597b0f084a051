"""The history on the terminal: what came in, what is there, what was refused, and what was changed by hand."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, from_here, grid, span

if TYPE_CHECKING:
    import pandas as pd

    from features.history.arrivals import Arrival
    from features.history.identities import Merged
    from features.history.ingest.ingestion import IngestReport
    from features.history.retention import Vacuumed
    from features.history.status import Gaps, HistoryStatus
    from foresail.operations.erasure import Forgotten
    from foresail.operations.history import SourceFailure
    from foresail.operations.models import TrainedOn

EMPTY = "nothing is stored yet; describe your sources in foresail.toml, then: foresail ingest"


def ingest_reports(outcomes: "Sequence[IngestReport | SourceFailure]", timezone: str) -> Shown:
    """What became of each source's rows, with read = kept + duplicates + quarantined + forgotten to be seen."""
    headings = "source", "stream", "read", "= kept", "+ duplicates", "+ quarantined", "+ forgotten", "span"
    shown = grid(*headings, numbers=(2, 3, 4, 5, 6))
    notes: list[RenderableType] = []
    for outcome in outcomes:
        facts = dataclasses.asdict(outcome)
        if "problem" in facts:
            shown.add_row(outcome.source, outcome.stream, "failed")
            notes.append(Text(f"failed: {facts['problem']}", style="red"))
            continue
        counts = [f"{facts[name]:,}" for name in ("read", "kept", "duplicates", "quarantined", "forgotten")]
        shown.add_row(outcome.source, outcome.stream, *counts, span(facts["oldest"], facts["newest"], timezone))
        notes += _refused(outcome.source, facts["reasons"], facts["examples"])
        notes += [Text(f"{outcome.source}: {note}", style=style) for note, style in _remarks(facts)]
    notes += _repeated(outcomes)
    return Shown([shown, *notes], [dataclasses.asdict(outcome) for outcome in outcomes])


def _remarks(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a reader of the counts should know besides, and how it is to be shown."""
    if facts["unchanged"]:
        yield f"not read again, because nothing has changed since: {counted(facts['unchanged'], 'file')}", "dim"
    if facts["released"]:
        yield f"accepted now, and refused before: {counted(facts['released'], 'row')}", "green"
    if facts["changed"]:
        remark = (
            f"{counted(facts['changed'], 'row')} with the id of an event that is stored, and other content: what is stored stays. "
            f"To take up corrections: foresail ingest {facts['source']} --replace"
        )
        yield remark, "yellow"


def _repeated(outcomes: "Sequence[IngestReport | SourceFailure]") -> Iterator[Text]:
    """Said once for all sources: the remedy is the same."""
    counts = {outcome.source: getattr(outcome, "repeated", 0) for outcome in outcomes}
    rows = ", ".join(f"{source} {counted(count, 'row')}" for source, count in counts.items() if count)
    if rows:
        yield Text(
            f"{rows} alike another one in every column that the select gives: they count once. "
            "If they are different events, give what tells them apart: order_id, product_id, or an event_id",
            style="yellow",
        )


def status(report: "HistoryStatus", timezone: str) -> Shown:
    """What the history holds: one line for each source of each stream, how fresh it is, what is missing, what was refused."""
    headings = "stream", "source", "rows", "accounts", "span", "last ingest", "quarantined"
    shown = grid(*headings, numbers=(2, 3, 6))
    notes: list[RenderableType] = []
    for source in report.sources:
        refused = f"{source.share_quarantined:.1%}" if source.quarantined else "–"
        shown.add_row(
            source.stream, source.source, f"{source.rows:,}", f"{source.accounts:,}", span(source.oldest, source.newest, timezone),
            _arrived(source.last_ingest, timezone), refused,
        )  # fmt: skip
        notes += _refused(source.source, source.quarantined, {})
        notes += _gaps(source.source, source.gaps)
    silent = f", {report.without_events:,} of them without any event" if report.without_events else ""
    total = f"{counted(report.accounts, 'account')} in all{silent}" if report.sources else EMPTY
    return Shown([shown, *notes, total] if report.sources else [total], dataclasses.asdict(report))


def _arrived(arrival: "Arrival | None", timezone: str) -> str:
    """For which moment a source was last ingested, and since when nothing new has come if it brought nothing then."""
    if arrival is None:
        return "–"
    moment = day(arrival.as_of, timezone)
    if arrival.kept or arrival.committed_at is None:
        return moment
    return f"{moment}, nothing new; last written {day(arrival.committed_at, timezone)}"


def _gaps(source: str, gaps: "Gaps | None") -> list[RenderableType]:
    """On how many days a source has nothing, and the longest time without."""
    if gaps is None or not gaps.days:
        return []
    longest = f"the longest time without was {counted(gaps.longest, 'day')}, {gaps.first} to {gaps.last}"
    return [Text(f"{source}: nothing on {counted(gaps.days, 'day')} of its span; {longest}", style="dim")]


def quarantine(refused: "pd.DataFrame", top: int, out: Path | None) -> Shown:
    """Refused rows by source and kind of reason: how many, and the first `top` of each as they came."""
    parts: list[RenderableType] = []
    facts = []
    for (source, kind), rows in refused.groupby(["source", "kind"], sort=False):
        shown = rows.head(top)
        parts.append(Text(f"{source}: {counted(len(rows), 'row')}: {kind}", style="bold"))
        parts += [Text(f"  {reason}   {row}") for reason, row in zip(shown["reason"], shown["row"], strict=True)]
        facts.append({"source": source, "kind": kind, "rows": len(rows), "examples": shown.to_dict("records")})
    parts.append(
        f"wrote {out}: {counted(len(refused), 'row')}" if out else f"{counted(len(refused), 'row')} in quarantine"
    )
    return Shown(parts, facts)


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


def merge(result: "Merged", timezone: str) -> Shown:
    """Two accounts made one: what moved, and since when it counts."""
    moved = _by_stream(result.moved) or "nothing was left to move"
    parts: list[RenderableType] = [
        Text(
            f"{result.absorbed} is {result.into} now, as known from {day(result.known_at, timezone)} on", style="bold"
        ),
        f"moved: {moved}",
    ]
    if result.duplicates:
        parts.append(
            Text(
                f"{result.duplicates:,} of them had the event_id of a row that was there; the first was kept",
                style="yellow",
            )
        )
    parts.append("rows that name the old id in other columns (a parent company, a referrer) are as they were")
    return Shown(parts, dataclasses.asdict(result))


def _by_stream(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{counted(count, 'row')} of {stream}" for stream, count in rows.items())


def erasure(result: "Forgotten") -> Shown:
    """Everything that was removed of an account, and the models that still have learnt from it."""
    erased = result.erased
    others = f" and {', '.join(erased.ids[1:])}, merged into it," if erased.ids[1:] else ""
    rows = _by_stream(erased.rows) or "no rows"
    files, given_up = sum(part.files for part in erased.tables), sum(len(part.given_up) for part in erased.tables)
    parts: list[RenderableType] = [
        Text(f"{erased.ids[0]}{others} is forgotten", style="bold"),
        f"history: {rows}, {counted(erased.quarantined, 'refused row')}",
        f"past of the history: {counted(files, 'file')} and {counted(given_up, 'older version')} of {len(erased.tables)} tables",
        "given up with it: the tables of earlier trainings, which cannot be built again",
        *(f"published: {counted(part.rows, 'row')} removed from {from_here(part.path)}" for part in result.published),
        *([f"operational database: {_by_stream(result.database)}"] if result.database else []),
        f"kept: the fingerprint {erased.fingerprint}, so that no ingest brings the account back",
        *_learnt(result.learnt, "was trained with it; train again and promote to be rid of what it learnt"),
        *_learnt(result.perhaps_learnt, "may have been trained with it: its data versions can no longer be read"),
        "not searched: the sources themselves, files outside of the project folder, backups",
    ]
    return Shown(parts, _forgotten_facts(result))


def _learnt(models: "Sequence[TrainedOn]", remark: str) -> list[RenderableType]:
    return [
        Text(f"model: {model.target} version {model.version}{_aliases(model)} {remark}", style="yellow")
        for model in models
    ]


def _aliases(model: "TrainedOn") -> str:
    return f" ({', '.join(model.aliases)})" if model.aliases else ""


def _forgotten_facts(result: "Forgotten") -> dict[str, Any]:
    return {
        **dataclasses.asdict(result.erased),
        "published": [{"path": str(part.path), "rows": part.rows} for part in result.published],
        "database": dict(result.database),
        "learnt": [dataclasses.asdict(part) for part in result.learnt],
        "perhaps_learnt": [dataclasses.asdict(part) for part in result.perhaps_learnt],
    }


def vacuum(tables: "Sequence[Vacuumed]") -> Shown:
    """What each table gave up of its past, and which versions can still be read."""
    shown = grid("table", "files removed", "MB", "versions kept", "versions given up", numbers=(1, 2))
    for row in tables:
        kept, given_up = _ranges(row.kept), _ranges(row.given_up)
        shown.add_row(row.table, f"{row.files:,}", f"{row.bytes / 1e6:,.1f}", kept, given_up)
    total = f"{counted(sum(row.files for row in tables), 'file')}, {sum(row.bytes for row in tables) / 1e6:,.1f} MB"
    return Shown([shown, f"removed {total}"], [dataclasses.asdict(row) for row in tables])


def _ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 as 1–3, 7."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs) or "–"
