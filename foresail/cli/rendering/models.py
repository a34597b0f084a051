"""Models on the terminal: how good they are, beside what they must beat."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, day, from_here, grid, without_nan
from foresail.cli.rendering.summaries import NOT_GRADED, graded, summarised

if TYPE_CHECKING:
    from registry.promotion_log import Decision, VersionHistory
    from registry.versions import ModelRow
    from training.backtest.backtest import Backtest
    from training.backtest.series import BacktestSeries
    from training.evaluation.comparison import Evaluation
    from training.train import TrainingResult


def trained(result: "TrainingResult") -> Shown:
    """A fresh model: how good each rung is out of time, which was chosen and why."""
    parts: list[RenderableType] = [
        Text(f"{result.name} version {result.version} is now {result.alias}", style="bold"),
        f"judged on {result.card.test_date:%Y-%m-%d}, the newest closed horizon, which no choice had seen",
        judged(result.evaluation, result.card.target.happened),
        graded(result.summary.grade.letter, result.summary.grade.meaning),
        *summarised(result.summary, result.rung, result.evaluation.baseline),
        f"chosen on earlier dates: {result.choice}",
        f"calibration, chosen there too: {result.calibration.method}; {result.calibration.reason}",
        *(Text(f"note: {note}", style="yellow") for note in result.notes),
        f"report: {from_here(result.report_path)}",
    ]
    facts = {
        "name": result.name, "version": result.version, "alias": result.alias, "run_id": result.run_id,
        "rung": result.rung, "choice": result.choice, "calibration": result.calibration.method,
        "notes": list(result.notes), "evaluation": result.evaluation.to_json(), "report": str(result.report_path),
        **result.summary.to_json(),
    }  # fmt: skip
    return Shown(parts, without_nan(facts))


def hindsight(found: "Backtest", timezone: str) -> Shown:
    """What a model would have said at a moment, beside what happened; or why that cannot be told yet."""
    facts: dict[str, Any] = {
        "version": found.version, "rung": found.rung, "as_of": found.as_of, "accounts": len(found.scores),
        "notes": list(found.notes), "open_because": found.open_because,
        "evaluation": found.evaluation.to_json() if found.evaluation else None,
        "report": str(found.report_path) if found.report_path else None, "trained_grade": found.trained_grade,
        **(found.summary.to_json() if found.summary else {}),
    }  # fmt: skip
    heading = f"version {found.version} ({found.rung}) as of {day(found.as_of, timezone)}: {len(found.scores):,} eligible accounts"
    notes = [Text(f"note: {note}", style="yellow") for note in found.notes]
    if found.evaluation is None or found.summary is None:
        return Shown([heading, *notes, f"not to be judged yet: {found.open_because}"], without_nan(facts))
    grade = found.summary.grade
    parts: list[RenderableType] = [
        heading,
        *notes,
        judged(found.evaluation, found.happened),
        _level(found),
        graded(grade.letter, f"{grade.meaning} (when trained: {found.trained_grade or NOT_GRADED})"),
        *summarised(found.summary, found.rung, found.evaluation.baseline),
    ]
    return Shown([*parts, f"report: {from_here(found.report_path)}"], without_nan(facts))


def _level(found: "Backtest") -> str:
    """What was foreseen of all accounts together, and what happened."""
    said, real = found.scores["foreseen"], found.scores["happened"]
    answer = found.evaluation.answer if found.evaluation else "probability"
    if answer == "amount":
        return f"foreseen {said.sum():,.0f} in all, happened {real.sum():,.0f}"
    if answer == "days":
        came = np.isfinite(real)
        return f"{came.mean():.1%} ordered within {found.horizon_days} days; half of the accounts were foreseen within {said.median():.0f}"
    return f"foreseen {said.mean():.1%} {found.happened}, happened {real.mean():.1%}"


def track_record(record: "BacktestSeries", timezone: str) -> Shown:
    """A model's quality at many past moments, and how long before a loss it had warned."""
    heading = (
        f"version {record.version} ({record.rung}), trained as of {day(record.trained_as_of, timezone)}, at past dates"
    )
    parts: list[RenderableType] = [
        heading,
        _over_time(record, timezone),
        *(Text(f"note: {note}", style="yellow") for note in record.notes),
        *(_lead(record) if record.losses else []),
        f"report: {from_here(record.report_path)}",
    ]
    facts = {
        "version": record.version, "rung": record.rung, "horizon_days": record.horizon_days,
        "points": [dataclasses.asdict(point) for point in record.points], "lead": dict(record.lead),
        "notes": list(record.notes), "report": str(record.report_path) if record.report_path else None,
    }  # fmt: skip
    return Shown(parts, without_nan(facts))


def _over_time(record: "BacktestSeries", timezone: str) -> Table:
    table = grid(
        "as of", "accounts", "happened", "foreseen", "log loss", record.baseline, "AUROC", record.baseline,
        "high band", "seen", numbers=range(1, 9),
    )  # fmt: skip
    for point in record.points:
        ours, theirs = (point.evaluation.metrics[name] for name in ("model", "baseline"))
        figures = [f"{each[metric].value:.3f}" for metric in ("log_loss", "auroc") for each in (ours, theirs)]
        rates = f"{point.happened:.1%}", f"{point.foreseen:.1%}"
        high = f"{point.high_churned:,} of {point.high:,}"
        seen = point.seen.removesuffix(" of") or "–"
        table.add_row(day(point.as_of, timezone), f"{point.evaluation.rows:,}", *rates, *figures, high, seen)
    table.title = "beside the baseline; high band: of those in it, to how many it happened; seen: how much of the horizon the training knew"
    return table


def _lead(record: "BacktestSeries") -> list[str]:
    """How long before a loss (the last order + the horizon) the account had crossed into the high band for good."""
    lead = record.lead
    lost = f"{lead['lost']:,} accounts fell silent within the record, and were lost {record.horizon_days} days after their last order"
    if not lead["warned"]:
        return [f"{lost}; none was warned of"]
    days = [f"{lead[name]:.0f}" for name in ("median_days", "lower_quartile_days", "upper_quartile_days")]
    said = (
        f"{lead['warned']:,} warned of, the high band crossed {days[0]} days before in the median ({days[1]}–{days[2]})"
    )
    rest = f"{lead['withdrawn']:,} had left the high band again, {lead['never']:,} were never in it"
    early = f"{lead['before_the_last_order']:,} of the warnings came before the last order"
    floor = f"; {lead['at_least']:,} stood at the first date of the record and may be older" if lead["at_least"] else ""
    return [lost, f"{said}; {rest}", early + floor]


def judged(evaluation: "Evaluation", happened: str = "churned") -> Table:
    """Every model's metrics with their 95 % intervals; the baseline stands first."""
    metrics = list(evaluation.metrics[evaluation.baseline])
    title = (
        f"{evaluation.accounts:,} accounts, {evaluation.churned:,} {happened}; 95 % intervals; bold beats the baseline"
    )
    table = grid(
        "metric", *(f"{name} (baseline)" if name == evaluation.baseline else name for name in evaluation.metrics)
    )
    table.title = title
    for metric in metrics:
        table.add_row(metric, *(_estimate(evaluation, name, metric) for name in evaluation.metrics))
    return table


def _estimate(evaluation: "Evaluation", model: str, metric: str) -> Text:
    one = evaluation.metrics[model][metric]
    better = model != evaluation.baseline and evaluation.beats_baseline(model, metric)
    from training.reports.report import figure

    return Text(f"{figure(one.value)}  {figure(one.low)}–{figure(one.high)}", style="bold" if better else "")


def decided(target: str, decision: "Decision", timezone: str) -> Shown:
    """What was checked before a version was to become champion, what was found, and who is champion now."""
    parts: list[RenderableType] = []
    if decision.checks:
        parts = [_judged_on(decision, timezone), _checks(decision)]
    parts += [Text(f"note: {note}", style="yellow") for note in decision.notes]
    parts.append(Text(f"{target}: {_outcome(target, decision)}", style="bold"))
    before = decision.before if decision.moves else None
    facts = decision.to_json() | {"target": target, "promoted": decision.moves, "before": before}
    return Shown(parts, without_nan(facts))


def _judged_on(decision: "Decision", timezone: str) -> str:
    pair = f"version {decision.version} against the champion, version {decision.before}"
    return f"{pair}, as of {day(decision.judged_on, timezone)}" if decision.judged_on else pair


def _checks(decision: "Decision") -> Table:
    table = grid("check", "", "found")
    for check in decision.checks:
        table.add_row(check.name, Text("passed") if check.passed else Text("failed", style="bold red"), check.words)
    return table


def _outcome(target: str, decision: "Decision") -> str:
    if not decision.moves:
        champion = f"version {decision.before} stays champion" if decision.kind == "refused" else "nothing was changed"
        return f"version {decision.version} was {decision.kind}; {champion}"
    if decision.before in {None, decision.version}:
        return f"version {decision.version} is champion"
    how = f", {decision.kind}" if decision.kind != "promoted" else ""
    way = f"; back to the one before: foresail rollback {target}" if decision.kind != "rolled back" else ""
    return f"version {decision.version} is champion now{how}{way}"


def line_of_champions(standing: "VersionHistory", rows: "Sequence[ModelRow]", timezone: str) -> Table:
    """Every decision about who is champion, oldest first, with its day and its reason."""
    table = grid("day", "version", "decision", "by", "reason", numbers=(1,))
    first = next((one for one in rows if one.version == standing.first), None)
    if first is not None:
        table.add_row(_date(first.registered_at, timezone), str(first.version), "first champion", "", "trained first")
    for one in standing.decisions:
        table.add_row(_date(one.decided_at, timezone), str(one.version), one.kind, one.by, one.why or "–")
    if standing.unrecorded:
        table.add_row("", str(standing.champion or "–"), "unrecorded", "", "the alias was moved outside of Foresail")
    return table


def models(rows: "Mapping[str, Sequence[ModelRow]]", standings: "Mapping[str, VersionHistory]", timezone: str) -> Shown:
    """The registered versions of each target, and below them its line of champions."""
    table = grid("target", "version", "alias", "kind", "grade", "trained as of", "log loss", "AUROC", numbers=(1, 6, 7))
    for target, versions in rows.items():
        for one in versions:
            metrics = [f"{one.metrics[name]:.4f}" if name in one.metrics else "–" for name in ("log_loss", "auroc")]
            table.add_row(
                target,
                str(one.version),
                ", ".join(one.aliases),
                one.rung,
                one.grade or NOT_GRADED,
                day(datetime.fromisoformat(one.trained_as_of), timezone),
                *metrics,
            )
    missing = [f"{target}: no model yet; foresail train {target} --as-of DATE" for target in rows if not rows[target]]
    lines: list[RenderableType] = []
    for target, versions in rows.items():
        if versions:
            lines += [f"the line of champions of {target}", line_of_champions(standings[target], versions, timezone)]
    facts = {
        target: [dataclasses.asdict(one) | {"decisions": _about(one, standings[target])} for one in versions]
        for target, versions in rows.items()
    }
    return Shown([table, *missing, *lines], without_nan(facts))


def _about(row: "ModelRow", standing: "VersionHistory") -> list[dict[str, Any]]:
    return [one.to_json() for one in standing.decisions if one.version == row.version]


def _date(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
