"""Pictures of how good probabilities are, as SVG to put into a page. No pyplot: nothing global is touched."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.figure import Figure

from training.metrics import CALIBRATION_BINS, TOP_SHARE, Floats, Ranking, calibration_bins

INK, QUIET, LINE, MODEL, BASELINE = "#1f2933", "#7b8794", "#e4e7eb", "#0b6e99", "#b08900"
STYLE: Any = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "svg.fonttype": "none",  # text stays text: the page's own font, selectable
    "svg.hashsalt": "foresail",  # the same figure gives the same bytes
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "text.color": INK,
}
PAPER: Any = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
LONG_ENOUGH = 400


def reliability(probability: Floats, labels: Floats) -> str:
    """Realised churn rate against mean probability, in ten bins of equal mass; below, how many accounts lie where."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
        _reliability_curve(above, probability, labels)
        below.hist(probability, bins=np.linspace(0.0, 1.0, 41).tolist(), color=MODEL, alpha=0.55)
        below.set(xlabel="predicted probability of churn", ylabel="accounts", xlim=(0, 1))
        return _svg(figure)


def cumulative_gains(labels: Floats, model: Floats, baseline: Floats, names: tuple[str, str]) -> str:
    """Share of all churners found among the riskiest share of accounts, the top decile marked."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
        if names[0] != names[1]:
            axes.plot(*_gains(baseline, labels), color=BASELINE, lw=1.6, label=f"{names[1]} (baseline)")
        shares, found = _gains(model, labels)
        axes.plot(shares, found, color=MODEL, lw=2.2, label=names[0])
        caught = float(np.interp(TOP_SHARE, shares, found))
        axes.axvline(TOP_SHARE, color=LINE, lw=1, zorder=0)
        axes.plot([TOP_SHARE], [caught], "o", color=MODEL, ms=6)
        said = f"the riskiest {TOP_SHARE:.0%} hold {caught:.0%} of the churners"
        axes.annotate(said, (TOP_SHARE, caught), (14, -4), textcoords="offset points", va="top", color=INK, bbox=PAPER)
        axes.set(
            xlabel="share of accounts, riskiest first", ylabel="share of churners found", xlim=(0, 1), ylim=(0, 1.01)
        )
        _percent(axes)
        axes.legend(frameon=False, loc="lower right")
        return _svg(figure)


@dataclass(frozen=True)
class Course:
    """A number over time with its interval: one entry a date."""

    value: Floats
    low: Floats
    high: Floats


def quality_over_time(
    dates: Sequence[datetime],
    seen: Sequence[bool],
    courses: Mapping[str, tuple[Course, Course]],
    names: tuple[str, str],
) -> str:
    """A panel for each of `courses` (title → that of the model, that of the baseline), dates from left to right.

    Hollow points lie on dates whose horizon the training had seen: they say nothing about accounts to come.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 2.5 * len(courses) + 0.6), layout="constrained")
        panels = figure.subplots(len(courses), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, pair) in zip(panels, courses.items(), strict=True):
            for course, name, colour in zip(pair, names, (MODEL, BASELINE), strict=True):
                _course(axes, dates, course, seen, (name, colour))
            axes.set(ylabel=title)
            axes.grid(color=LINE, lw=0.7)
            axes.set_axisbelow(True)
        panels[0].legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
        panels[-1].xaxis.set_major_formatter(_dates_of(panels[-1]))
        return _svg(figure)


def _dates_of(axes: Axes) -> Any:
    return ConciseDateFormatter(axes.xaxis.get_major_locator())  # type: ignore[no-untyped-call]


def _course(axes: Axes, dates: Sequence[datetime], course: Course, seen: Sequence[bool], look: tuple[str, str]) -> None:
    name, colour = look
    when: Any = list(dates)
    axes.fill_between(when, course.low, course.high, color=colour, alpha=0.12, lw=0)
    axes.plot(when, course.value, color=colour, lw=1.8, label=name)
    for hollow, fill in ((True, "white"), (False, colour)):
        here = [place for place, one in enumerate(seen) if one == hollow]
        axes.plot(
            [when[place] for place in here], course.value[here], "o", ms=5, color=colour, mfc=fill, label="_nolegend_"
        )


def _reliability_curve(axes: Axes, probability: Floats, labels: Floats) -> None:
    predicted, happened, counts = reliability_points(probability, labels)
    error = 1.96 * np.sqrt(np.clip(happened * (1 - happened), 1e-9, None) / counts)
    lower, upper = np.minimum(error, happened), np.minimum(error, 1 - happened)
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="what is said happens")
    axes.errorbar(
        predicted, happened, yerr=[lower, upper], fmt="o-", color=MODEL, ms=5, lw=1.6, elinewidth=1, label="model"
    )
    axes.set(ylabel="realised churn rate", xlim=(0, 1), ylim=(-0.02, 1.02))
    _percent(axes)
    axes.legend(
        frameon=False, loc="upper left", title=f"each point ≈ {int(np.median(counts)):,} accounts", alignment="left"
    )


def reliability_points(probability: Floats, labels: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean probability, churn rate and number of accounts of each bin, the safest first."""
    ranking = Ranking.of(probability, labels)
    bins = calibration_bins(ranking, CALIBRATION_BINS)
    counts = np.bincount(bins).astype(np.float64)
    filled = counts > 0
    predicted = np.bincount(bins, weights=probability[ranking.order])[filled] / counts[filled]
    happened = np.bincount(bins, weights=ranking.labels)[filled] / counts[filled]
    return predicted[::-1], happened[::-1], counts[filled][::-1]


def _gains(probability: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Points at the ends of runs of equal probabilities: a straight line between is a draw among equals."""
    churned, stayed = (mass[0] for mass in Ranking.of(probability, labels).masses(np.ones((1, len(labels)))))
    shares = np.r_[0.0, np.cumsum(churned + stayed)] / len(labels)
    found = np.r_[0.0, np.cumsum(churned)] / max(churned.sum(), 1.0)
    if len(shares) > LONG_ENOUGH:
        grid = np.linspace(0.0, 1.0, LONG_ENOUGH)
        return grid, np.interp(grid, shares, found)
    return shares, found


def _percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
