"""What moves what in the simulated company: the causal graph, each arrow with the parameter that sets its strength."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from training.reports.plots import BASELINE, INK, LINE, MODEL, QUIET, STYLE

MORE, LESS = "+", "−"
RED = "#b3402e"


@dataclass(frozen=True)
class Cause:
    """One arrow: more of `cause` makes more or less of `effect`, as strongly as `parameter` says."""

    cause: str
    effect: str
    sign: str
    parameter: str


CAUSES = (
    Cause("season", "orders", MORE, "world.season"),
    Cause("shock to the industry", "rival's pull", MORE, "world.shock_size"),
    Cause("shock to the industry", "budget", LESS, "world.shock_size"),
    Cause("who the account is", "satisfaction", MORE, "state.satisfaction_between"),
    Cause("who the account is", "orders", MORE, "orders.cycle_spread"),
    Cause("satisfaction", "orders", MORE, "orders.satisfaction"),
    Cause("budget", "orders", MORE, "orders.budget"),
    Cause("rival's pull", "orders", LESS, "orders.rival"),
    Cause("need", "orders", MORE, "orders.regularity"),
    Cause("orders", "need", LESS, "orders.cycle_days"),
    Cause("orders", "satisfaction", LESS, "orders.short_of_stock"),
    Cause("satisfaction", "leaving", LESS, "leaving.satisfaction"),
    Cause("rival's pull", "leaving", MORE, "leaving.rival"),
    Cause("champion", "leaving", LESS, "leaving.champion"),
    Cause("champion", "rival's pull", LESS, "relations.champion_gone"),
    Cause("machine's wear", "cases", MORE, "service.faults"),
    Cause("cases", "satisfaction", LESS, "service.complaint_satisfaction"),
    Cause("machine's wear", "replacement", MORE, "equipment.warning_days"),
    Cause("satisfaction", "replacement", MORE, "equipment.satisfaction"),
    Cause("rival's pull", "replacement", LESS, "equipment.rival"),
    Cause("replacement", "rival's pull", LESS, "equipment.rival_bought"),
    Cause("satisfaction", "meetings", MORE, "relations.meeting_satisfaction"),
    Cause("rival's pull", "meetings", LESS, "relations.meeting_rival"),
    Cause("meetings", "satisfaction", MORE, "relations.meeting_held"),
    Cause("satisfaction", "contract", MORE, "contracts.satisfaction"),
    Cause("rival's pull", "contract", LESS, "contracts.rival"),
    Cause("contract", "leaving", LESS, "contracts.leaves"),
    Cause("satisfaction", "reference", MORE, "relations.reference_satisfaction"),
    Cause("satisfaction", "logins and use", MORE, "engagement.usage_satisfaction"),
    Cause("contract", "logins and use", MORE, "engagement.logins"),
    Cause("satisfaction", "survey answers", MORE, "engagement.nps_satisfaction"),
    Cause("need", "visits", MORE, "engagement.visits_due"),
    Cause("machine's wear", "telemetry", MORE, "equipment.worn_faults"),
    Cause("playbook", "satisfaction", MORE, "playbooks.NAME.satisfaction"),
    Cause("playbook", "rival's pull", LESS, "playbooks.NAME.rival"),
    Cause("playbook", "orders", MORE, "playbooks.NAME.boost"),
    Cause("satisfaction", "playbook", MORE, "programme.habit_satisfaction"),
    Cause("who the account is", "playbook", MORE, "programme.habit_size"),
)
"""All arrows. That from satisfaction to playbook is the confounding: managers like to visit those who like them."""

PLACES = {
    "season": (0.0, 6.6), "who the account is": (0.0, 4.9), "playbook": (0.0, 3.0), "shock to the industry": (0.0, 0.9),
    "need": (2.6, 6.9), "satisfaction": (2.6, 4.2), "rival's pull": (2.6, 2.2), "budget": (2.6, 0.7),
    "machine's wear": (2.6, -0.5), "orders": (5.4, 6.4), "champion": (5.4, 5.4), "leaving": (5.4, 4.4),
    "contract": (5.4, 3.4), "meetings": (5.4, 2.4), "replacement": (5.4, 1.2), "cases": (5.4, 0.2),
    "visits": (8.0, 6.9), "logins and use": (8.0, 4.6), "survey answers": (8.0, 3.3), "reference": (8.0, 2.0),
    "telemetry": (8.0, -0.6),
}  # fmt: skip
COLUMNS = {0.0: "from outside", 2.6: "state: nobody sees it", 5.4: "what happens", 8.0: "what else shows"}
HIDDEN = ("satisfaction", "rival's pull", "budget", "need", "machine's wear")


def draw(path: Path) -> None:
    """The graph as a picture; the suffix decides the format."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11.5, 6.6), layout="constrained")
        axes = figure.subplots()
        axes.set(xlim=(-0.9, 8.9), ylim=(-1.4, 8.0))
        axes.axis("off")
        for at, title in COLUMNS.items():
            axes.text(at, 7.75, title, ha="center", color=QUIET, fontsize=10, style="italic")
        boxes = {name: _node(axes, name, x, y) for name, (x, y) in PLACES.items()}
        FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]  # arrows end at boxes, whose size is known only now
        for one in CAUSES:
            _arrow(axes, one, boxes)
        axes.text(
            -0.85,
            -1.3,
            "blue: more makes more    red: more makes less    ochre: the state that is simulated",
            color=QUIET,
            fontsize=9,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, facecolor="white", dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None)


def _node(axes: Axes, name: str, x: float, y: float) -> Any:
    hidden = name in HIDDEN
    box = {
        "boxstyle": "round,pad=0.35",
        "facecolor": "#fbf3e0" if hidden else "white",
        "edgecolor": BASELINE if hidden else LINE,
    }
    return axes.text(x, y, name, ha="center", va="center", color=INK, fontsize=9.5, bbox=box, zorder=3).get_bbox_patch()


def _arrow(axes: Axes, one: Cause, boxes: Mapping[str, Any]) -> None:
    begin, end = PLACES[one.cause], PLACES[one.effect]
    back = any((other.cause, other.effect) == (one.effect, one.cause) for other in CAUSES)
    axes.add_patch(
        FancyArrowPatch(
            begin, end, arrowstyle="-|>", mutation_scale=9, patchA=boxes[one.cause], patchB=boxes[one.effect], shrinkA=1, shrinkB=2, lw=1.1, alpha=0.75, zorder=1,
            color=MODEL if one.sign == MORE else RED, connectionstyle=f"arc3,rad={0.18 if back else 0.06}",
        )
    )  # fmt: skip
