"""What is asked of accounts, and why their scores are what they are: reasons, contributions, and what moved them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np

from features.arrays import Array
from registry.loader import LoadedModel
from serving.accounts.last_scores import NOTHING, Remembered
from serving.online.changes import Moment, Movement, earlier_rows, movements
from serving.online.in_service import InService
from serving.online.schemas import Contribution, Explain, Moved, Reason
from serving.scoring.reasons import reasons_of
from serving.scoring.scores import Rows, Scores


class Subject(NamedTuple):
    """An account to score: its features, and what the last night left of it."""

    account_id: str
    row: Array
    remembered: Remembered = NOTHING

    def moment_before(self, target: str) -> Moment | None:
        """When the score before spoke; None where there is none."""
        earlier = self.remembered.earlier.get(target)
        return (self.account_id, earlier.as_of) if earlier else None


@dataclass(frozen=True)
class Question:
    """What is asked of every account."""

    models: Sequence[LoadedModel]
    explain: Explain
    as_of: datetime


class Explained(NamedTuple):
    """What is told of one score beside it."""

    reasons: list[Reason]
    contributions: list[Contribution]
    moved: list[Moved]


UNEXPLAINED = Explained([], [], [])


def explained(
    subjects: Sequence[Subject], question: Question, rows: Rows, scores: Mapping[str, Scores], service: InService
) -> dict[tuple[str, int], Explained]:
    """By target and place of the account, for all that are scored. Costs milliseconds a score on the LightGBM rung."""
    targets = [loaded.target.name for loaded in question.models]
    moments = [moment for each in subjects for target in targets if (moment := each.moment_before(target))]
    before = earlier_rows(service.accounts, moments)
    found: dict[tuple[str, int], Explained] = {}
    for loaded in question.models:
        target = loaded.target.name
        places = np.flatnonzero(~np.isnan(scores[target].answers))
        then = {
            number: before[moment]
            for number, place in enumerate(places.tolist())
            if (moment := subjects[place].moment_before(target)) in before
        }
        told = _of_target(loaded, rows.at(places), then, question.explain, service.settings.currency)
        found |= {(target, place): each for place, each in zip(places.tolist(), told, strict=True)}
    return found


def _of_target(
    loaded: LoadedModel, rows: Rows, then: Mapping[int, Array], explain: Explain, currency: str
) -> list[Explained]:
    """Of rows that are all scored; `then` has the rows of the moments before, by number."""
    if not len(rows.matrix):
        return []
    contributions = loaded.model.contributions(rows.columns(loaded.reads))
    moved = movements(loaded, rows, contributions, then, currency)
    return [
        Explained(
            [Reason(**vars(reason)) for reason in reasons_of(loaded.features, sizes, values, currency=currency)],
            _contributions(loaded, sizes, values) if explain == "all" else [],
            [_moved(movement) for movement in moved.get(number, ())],
        )
        for number, (sizes, values) in enumerate(zip(contributions.tolist(), rows.values(), strict=True))
    ]


def _contributions(loaded: LoadedModel, sizes: Sequence[float], values: Mapping[str, float]) -> list[Contribution]:
    """All of them, the largest first; equal ones by name."""
    ranked = sorted(zip(loaded.model.features, sizes, strict=True), key=lambda told: (-abs(told[1]), told[0]))
    return [Contribution(name, None if math.isnan(values[name]) else values[name], size) for name, size in ranked]


def _moved(movement: Movement) -> Moved:
    return Moved(**vars(movement.reason), before=movement.before)
