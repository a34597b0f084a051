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


def training_result(result: "TrainingResult") -> Shown:
    """A fresh model: how good each rung is out of time, which was chosen and why."""
    parts: list[RenderableType] = [
        Text(f"{result.name} version {result.version} is now {result.alias}", style="bold"),
        f"judged on {result.card.test_date:%Y-%m-%d}, the newest closed horizon, which no choice had seen",
        comparison(result.evaluation, result.card.target.happened),
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


def backtest(result: "Backtest", timezone: str) -> Shown:
    """What a model would have said at a moment, beside what happened; or why that cannot be told yet."""
    facts: dict[str, Any] = {
        "version": result.version, "rung": result.rung, "as_of": result.as_of, "accounts": len(result.scores),
        "notes": list(result.notes), "open_because": result.open_because,
        "evaluation": result.evaluation.to_json() if result.evaluation else None,
        "report": str(result.report_path) if result.report_path else None, "trained_grade": result.trained_grade,
        **(result.summary.to_json() if result.summary else {}),
    }  # fmt: skip
    heading = f"version {result.version} ({result.rung}) as of {day(result.as_of, timezone)}: {len(result.scores):,} eligible accounts"
    notes = [Text(f"note: {note}", style="yellow") for note in result.notes]
    if result.evaluation is None or result.summary is None:
        return Shown([heading, *notes, f"not to be judged yet: {result.open_because}"], without_nan(facts))
    grade = result.summary.grade
    parts: list[RenderableType] = [
        heading,
        *notes,
        comparison(result.evaluation, result.happened),
        _level(result),
        graded(grade.letter, f"{grade.meaning} (when trained: {result.trained_grade or NOT_GRADED})"),
        *summarised(result.summary, result.rung, result.evaluation.baseline),
    ]
    return Shown([*parts, f"report: {from_here(result.report_path)}"], without_nan(facts))


def _level(result: "Backtest") -> str:
    """What was foreseen of all accounts together, and what happened."""
    foreseen, happened = result.scores["foreseen"], result.scores["happened"]
    answer = result.evaluation.answer if result.evaluation else "probability"
    if answer == "amount":
        return f"foreseen {foreseen.sum():,.0f} in all, happened {happened.sum():,.0f}"
    if answer == "days":
        came = np.isfinite(happened)
        return f"{came.mean():.1%} ordered within {result.horizon_days} days; half of the accounts were foreseen within {foreseen.median():.0f}"
    return f"foreseen {foreseen.mean():.1%} {result.happened}, happened {happened.mean():.1%}"


def backtest_series(series: "BacktestSeries", timezone: str) -> Shown:
    """A model's quality at many past moments, and how long before a loss it had warned."""
    heading = (
        f"version {series.version} ({series.rung}), trained as of {day(series.trained_as_of, timezone)}, at past dates"
    )
    parts: list[RenderableType] = [
        heading,
        _over_time(series, timezone),
        *(Text(f"note: {note}", style="yellow") for note in series.notes),
        *(_lead(series) if series.losses else []),
        f"report: {from_here(series.report_path)}",
    ]
    facts = {
        "version": series.version, "rung": series.rung, "horizon_days": series.horizon_days,
        "points": [dataclasses.asdict(point) for point in series.points], "lead": dict(series.lead),
        "notes": list(series.notes), "report": str(series.report_path) if series.report_path else None,
    }  # fmt: skip
    return Shown(parts, without_nan(facts))


def _over_time(series: "BacktestSeries", timezone: str) -> Table:
    table = grid(
        "as of", "accounts", "happened", "foreseen", "log loss", series.baseline, "AUROC", series.baseline,
        "high band", "seen", numbers=range(1, 9),
    )  # fmt: skip
    for point in series.points:
        ours, theirs = (point.evaluation.metrics[name] for name in ("model", "baseline"))
        figures = [
            f"{metrics_of[metric].value:.3f}" for metric in ("log_loss", "auroc") for metrics_of in (ours, theirs)
        ]
        rates = f"{point.happened:.1%}", f"{point.foreseen:.1%}"
        high = f"{point.high_churned:,} of {point.high:,}"
        seen = point.seen.removesuffix(" of") or "–"
        table.add_row(day(point.as_of, timezone), f"{point.evaluation.rows:,}", *rates, *figures, high, seen)
    table.title = "beside the baseline; high band: of those in it, to how many it happened; seen: how much of the horizon the training knew"
    return table


def _lead(series: "BacktestSeries") -> list[str]:
    """How long before a loss (the last order + the horizon) the account had crossed into the high band for good."""
    lead = series.lead
    lost = f"{lead['lost']:,} accounts fell silent within the record, and were lost {series.horizon_days} days after their last order"
    if not lead["warned"]:
        return [f"{lost}; none was warned of"]
    days = [f"{lead[name]:.0f}" for name in ("median_days", "lower_quartile_days", "upper_quartile_days")]
    warned = (
        f"{lead['warned']:,} warned of, the high band crossed {days[0]} days before in the median ({days[1]}–{days[2]})"
    )
    rest = f"{lead['withdrawn']:,} had left the high band again, {lead['never']:,} were never in it"
    early = f"{lead['before_the_last_order']:,} of the warnings came before the last order"
    floor = f"; {lead['at_least']:,} stood at the first date of the record and may be older" if lead["at_least"] else ""
    return [lost, f"{warned}; {rest}", early + floor]


def comparison(evaluation: "Evaluation", happened: str = "churned") -> Table:
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
    estimate = evaluation.metrics[model][metric]
    better = model != evaluation.baseline and evaluation.beats_baseline(model, metric)
    from training.reports.report import figure

    return Text(
        f"{figure(estimate.value)}  {figure(estimate.low)}–{figure(estimate.high)}", style="bold" if better else ""
    )


def promotion(target: str, decision: "Decision", timezone: str) -> Shown:
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


def line_of_champions(history: "VersionHistory", rows: "Sequence[ModelRow]", timezone: str) -> Table:
    """Every decision about who is champion, oldest first, with its day and its reason."""
    table = grid("day", "version", "decision", "by", "reason", numbers=(1,))
    first = next((decision for decision in rows if decision.version == history.first), None)
    if first is not None:
        table.add_row(_date(first.registered_at, timezone), str(first.version), "first champion", "", "trained first")
    for decision in history.decisions:
        table.add_row(
            _date(decision.decided_at, timezone), str(decision.version), decision.kind, decision.by, decision.why or "–"
        )
    if history.unrecorded:
        table.add_row("", str(history.champion or "–"), "unrecorded", "", "the alias was moved outside of Foresail")
    return table


def models(
    rows: "Mapping[str, Sequence[ModelRow]]", version_histories: "Mapping[str, VersionHistory]", timezone: str
) -> Shown:
    """The registered versions of each target, and below them its line of champions."""
    table = grid("target", "version", "alias", "kind", "grade", "trained as of", "log loss", "AUROC", numbers=(1, 6, 7))
    for target, versions in rows.items():
        for row in versions:
            metrics = [f"{row.metrics[name]:.4f}" if name in row.metrics else "–" for name in ("log_loss", "auroc")]
            table.add_row(
                target,
                str(row.version),
                ", ".join(row.aliases),
                row.rung,
                row.grade or NOT_GRADED,
                day(datetime.fromisoformat(row.trained_as_of), timezone),
                *metrics,
            )
    missing = [f"{target}: no model yet; foresail train {target} --as-of DATE" for target in rows if not rows[target]]
    lines: list[RenderableType] = []
    for target, versions in rows.items():
        if versions:
            lines += [
                f"the line of champions of {target}",
                line_of_champions(version_histories[target], versions, timezone),
            ]
    facts = {
        target: [dataclasses.asdict(row) | {"decisions": _about(row, version_histories[target])} for row in versions]
        for target, versions in rows.items()
    }
    return Shown([table, *missing, *lines], without_nan(facts))


def _about(row: "ModelRow", history: "VersionHistory") -> list[dict[str, Any]]:
    return [decision.to_json() for decision in history.decisions if decision.version == row.version]


def _date(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
