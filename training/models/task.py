"""Which way of task belongs to a target, and the ladder that it is climbed with."""

from collections.abc import Sequence

from training.data.targets import Target
from training.models import amounts, next_order
from training.models.calibration import PROBABILITIES, Task
from training.models.ladder import Rung
from training.models.ladder import ladder as probability_ladder


def task_for(target: Target) -> Task:
    """How margins of the target's models become answers, and how these are judged."""
    if target.answer == "amount":
        return amounts.AMOUNTS
    return next_order.Days(target.horizon_days) if target.answer == "days" else PROBABILITIES


def ladder(features: Sequence[str], target: Target) -> tuple[Rung, ...]:
    """The rungs for a target, simplest first; the first is the baseline. `features` names those that trees may use."""
    room = {"amount": amounts.ladder, "days": next_order.ladder, "probability": probability_ladder}[target.answer]
    return room(features, target)
