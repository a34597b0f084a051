"""Models on the terminal: how good they are, beside what they must beat."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.show.answers import Shown, day, from_here, grid, without_nan
from foresail.show.appraisals import NOT_GRADED, appraised, graded

if TYPE_CHECKING:
    from training.evaluation import Evaluation
    from training.hindsight import Hindsight
    from training.tracking import ModelRow
    from training.train import TrainingResult


def trained(result: "TrainingResult") -> Shown:
    """A fresh model: how good each rung is out of time, which was chosen and why."""
    parts: list[RenderableType] = [
        Text(f"{result.name} version {result.version} is now {result.alias}", style="bold"),
        f"judged on {result.card['as_of_dates']['test'][:10]}, the newest closed horizon, which no choice had seen",
        judged(result.evaluation, result.card["target"]["happened"]),
        graded(result.appraisal.grade.letter, result.appraisal.grade.meaning),
        *appraised(result.appraisal, result.rung, result.evaluation.baseline),
        f"chosen on earlier dates: {result.choice}",
        f"calibration, chosen there too: {result.calibration.method}; {result.calibration.reason}",
        *(Text(f"note: {note}", style="yellow") for note in result.notes),
        f"report: {from_here(result.report_path)}",
    ]
    facts = {
        "name": result.name, "version": result.version, "alias": result.alias, "run_id": result.run_id,
        "rung": result.rung, "choice": result.choice, "calibration": result.calibration.method,
        "notes": list(result.notes), "evaluation": result.evaluation.to_json(), "report": str(result.report_path),
        **result.appraisal.to_json(),
    }  # fmt: skip
    return Shown(parts, without_nan(facts))


def hindsight(found: "Hindsight", timezone: str) -> Shown:
    """What a model would have said at a moment, beside what happened; or why that cannot be told yet."""
    facts: dict[str, Any] = {
        "version": found.version, "rung": found.rung, "as_of": found.as_of, "accounts": len(found.scores),
        "notes": list(found.notes), "open_because": found.open_because,
        "evaluation": found.evaluation.to_json() if found.evaluation else None,
        "report": str(found.report_path) if found.report_path else None, "trained_grade": found.trained_grade,
        **(found.appraisal.to_json() if found.appraisal else {}),
    }  # fmt: skip
    heading = f"version {found.version} ({found.rung}) as of {day(found.as_of, timezone)}: {len(found.scores):,} eligible accounts"
    notes = [Text(f"note: {note}", style="yellow") for note in found.notes]
    if found.evaluation is None or found.appraisal is None:
        return Shown([heading, *notes, f"not to be judged yet: {found.open_because}"], without_nan(facts))
    grade = found.appraisal.grade
    parts: list[RenderableType] = [
        heading,
        *notes,
        judged(found.evaluation, found.happened),
        _level(found),
        graded(grade.letter, f"{grade.meaning} (when trained: {found.trained_grade or NOT_GRADED})"),
        *appraised(found.appraisal, found.rung, found.evaluation.baseline),
    ]
    return Shown([*parts, f"report: {from_here(found.report_path)}"], without_nan(facts))


def _level(found: "Hindsight") -> str:
    """What was foreseen of all accounts together, and what happened."""
    said, real = found.scores["foreseen"], found.scores["happened"]
    answer = found.evaluation.answer if found.evaluation else "probability"
    if answer == "amount":
        return f"foreseen {said.sum():,.0f} in all, happened {real.sum():,.0f}"
    if answer == "days":
        came = np.isfinite(real)
        return f"{came.mean():.1%} ordered within {found.horizon_days} days; half of the accounts were foreseen within {said.median():.0f}"
    return f"foreseen {said.mean():.1%} {found.happened}, happened {real.mean():.1%}"


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
    return Text(f"{one.value:.3f}  {one.low:.3f}–{one.high:.3f}", style="bold" if better else "")


def promoted(target: str, version: int, before: int | None) -> Shown:
    """Which version scores from now on, and how to go back."""
    if before in {None, version}:
        said = f"{target}: version {version} is champion"
    else:
        said = (
            f"{target}: version {version} is champion now; back to the one before: foresail promote {target} {before}"
        )
    return Shown([said], {"target": target, "version": version, "before": before})


def models(rows: "Mapping[str, Sequence[ModelRow]]", timezone: str) -> Shown:
    """The registered versions of each target."""
    table = grid("target", "version", "alias", "kind", "grade", "trained as of", "log loss", "AUROC", numbers=(1, 6, 7))
    for target, versions in rows.items():
        for one in versions:
            metrics = [f"{one.metrics.get(name, math.nan):.4f}" for name in ("log_loss", "auroc")]
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
    facts = {target: [dataclasses.asdict(one) for one in versions] for target, versions in rows.items()}
    return Shown([table, *missing], without_nan(facts))
