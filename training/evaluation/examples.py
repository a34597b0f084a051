"""A few judged accounts looked at one by one: what the model said of them, why, and what happened.

No account is named: reports are passed around and outlive an erasure.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from features.arrays import Floats
from features.catalog import named
from features.definitions import Feature
from features.engine.plan import FeatureSet
from training.data.dataset import Dataset


class Told(Protocol):
    """A reason as somebody tells it."""

    @property
    def direction(self) -> str: ...

    @property
    def words(self) -> str: ...


Teller = Callable[[Sequence[Feature], Sequence[float], Mapping[str, float]], Sequence[Told]]
"""Puts a row's contributions (one a feature) and its values (by name) into words, the largest first."""


@dataclass(frozen=True)
class Example:
    """One account at the judged date."""

    title: str
    probability: float
    yearly_net: float
    """What its last year brought, in currency; NaN where that is not known."""
    churned: bool
    reasons: tuple[Told, ...]

    @property
    def at_stake(self) -> float:
        """Risk × what a year brings, at least 0."""
        return self.probability * max(self.yearly_net, 0.0)


def examples(
    rows: Dataset, probability: Floats, yearly_net: Floats, model: Any, catalog: FeatureSet, tell: Teller
) -> tuple[Example, ...]:
    """The accounts that `picks` picks, with the reasons that `tell` gives. `model` is the ScoreModel that judged them."""
    titles, places = zip(*picks(probability, rows.labels, yearly_net), strict=True)
    contributions = model.contributions(rows.columns(model.features)[list(places)])
    declared = list(named(model.features, catalog))
    return tuple(
        Example(
            title,
            float(probability[place]),
            float(yearly_net[place]),
            bool(rows.labels[place]),
            tuple(tell(declared, shares.tolist(), dict(zip(rows.features, rows.matrix[place].tolist(), strict=True)))),
        )
        for title, place, shares in zip(titles, places, contributions, strict=True)
    )


def picks(probability: Floats, labels: Floats, yearly_net: Floats) -> list[tuple[str, int]]:
    """Which rows to look at, each once: most at stake, the median risk, and the two that the model was most wrong about."""
    stake = probability * np.nan_to_num(np.maximum(yearly_net, 0.0))
    distance = np.abs(probability - np.median(probability))
    stayed, left = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    wanted = [("The most at stake", int(np.argmax(stake))), ("A typical one", int(np.argmin(distance)))]
    if len(stayed):
        wanted.append(("Riskiest of those who stayed", int(stayed[np.argmax(probability[stayed])])))
    if len(left):
        wanted.append(("Safest of those who left", int(left[np.argmin(probability[left])])))
    firsts = {place: title for title, place in reversed(wanted)}
    return [(title, place) for title, place in wanted if firsts[place] == title]
