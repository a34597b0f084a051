"""One page about a model: what it learnt from, how good it is beside the baseline, what moves it, what it cannot do."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from features.arrays import Floats
from registry.card import ModelCard
from registry.target_kinds import AnswerKind
from training.evaluation.comparison import Estimate, Evaluation
from training.evaluation.drivers import Driver
from training.evaluation.profit import Terms, profit_curve
from training.evaluation.summary import Summary
from training.metrics.probabilities import TOP_SHARE
from training.reports import answer_plots, plots

TEMPLATES = Path(__file__).parent / "templates"
TEMPLATE_OF = {"probability": "report.html", "amount": "numbers.html", "days": "numbers.html"}


@dataclass(frozen=True)
class Scored:
    """What happened, beside what the model and the baseline had said: answers of one kind."""

    labels: Floats
    model: Floats
    baseline: Floats
    answer: AnswerKind = "probability"
    horizon_days: float = 0.0
    """How long the accounts were followed; days are shown up to there."""
    happened: str = "churned"
    """The verb for label 1."""

    @property
    def them(self) -> str:
        """Those with label 1."""
        return "churners" if self.happened == "churned" else f"those who {self.happened}"


def of_training(
    card: ModelCard,
    evaluation: Evaluation,
    summary: Summary,
    scored: Scored,
    drivers: Sequence[Driver],
) -> str:
    """The page of a freshly trained model, judged on its test date: HTML that needs no other file."""
    return _page(
        card,
        evaluation,
        summary,
        scored,
        drivers=drivers,
        notes=card.notes,
        title=f"{card.project} · {card.target.name}",
        judged_at=card.test_date,
        shown=card.rung,
    )


def of_backtest(  # what a page is made of
    card: ModelCard,
    version: int,
    as_of: datetime,
    evaluation: Evaluation,
    summary: Summary,
    scored: Scored,
    notes: Sequence[str],
) -> str:
    """The page of a registered model, judged at a moment whose horizon has closed since."""
    return _page(
        card,
        evaluation,
        summary,
        scored,
        drivers=(),
        notes=notes,
        title=f"{card.project} · {card.target.name} · backtest of version {version}",
        judged_at=as_of,
        shown=card.rung,
        version=version,
    )


def drawn_plots(scored: Scored, names: tuple[str, str], terms: Terms | None) -> dict[str, str]:
    """The pictures of the page as files of their own: name → SVG. `names` are those of model and baseline."""
    if scored.answer == "amount":
        return {
            "plots/reliability.svg": answer_plots.amounts_by_tenth(scored.model, scored.labels),
            "plots/gains.svg": answer_plots.amounts_captured(scored.labels, scored.model, scored.baseline, names),
        }
    if scored.answer == "days":
        return {
            "plots/reliability.svg": answer_plots.days_foreseen(scored.model, scored.labels, scored.horizon_days),
            "plots/gains.svg": answer_plots.days_spread(scored.model, scored.labels, scored.horizon_days),
        }
    drawn = {
        "plots/reliability.svg": plots.reliability(scored.model, scored.labels),
        "plots/gains.svg": plots.cumulative_gains(
            scored.labels, scored.model, scored.baseline, names, terms.capacity if terms else TOP_SHARE, scored.them
        ),
    }
    if terms is None:
        return drawn
    curves = [profit_curve(p, scored.labels, terms) * len(scored.labels) for p in (scored.model, scored.baseline)]
    profit = plots.profit(curves[0], curves[1], names, terms.capacity, terms.currency)
    return {**drawn, "plots/profit.svg": profit}


def write(page: str, path: Path | None) -> Path | None:
    """Write a page, making its folder; nothing to do without a path."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    return path


def _page(card: ModelCard, evaluation: Evaluation, summary: Summary, scored: Scored, **more: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "day": _day,
        "estimate": _estimate,
        "figure": figure,
        "number": _number,
        "money": _money,
        "percent": _percent,
    }
    capacity = summary.profit.terms if summary.profit else None
    drawn = drawn_plots(scored, (card.rung, evaluation.baseline), capacity)
    return environment.get_template(TEMPLATE_OF[scored.answer]).render(
        {
            "version": None,
            **more,
            "card": card,
            "evaluation": evaluation,
            "summary": summary,
            "caught": _caught(scored, capacity.capacity) if capacity else None,
            "metrics": evaluation.described,
            "reliability": drawn["plots/reliability.svg"],
            "gains": drawn["plots/gains.svg"],
            "profit_curve": drawn.get("plots/profit.svg", ""),
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


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}" if (moment.hour, moment.minute) == (0, 0) else f"{moment:%Y-%m-%d %H:%M} UTC"


def _estimate(estimate: Estimate) -> str:
    return figure(estimate.value)


def figure(value: float) -> str:
    """A figure to three decimals, or, from a hundred on, to the whole."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"


def _caught(scored: Scored, share: float) -> float:
    """The share of all churners among the riskiest `share` of the accounts."""
    shares, captured = plots.gains(scored.model, scored.labels)
    return float(np.interp(share, shares, captured))


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _money(value: float) -> str:
    """An amount with as many digits as can matter."""
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}\u202f%"
