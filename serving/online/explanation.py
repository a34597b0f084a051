"""The explanation of a score: reasons, contributions, and what moved the score since the previous one."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from features.arrays import Array
from registry.loader import LoadedModel
from serving.online.changes import Movement, earlier_rows, movements
from serving.online.in_service import InService
from serving.online.schemas import Contribution, Explain, Moved, Reason
from serving.online.score_query import AccountRow, ScoreQuery
from serving.scoring.reasons import reasons_of
from serving.scoring.scores import Rows, Scores


class Explanation(NamedTuple):
    """The explanation of one score."""

    reasons: list[Reason]
    contributions: list[Contribution]
    moved: list[Moved]


NO_EXPLANATION = Explanation([], [], [])


def explanations(
    accounts: Sequence[AccountRow], query: ScoreQuery, rows: Rows, scores: Mapping[str, Scores], service: InService
) -> dict[tuple[str, int], Explanation]:
    """By target and place of the account, for all that are scored. Costs milliseconds a score on the LightGBM rung."""
    targets = [loaded.target.name for loaded in query.models]
    moments = [moment for row in accounts for target in targets if (moment := row.moment_before(target))]
    before = earlier_rows(service.accounts, moments)
    by_score: dict[tuple[str, int], Explanation] = {}
    for loaded in query.models:
        target = loaded.target.name
        places = np.flatnonzero(~np.isnan(scores[target].answers))
        then = {
            number: before[moment]
            for number, place in enumerate(places.tolist())
            if (moment := accounts[place].moment_before(target)) in before
        }
        of_target = _of_target(loaded, rows.at(places), then, query.explain, service.settings.currency)
        by_score |= {
            (target, place): explanation for place, explanation in zip(places.tolist(), of_target, strict=True)
        }
    return by_score


def _of_target(
    loaded: LoadedModel, rows: Rows, then: Mapping[int, Array], explain: Explain, currency: str
) -> list[Explanation]:
    """Of rows that are all scored; `then` has the rows of the moments before, by number."""
    if not len(rows.matrix):
        return []
    contributions = loaded.model.contributions(rows.columns(loaded.reads))
    moved = movements(loaded, rows, contributions, then, currency)
    return [
        Explanation(
            [Reason(**vars(reason)) for reason in reasons_of(loaded.features, sizes, values, currency=currency)],
            _contributions(loaded, sizes, values) if explain == "all" else [],
            [_moved(movement) for movement in moved.get(number, ())],
        )
        for number, (sizes, values) in enumerate(zip(contributions.tolist(), rows.values(), strict=True))
    ]


def _contributions(loaded: LoadedModel, sizes: Sequence[float], values: Mapping[str, float]) -> list[Contribution]:
    """All of them, the largest first; equal ones by name."""
    ranked = sorted(zip(loaded.model.features, sizes, strict=True), key=lambda pair: (-abs(pair[1]), pair[0]))
    return [Contribution(name, None if math.isnan(values[name]) else values[name], size) for name, size in ranked]


def _moved(movement: Movement) -> Moved:
    return Moved(**vars(movement.reason), before=movement.before)
