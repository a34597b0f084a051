"""Pictures of how good amounts and days are, in the style of those of probabilities."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.arrays import Floats
from training.metrics.probabilities import CALIBRATION_BINS
from training.models.next_order import chance_by
from training.reports.plots import BASELINE, LINE, MODEL, QUIET, STYLE, as_percent, as_svg


def amounts_by_tenth(foreseen: Floats, real: Floats) -> str:
    """Mean real amount of each tenth of the accounts, ordered by what was foreseen, beside the mean foreseen."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes, tenths = figure.subplots(), _tenths(foreseen)
        foreseen_means, real_means = [[float(values[rows].mean()) for rows in tenths] for values in (foreseen, real)]
        error = [1.96 * float(real[rows].std()) / np.sqrt(len(rows)) for rows in tenths]
        place = np.arange(1, len(tenths) + 1)
        axes.bar(place, foreseen_means, color=MODEL, alpha=0.3, label="foreseen")
        axes.errorbar(place, real_means, yerr=error, fmt="o", color=MODEL, ms=5, elinewidth=1, label="real")
        axes.set(xlabel="tenth of the accounts, least foreseen first", ylabel="mean amount", xticks=place)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        _grid(axes)
        return as_svg(figure)


def amounts_captured(real: Floats, model: Floats, baseline: Floats, names: tuple[str, str]) -> str:
    """Share of all that was ordered that the accounts foreseen highest ordered; the best possible order knows the outcome."""
    curves = (
        (real, QUIET, "best possible order"),
        (baseline, BASELINE, f"{names[1]} (baseline)"),
        (model, MODEL, names[0]),
    )
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
        for order, colour, name in curves[: 2 + (names[0] != names[1])]:
            captured = np.r_[0.0, np.cumsum(real[np.argsort(-order, kind="stable")])] / max(float(real.sum()), 1e-12)
            axes.plot(np.linspace(0, 1, len(captured)), captured, color=colour, lw=1.8, label=name)
        axes.set(xlabel="share of accounts, highest first", ylabel="share of all that was ordered", xlim=(0, 1))
        as_percent(axes)
        axes.legend(frameon=False, loc="lower right")
        return as_svg(figure)


def days_foreseen(answers: Floats, real: Floats, horizon_days: float) -> str:
    """Share of each third of the accounts that had ordered by each day, and what was foreseen of them."""
    days = np.linspace(horizon_days / 60, horizon_days, 60)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        for rows, style, name in zip(
            _parts(answers[:, 0], 3), ("-", "--", ":"), ("soonest", "middle", "latest"), strict=True
        ):
            foreseen_shares = [float(chance_by(answers[rows], day).mean()) for day in days]
            real_shares = [float((real[rows] <= day).mean()) for day in days]
            axes.plot(days, foreseen_shares, style, color=BASELINE, lw=1.6, label=f"{name} third, foreseen")
            axes.plot(days, real_shares, style, color=MODEL, lw=2.0, label=f"{name} third, real")
        axes.set(xlabel="days after as_of", ylabel="share that has ordered", xlim=(0, horizon_days), ylim=(0, 1.01))
        axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        _grid(axes)
        return as_svg(figure)


def days_spread(answers: Floats, real: Floats, horizon_days: float) -> str:
    """Real days over the foreseen median, with the interval that should hold 80 % of them."""
    rows = np.argsort(answers[:, 0], kind="stable")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        median, low, high = np.minimum(answers[rows], horizon_days).T
        axes.fill_between(median, low, high, color=MODEL, alpha=0.15, lw=0, label="80 % interval")
        came = np.isfinite(real[rows])
        axes.scatter(median[came], real[rows][came], s=6, color=MODEL, alpha=0.5, lw=0, label="ordered")
        axes.scatter(
            median[~came],
            np.full(int((~came).sum()), horizon_days),
            s=8,
            marker="^",
            color=QUIET,
            alpha=0.5,
            lw=0,
            label="not yet",
        )
        axes.set(
            xlabel="median foreseen, days",
            ylabel="days until the order",
            xlim=(0, horizon_days),
            ylim=(0, 1.03 * horizon_days),
        )
        _grid(axes)
        return as_svg(figure)


def _tenths(order: Floats) -> Sequence[Floats]:
    return [rows for rows in _parts(order, CALIBRATION_BINS) if len(rows)]


def _parts(order: Floats, parts: int) -> Sequence[Floats]:
    return np.array_split(np.argsort(order, kind="stable"), parts)


def _grid(axes: Axes) -> None:
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False)
