"""The parameters as compiled code takes them: one flat record of numbers, before and after the drivers change."""

import math

import numpy as np

from features.arrays import Array
from foresail.simulation.world.dynamics import EXPERIMENT, HABIT, NEVER, NOTHING, PLAYBOOK
from foresail.simulation.world.settings import SITUATIONS, Section, Settings

SECTIONS = (
    "state", "orders", "leaving", "service", "relations", "contracts", "equipment", "engagement", "programme",
)  # fmt: skip
DERIVED = (
    "signal", "orders_rate", "orders_value_correction", "state_satisfaction_return", "state_rival_return",
    "state_budget_return", "monday",
)  # fmt: skip
OF_SATISFACTION = (
    "orders_satisfaction", "leaving_satisfaction", "relations_meeting_satisfaction", "relations_reference_satisfaction",
    "contracts_satisfaction", "contracts_upgraded_satisfaction", "equipment_satisfaction",
)  # fmt: skip
OF_RIVAL = ("orders_rival", "leaving_rival", "relations_meeting_rival", "contracts_rival", "equipment_rival")
"""The weights with which a part of the state drives what happens: what a shift changes."""
PROGRAMMES = {"none": NOTHING, "experiment": EXPERIMENT, "habit": HABIT}


def _names() -> list[str]:
    sections: list[tuple[str, type[Section]]] = [(name, type(Settings.model_fields[name].default)) for name in SECTIONS]
    return [*DERIVED, *(f"{name}_{field}" for name, section in sections for field in section.model_fields)]


COEFFICIENTS = np.dtype([(name, "f8") for name in _names()])
"""Every number of the settings that governs a life, as section_name."""


def drivers(settings: Settings) -> tuple[Array, int]:
    """COEFFICIENTS before and after the drivers change, and the day on which they do (after all days if never)."""
    shift, both = settings.shift, np.array([_coefficients(settings)] * 2, dtype=COEFFICIENTS)
    if shift.at_day is None:
        return both, -NEVER
    for names, factor in (
        (OF_SATISFACTION, shift.satisfaction),
        (OF_RIVAL, shift.rival),
        (("orders_rate",), shift.orders),
    ):
        for name in names:
            both[1][name] *= factor
    return both, shift.at_day


def _coefficients(settings: Settings) -> tuple[float, ...]:
    values = {
        f"{name}_{field}": float(value)
        for name in SECTIONS
        for field, value in getattr(settings, name).model_dump().items()
    }
    half = values["orders_value_noise"] * math.sqrt(3.0) / 2.0
    values |= {
        "signal": settings.signal,
        "monday": -settings.company.start.weekday() % 7,
        "orders_rate": 1.0,
        "orders_regularity": values["orders_regularity"] * settings.signal,
        # The mean of exp(spread × bell), of which the sum of four uniforms has (sinh(x) / x)⁴.
        "orders_value_correction": (half / math.sinh(half)) ** 4 if half > 0 else 1.0,
        "state_satisfaction_return": _weekly(settings.state.satisfaction_memory),
        "state_rival_return": _weekly(settings.state.rival_memory),
        "state_budget_return": _weekly(settings.state.budget_memory),
    }
    return tuple(values[name] for name in _names())


def _weekly(half_life: float) -> float:
    return 1.0 - math.exp(math.log(0.5) / half_life)


def playbook_table(settings: Settings) -> Array:
    """The playbooks in their order, as PLAYBOOK."""
    table = np.zeros(len(settings.playbooks), dtype=PLAYBOOK)
    for row, one in zip(table, settings.playbooks.values(), strict=True):
        row["situation"] = SITUATIONS.index(one.situation)
        row["programme"] = PROGRAMMES[one.programme]
        row["delay"], row["monthly"], row["treated"] = one.delay_days, one.monthly, one.treated
        row["satisfaction"], row["rival"], row["boost"] = one.satisfaction, one.rival, one.boost
        row["champion"] = one.response_champion
    return table
