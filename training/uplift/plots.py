"""Pictures of whom to treat, as SVG in the style of the training's report."""

import io

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.reports.plots import BASELINE, LINE, MODEL, QUIET, STYLE
from training.uplift.estimate import Effect
from training.uplift.learner_selection import Contender


def targeting_curve(effect: Effect) -> str:
    """What treating the best share of the accounts brings an account of all, against treating as many at random."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        curve = effect.targeting
        axes.plot([0, 1], [0, curve.value[-1]], color=QUIET, lw=1, ls=(0, (2, 3)), label="at random")
        axes.fill_between(
            curve.shares, curve.low, curve.high, color=MODEL, alpha=0.13, lw=0, label="95 % at each share"
        )
        axes.plot(curve.shares, curve.value, color=MODEL, lw=2.2, label=f"best first, by {effect.choice.name}")
        best = int(np.argmax(curve.value))
        axes.plot([curve.shares[best]], [curve.value[best]], "o", color=BASELINE, ms=6)
        axes.set(xlabel="share of accounts treated", ylabel="value an account of all, cost taken off", xlim=(0, 1.01))
        _finish(axes, effect)
        return _svg(figure)


def qini_curves(effect: Effect) -> str:
    """The average effect gained by the best share, for every learner; the higher above the straight line, the better."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.subplots()
        for contender in effect.contenders:
            _qini_curve(axes, contender, is_chosen=contender is effect.chosen)
        axes.set(
            xlabel="share of accounts treated, best first", ylabel="outcome gained, an account of all", xlim=(0, 1.01)
        )
        _finish(axes, effect)
        return _svg(figure)


def _qini_curve(axes: Axes, contender: Contender, *, is_chosen: bool) -> None:
    color, width = (MODEL, 2.2) if is_chosen else (QUIET, 1.0)
    label = f"{contender.name}: Qini {contender.quality.qini.value:+.4f}"
    axes.plot(contender.quality.shares, contender.quality.curve, color=color, lw=width, label=label)


def _finish(axes: Axes, effect: Effect) -> None:
    """A mark that must not be lost stands in the picture itself."""
    axes.axhline(0, color=LINE, lw=0.8, zorder=0)
    axes.set_title(f"{effect.treatment} against {effect.control}", loc="left", fontsize=10)
    if effect.mark:
        axes.text(0.0, -0.22, effect.mark, transform=axes.transAxes, color=BASELINE, fontsize=8)
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left")


def _svg(figure: Figure) -> str:
    """The same figure gives the same bytes: no date, and the salt of the style."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]
