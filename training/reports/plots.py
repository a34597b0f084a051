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

from features.arrays import Floats
from training.evaluation.profit import CURVE
from training.metrics.probabilities import CALIBRATION_BINS, Ranking, calibration_bins, rate_interval

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
        below.set(xlabel="predicted probability", ylabel="accounts")
        return as_svg(figure)


def cumulative_gains(  # a picture is made of all this
    labels: Floats, model: Floats, baseline: Floats, names: tuple[str, str], capacity: float, them: str = "churners"
) -> str:
    """Share of all churners found among the riskiest share of accounts; marked is the share that the team can contact."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
        if names[0] != names[1]:
            axes.plot(*gains(baseline, labels), color=BASELINE, lw=1.6, label=f"{names[1]} (baseline)")
        shares, captured = gains(model, labels)
        axes.plot(shares, captured, color=MODEL, lw=2.2, label=names[0])
        caught = float(np.interp(capacity, shares, captured))
        _mark(axes, capacity, caught, f"the team's {_share(capacity)} hold {caught:.0%} of the {them}")
        axes.set(
            xlabel=f"share of accounts, {'riskiest' if them == 'churners' else 'likeliest'} first",
            ylabel=f"share of {them} found",
            xlim=(0, 1),
            ylim=(0, 1.14),
        )
        as_percent(axes)
        axes.set_yticks(np.linspace(0, 1, 6).tolist())
        axes.legend(frameon=False, loc="lower right")
        return as_svg(figure)


def profit(model: Floats, baseline: Floats, names: tuple[str, str], capacity: float, currency: str) -> str:
    """Expected profit, over all judged accounts, at every share of `profit.CURVE`; marked is the team's capacity."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        axes.axhline(0, color=QUIET, lw=1, ls=(0, (2, 3)))
        axes.plot([0, 1], [0, float(model[-1])], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
        if names[0] != names[1]:
            axes.plot(CURVE, baseline, color=BASELINE, lw=1.6, label=f"{names[1]} (baseline)")
        axes.plot(CURVE, model, color=MODEL, lw=2.2, label=names[0])
        earned = float(np.interp(capacity, CURVE, model))
        _mark(axes, capacity, earned, f"the team's {_share(capacity)}: {earned:,.0f} {currency}".rstrip())
        axes.set(
            xlabel="share of accounts contacted, riskiest first",
            ylabel=f"expected profit {currency}".rstrip(),
            xlim=(0, 1),
        )
        as_percent(axes)
        axes.yaxis.set_major_formatter(lambda amount, _: f"{amount:,.0f}")
        axes.set_ylim(*_heights(model, baseline))
        axes.legend(frameon=False, loc="lower left")
        return as_svg(figure)


def _heights(model: Floats, baseline: Floats) -> tuple[float, float]:
    """How far to draw: contacting everybody can lose so much that nothing else would be seen; above is room for words."""
    best, worst = max(float(model.max()), float(baseline.max())), float(min(model.min(), baseline.min()))
    return (max(1.05 * worst, -1.5 * best), 1.25 * best) if best > 0 else (1.05 * worst - 1.0, 1.0 - 0.2 * worst)


def _mark(axes: Axes, share: float, height: float, words: str) -> None:
    """The words at the top of the line, clear of the curves."""
    axes.axvline(share, color=LINE, lw=1, zorder=0)
    axes.plot([share], [height], "o", color=MODEL, ms=6)
    place: dict[str, Any] = {
        "xycoords": axes.get_xaxis_transform(),
        "textcoords": "offset points",
        "va": "top",
        "color": INK,
    }
    axes.annotate(
        words, (share, 1.0), (6, -4) if share < 0.5 else (-6, -4), ha="left" if share < 0.5 else "right", **place
    )


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


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
        return as_svg(figure)


def _dates_of(axes: Axes) -> Any:
    return ConciseDateFormatter(axes.xaxis.get_major_locator())  # type: ignore[no-untyped-call]


def _course(axes: Axes, dates: Sequence[datetime], course: Course, seen: Sequence[bool], look: tuple[str, str]) -> None:
    name, colour = look
    when: Any = list(dates)
    axes.fill_between(when, course.low, course.high, color=colour, alpha=0.12, lw=0)
    axes.plot(when, course.value, color=colour, lw=1.8, label=name)
    for hollow, fill in ((True, "white"), (False, colour)):
        here = [place for place, is_seen in enumerate(seen) if is_seen == hollow]
        axes.plot(
            [when[place] for place in here], course.value[here], "o", ms=5, color=colour, mfc=fill, label="_nolegend_"
        )


def _reliability_curve(axes: Axes, probability: Floats, labels: Floats) -> None:
    predicted, happened, counts = reliability_points(probability, labels)
    bounds = np.array([rate_interval(round(rate * n), int(n)) for rate, n in zip(happened, counts, strict=True)])
    lower, upper = np.maximum(happened - bounds[:, 0], 0.0), np.maximum(bounds[:, 1] - happened, 0.0)
    axes.plot([0, 1], [0, 1], color=QUIET, lw=1, ls=(0, (2, 3)), label="what is said happens")
    axes.errorbar(
        predicted, happened, yerr=[lower, upper], fmt="o-", color=MODEL, ms=5, lw=1.6, elinewidth=1, label="model"
    )
    farthest = min(1.0, float(np.ceil(10 * max(probability.max(), bounds.max())) / 10))
    axes.set(ylabel="realised rate", xlim=(0, farthest), ylim=(-0.02 * farthest, 1.02 * farthest))
    as_percent(axes)
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


def gains(probability: Floats, labels: Floats) -> tuple[Floats, Floats]:
    """Points at the ends of runs of equal probabilities: a straight line between is a draw among equals."""
    churned, stayed = (mass[0] for mass in Ranking.of(probability, labels).masses(np.ones((1, len(labels)))))
    shares = np.r_[0.0, np.cumsum(churned + stayed)] / len(labels)
    captured = np.r_[0.0, np.cumsum(churned)] / max(churned.sum(), 1.0)
    if len(shares) > LONG_ENOUGH:
        grid = np.linspace(0.0, 1.0, LONG_ENOUGH)
        return grid, np.interp(grid, shares, captured)
    return shares, captured


def as_percent(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)


def as_svg(figure: Figure) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
