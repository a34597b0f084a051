"""The truth opened: what a model said, beside what could have been known and what would have been best."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from features.arrays import Array, Floats
from foresail.simulation.truth.tables import TruthError, read, targets
from registry.target_kinds import WITH_PROBABILITY
from training.metrics.probabilities import TOP_SHARE, Ranking, lift_at, measure
from training.reports.plots import BASELINE, LINE, MODEL, QUIET, STYLE

if TYPE_CHECKING:
    from training.backtest.backtest import Backtest

TRUE, PALE = "#3d8b40", "#8fc1d6"
TRUTH = "the truth"
PLAYBOOK = "win_back_offer"
"""What is compared by whom it is offered: it helps some, annoys others, and costs something."""
BINS = 10
SELDOM = 0.005


@dataclass(frozen=True)
class Rank:
    """One way to rank accounts by risk, judged by what happened."""

    name: str
    auroc: float
    log_loss: float
    captured: float
    """Share of all churners among the riskiest `top` accounts."""


@dataclass(frozen=True)
class TruthReport:
    """A model beside the truth at one moment. `rankings`: the baseline, the model, the truth."""

    accounts: int
    churned: int
    top: float
    rankings: Sequence[Rank]
    mean_said: float
    mean_true: float
    mean_distance: float
    """Mean |model's probability − true probability|."""
    correlation: float
    playbook: str
    calls: int
    could_be_called: int
    acted: Mapping[str, float]
    """True net value of that many calls, by how the accounts were chosen; the best possible last. Of churn alone."""
    predicted: Floats
    true: Floats
    curves: Mapping[str, Floats]
    """For each ranking the share of churners found, at each share of accounts of a grid of a hundred steps."""
    happened: str = "churned"

    def share_of_the_way(self, one: Rank) -> float:
        """How far from guessing to the truth's own AUROC: nobody can rank better than the truth does."""
        best = self.rankings[-1].auroc
        return (one.auroc - 0.5) / (best - 0.5) if best > 0.5 else float("nan")

    @property
    def best_acted(self) -> float:
        return list(self.acted.values())[-1]

    def to_json(self) -> dict[str, Any]:
        """The figures without the curves."""
        return {key: value for key, value in asdict(self).items() if key not in {"predicted", "true", "curves"}}


def compare(backtest: "Backtest", truth: Path) -> TruthReport:
    """Hold the scores of a closed horizon against the truth as of the same moment; TruthError if it is not that of them."""
    if backtest.evaluation is None:
        raise ValueError(f"the horizon has not closed: {backtest.open_because}")
    if backtest.kind not in WITH_PROBABILITY:
        raise TruthError(
            f"the truth is held against {', '.join(WITH_PROBABILITY)}; a model of {backtest.kind} answers something else"
        )
    truths = targets(truth, backtest.as_of, backtest.horizon_days, backtest.scores.index)
    rows = truths.join(backtest.scores)
    labels = rows["happened"].to_numpy()
    predicted, true = rows["foreseen"].to_numpy(), rows[backtest.kind].to_numpy()
    if backtest.kind != "churn":  # counted in some dozens of futures, in which never is not impossible
        true = np.clip(true, SELDOM, 1.0 - SELDOM)
    baseline = f"{backtest.evaluation.baseline} (baseline)"
    ways = {baseline: rows["baseline"].to_numpy(), backtest.rung: predicted, TRUTH: true}
    if backtest.rung == backtest.evaluation.baseline:
        del ways[backtest.rung]
    return TruthReport(
        len(rows), int(labels.sum()), TOP_SHARE,
        [_judged(name, probability, labels) for name, probability in ways.items()],
        float(predicted.mean()), float(true.mean()), float(np.abs(predicted - true).mean()), _correlation(predicted, true),
        PLAYBOOK, *(_acted(rows, read(truth, "effects", backtest.as_of)) if backtest.kind == "churn" else (0, 0, {})), predicted, true,
        {name: _found(probability, labels) for name, probability in ways.items()}, backtest.happened,
    )  # fmt: skip


def _correlation(predicted: Floats, true: Floats) -> float:
    """NaN where either is the same for all."""
    return float(np.corrcoef(predicted, true)[0, 1]) if np.ptp(predicted) > 0 and np.ptp(true) > 0 else float("nan")


def _judged(name: str, probability: Floats, labels: Floats) -> Rank:
    values = measure(probability, labels)
    captured = TOP_SHARE * values["lift_top_decile"][0]
    return Rank(name, float(values["auroc"][0]), float(values["log_loss"][0]), float(captured))


def _found(probability: Floats, labels: Floats) -> Floats:
    churned, stayed = Ranking.of(probability, labels).masses(np.ones((1, len(labels))))
    shares = np.arange(1, 101) / 100.0
    return np.array([share * lift_at(share, churned, stayed)[0] for share in shares])


def _acted(rows: pd.DataFrame, effects: pd.DataFrame) -> tuple[int, int, dict[str, float]]:
    """What so many calls would bring, by whom they go to: a tenth of those in the situation, one each.

    Only the last way stops where a call costs more than it brings: only the truth knows where that is.
    """
    own = effects[effects["playbook"] == PLAYBOOK]
    both = rows.join(own[["net"]], how="inner")
    calls = -(-len(both) // 10)
    orders = {
        "by the model's risk": both["foreseen"],
        "by risk × a year's orders": both["foreseen"] * both["yearly_pace"],
    }
    net = {name: float(both.loc[order.nlargest(calls).index, "net"].sum()) for name, order in orders.items()}
    best = float(both["net"].nlargest(calls).clip(lower=0).sum())
    at_random = float(calls * both["net"].mean()) if calls else 0.0
    return calls, len(both), {"at random, on average": at_random, **net, "by true effect: the best there is": best}


def draw(report: TruthReport, path: Path) -> Path:
    """One picture: ranking against the attainable, calibration against the truth, and what acting would bring."""
    with mpl.rc_context(STYLE):
        parts = [(_ranking, 1.1), (_calibration, 1.0), *([(_acting, 0.9)] if report.acted else [])]
        figure = Figure(figsize=(4.4 * len(parts), 4.3), layout="constrained")
        widths = [width for _, width in parts]
        for (part, _), axes in zip(parts, figure.subplots(1, len(parts), width_ratios=widths), strict=True):
            part(axes, report)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150, facecolor="white")
    return path


def _ranking(axes: Axes, report: TruthReport) -> None:
    shares = np.arange(101) / 100.0
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
    for ranking in report.rankings:
        colour = TRUE if ranking.name == TRUTH else BASELINE if ranking is report.rankings[0] else MODEL
        label = f"{ranking.name}: AUROC {ranking.auroc:.3f}"
        axes.plot(shares, np.r_[0.0, report.curves[ranking.name]], color=colour, lw=2, label=label)
    axes.set(
        xlabel="share of accounts, likeliest first",
        ylabel=f"share found of those who {report.happened}",
        xlim=(0, 1),
        ylim=(0, 1.01),
    )
    axes.set_title("Ranking, up to what can be known", loc="left")
    _tidy(axes)
    axes.legend(frameon=False, loc="lower right", fontsize=8.5, markerscale=1.5)


def _calibration(axes: Axes, report: TruthReport) -> None:
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)))
    axes.plot(report.predicted, report.true, ".", color=MODEL, ms=2.5, alpha=0.25, rasterized=True, label="an account")
    predicted, true = _binned(report.predicted, report.true)
    axes.plot(predicted, true, "o-", color=TRUE, ms=5, lw=1.6, label="mean of a tenth of them")
    most = float(min(1.03, 1.1 * max(report.predicted.max(), report.true.max(), 0.05)))
    axes.set(xlabel="probability that the model gave", ylabel="true probability", xlim=(0, most), ylim=(0, most))
    axes.set_title("Calibration, against the truth itself", loc="left")
    _tidy(axes)
    axes.legend(frameon=False, loc="lower right", fontsize=8.5, markerscale=1.5)


def _binned(predicted: Floats, true: Floats) -> tuple[Array, Array]:
    order = np.argsort(predicted, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return np.array([predicted[part].mean() for part in parts]), np.array([true[part].mean() for part in parts])


def _acting(axes: Axes, report: TruthReport) -> None:
    names, values = list(report.acted), np.array(list(report.acted.values()))
    bars = axes.barh(range(len(names)), values, color=[QUIET, PALE, MODEL, TRUE], height=0.6)
    axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=4, fontsize=8.5)
    axes.set_yticks(range(len(names)), [name.replace(": ", ":\n") for name in names], fontsize=8.5)
    axes.invert_yaxis()
    axes.axvline(0, color=QUIET, lw=0.8)
    # Room for the figures beside the bars, on the side to which each points.
    span = max(float(np.ptp(np.r_[0.0, values])), 1.0)
    axes.set_xlim(
        min(0.0, values.min()) - (0.25 * span if values.min() < 0 else 0.0), max(0.0, values.max()) + 0.3 * span
    )
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set(xlabel="true net value")
    axes.set_title(f"Acting, {report.calls:,} calls ({report.playbook.replace('_', ' ')})", loc="left")
    axes.grid(axis="x", color=LINE, lw=0.7)
    axes.set_axisbelow(True)


def _tidy(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)
