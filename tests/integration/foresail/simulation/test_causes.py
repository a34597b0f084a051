"""The causal graph is true: parameters move what their arrows point at, in the direction they say; its picture is in step."""

import numpy as np
import pytest
from simulated import merged, settings

from foresail.docgen.reference import DOCS
from foresail.simulation.causes import CAUSES, PLACES, draw
from foresail.simulation.company import simulate
from foresail.simulation.world import dynamics

SIZE = 700


def kinds(histories, kind, word=None):
    events = histories.events[histories.events["kind"] == kind]
    return len(events) if word is None else int((events["word"] == word).sum())


def orders(histories):
    return histories.end["orders"].sum()


def left(histories):
    return (histories.end["left"] >= 0).sum()


def satisfaction(histories):
    return histories.states[0]["satisfaction"].mean()


def rival(histories):
    return histories.states[0]["rival"].mean()


# Of a parameter: two values, and what must be larger under the second.
MOVES = [
    ("orders.short_of_stock_satisfaction", -2.0, 0.0, satisfaction),
    ("relations.champion_gone", 0.0, 2.0, rival),
    ("leaving.champion", 2.0, -2.0, left),
    ("service.faults", 0.0, 3.0, lambda histories: kinds(histories, dynamics.CASE)),
    ("service.complaint_satisfaction", -3.0, 0.0, satisfaction),
    ("service.open_satisfaction", -1.0, 0.0, satisfaction),
    ("equipment.rival_bought", 0.0, 3.0, rival),
    ("equipment.replaced", -5.0, 5.0, lambda histories: (histories.events["quantity"] == -1).sum()),
    ("relations.meeting_held", 0.0, 0.5, satisfaction),
    (
        "relations.meeting_cancelled",
        -4.0,
        2.0,
        lambda histories: (histories.events["serial"][histories.events["kind"] == dynamics.MEETING]).sum(),
    ),
    ("contracts.cancelled", -4.0, 2.0, lambda histories: kinds(histories, dynamics.CONTRACT, dynamics.NOTICE)),
    ("contracts.leaves", 0.0, 1.0, left),
    ("relations.reference_removed", 0.0, 0.5, lambda histories: kinds(histories, dynamics.REFERENCE)),
    ("engagement.logins", 0.05, 0.6, lambda histories: kinds(histories, dynamics.LOGIN)),
    ("engagement.visits_due", -2.0, 2.0, lambda histories: kinds(histories, dynamics.VISIT)),
    ("equipment.life_weeks", 1000.0, 60.0, lambda histories: kinds(histories, dynamics.CASE)),
    ("world.shock_size", 3.0, 0.0, orders),
    ("orders.cycle_days", 100.0, 30.0, orders),
    ("playbooks.insight_report.satisfaction", -3.0, 3.0, satisfaction),
    ("playbooks.insight_report.rival", -3.0, 3.0, rival),
    ("playbooks.insight_report.boost", -3.0, 3.0, orders),
]


REACHES_ALL = {"response": 1, "response_noise": 0, "response_size": 0, "monthly": 1, "treated": 1}


def lives_with(key, value, size=SIZE):
    *sections, name = key.split(".")
    changes = {name: value}
    for section in reversed(sections):
        changes = {section: changes}
    return simulate(settings(size, seed=1, **merged(changes, {"playbooks": {"insight_report": REACHES_ALL}})))


@pytest.mark.parametrize(("key", "low", "high", "measured"), MOVES, ids=[one[0] for one in MOVES])
def test__parameter__moves_what_its_arrow_points_at(key, low, high, measured):
    assert measured(lives_with(key, high)) > measured(lives_with(key, low))


# What goes with which part of the state, account by account.
GOES_WITH = [
    ("satisfaction", 1, "orders.satisfaction", lambda histories, after: after(dynamics.ORDER_LINE)),
    ("budget", 1, "orders.budget", lambda histories, after: after(dynamics.ORDER_LINE)),
    ("rival", -1, "orders.rival", lambda histories, after: after(dynamics.ORDER_LINE)),
    ("satisfaction", -1, "leaving.satisfaction", lambda histories, after: histories.end["left"] >= 0),
    ("rival", 1, "leaving.rival", lambda histories, after: histories.end["left"] >= 0),
    ("satisfaction", 1, "engagement.logins_satisfaction", lambda histories, after: after(dynamics.LOGIN)),
]


@pytest.mark.parametrize(
    ("state", "sign", "key", "measured"), GOES_WITH, ids=[f"{one[0]}-{one[2]}" for one in GOES_WITH]
)
def test__state__drives_what_is_observed__and_does_not_once_its_weight_is_zero(state, sign, key, measured):
    """The correlation has the arrow's sign, and shrinks when the arrow is cut."""

    def correlation(histories):
        there = histories.states[0]["left"] < 0

        def after(kind):
            events = histories.events[(histories.events["kind"] == kind) & (histories.events["day"] >= 641)]
            return np.bincount(events["account"], minlength=len(histories.accounts))

        return np.corrcoef(histories.states[0][state][there], np.asarray(measured(histories, after), float)[there])[
            0, 1
        ]

    strong, cut = (correlation(lives_with(key, weight, 3 * SIZE)) for weight in (1.5, 0.0))
    assert sign * strong > 0.06
    assert sign * strong > sign * cut + 0.05


def test__picture__in_the_docs__shows_every_node_and_arrow(tmp_path):
    """Whoever changes the graph runs python -m foresail.docgen.reference."""
    draw(tmp_path / "graph.svg")
    drawn, kept = (
        (folder / name).read_text() for folder, name in ((tmp_path, "graph.svg"), (DOCS / "images", "simulation.svg"))
    )
    for name in PLACES:
        assert f">{name}</text>" in kept
    assert kept.count("<path") == drawn.count("<path")
    assert len(CAUSES) > 30
