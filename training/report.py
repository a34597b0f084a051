"""One page about a model: what it learnt from, how good it is beside the baseline, what moves it, what it cannot do."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2

from training import figures, figures_of_answers
from training.drivers import Driver
from training.evaluation import Estimate, Evaluation
from training.metrics import Floats
from training.targets import Answer

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE_OF = {"probability": "report.html", "amount": "numbers.html", "days": "numbers.html"}


@dataclass(frozen=True)
class Scored:
    """What happened, beside what the model and the baseline had said: answers of one kind."""

    labels: Floats
    model: Floats
    baseline: Floats
    answer: Answer = "probability"
    horizon_days: float = 0.0
    """How long the accounts were followed; days are shown up to there."""


def of_training(card: Mapping[str, Any], evaluation: Evaluation, scored: Scored, drivers: Sequence[Driver]) -> str:
    """The page of a freshly trained model, judged on its test date: HTML that needs no other file."""
    return _page(
        card,
        evaluation,
        scored,
        drivers=drivers,
        notes=card["notes"],
        title=f"{card['project']} · {card['target']['name']}",
        judged_at=card["as_of_dates"]["test"],
        shown=card["rung"],
    )


def of_hindsight(
    card: Mapping[str, Any], version: int, as_of: datetime, evaluation: Evaluation, scored: Scored, notes: Sequence[str]
) -> str:
    """The page of a registered model, judged at a moment whose horizon has closed since."""
    return _page(
        card,
        evaluation,
        scored,
        drivers=(),
        notes=notes,
        title=f"{card['project']} · {card['target']['name']} · version {version} in hindsight",
        judged_at=as_of.isoformat(),
        shown=card["rung"],
        version=version,
    )


def plots(scored: Scored, names: tuple[str, str]) -> dict[str, str]:
    """The pictures of the page as files of their own: name → SVG. `names` are those of model and baseline."""
    if scored.answer == "amount":
        return {
            "plots/reliability.svg": figures_of_answers.amounts_by_tenth(scored.model, scored.labels),
            "plots/gains.svg": figures_of_answers.amounts_captured(scored.labels, scored.model, scored.baseline, names),
        }
    if scored.answer == "days":
        return {
            "plots/reliability.svg": figures_of_answers.days_foreseen(scored.model, scored.labels, scored.horizon_days),
            "plots/gains.svg": figures_of_answers.days_spread(scored.model, scored.labels, scored.horizon_days),
        }
    return {
        "plots/reliability.svg": figures.reliability(scored.model, scored.labels),
        "plots/gains.svg": figures.cumulative_gains(scored.labels, scored.model, scored.baseline, names),
    }


def write(page: str, path: Path | None) -> Path | None:
    """Write a page, making its folder; nothing to do without a path."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    return path


def _page(card: Mapping[str, Any], evaluation: Evaluation, scored: Scored, **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"day": _day, "estimate": _estimate, "number": _number}
    drawn = plots(scored, (card["rung"], evaluation.baseline))
    return environment.get_template(TEMPLATE_OF[scored.answer]).render(
        {
            "version": None,
            **more,
            "card": card,
            "evaluation": evaluation,
            "metrics": evaluation.described,
            "reliability": drawn["plots/reliability.svg"],
            "gains": drawn["plots/gains.svg"],
            "verdicts": {
                metric.name: _verdict(evaluation, more["shown"], metric.name) for metric in evaluation.described
            },
        }
    )


def _verdict(evaluation: Evaluation, model: str, metric: str) -> str:
    """better, worse or within noise of the baseline; nothing to say of the baseline itself."""
    if model == evaluation.baseline:
        return ""
    if evaluation.beats_baseline(model, metric):
        return "better"
    difference = evaluation.differences[model][metric]
    return "within noise" if difference.low <= 0 <= difference.high else "worse"


def _day(iso: str) -> str:
    moment = datetime.fromisoformat(iso)
    return f"{moment:%Y-%m-%d}" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%Y-%m-%d %H:%M} UTC"


def _estimate(estimate: Estimate) -> str:
    return "–" if math.isnan(estimate.value) else f"{estimate.value:.3f}"


def _number(value: float) -> str:
    return f"{value:,.0f}"
