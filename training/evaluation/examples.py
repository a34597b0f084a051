"""A few judged accounts, one by one: the model's answer, its reasons, and what happened.

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


class ReasonText(Protocol):
    """A reason in words."""

    @property
    def direction(self) -> str: ...

    @property
    def words(self) -> str: ...


ReasonWriter = Callable[[Sequence[Feature], Sequence[float], Mapping[str, float]], Sequence[ReasonText]]
"""Puts a row's contributions (one a feature) and its values (by name) into words, the largest first."""


@dataclass(frozen=True)
class Example:
    """One account at the judged date."""

    title: str
    probability: float
    yearly_net: float
    """What its last year brought, in currency; NaN where that is not known."""
    churned: bool
    reasons: tuple[ReasonText, ...]

    @property
    def at_stake(self) -> float:
        """Risk × what a year brings, at least 0."""
        return self.probability * max(self.yearly_net, 0.0)


def examples(
    rows: Dataset, probability: Floats, yearly_net: Floats, model: Any, catalog: FeatureSet, reason_writer: ReasonWriter
) -> tuple[Example, ...]:
    """The accounts that `picks` picks, with the reasons that `reason_writer` gives. `model` gave the probabilities."""
    titles, places = zip(*picks(probability, rows.labels, yearly_net), strict=True)
    contributions = model.contributions(rows.columns(model.features)[list(places)])
    declared = list(named(model.features, catalog))
    return tuple(
        Example(
            title,
            float(probability[place]),
            float(yearly_net[place]),
            bool(rows.labels[place]),
            tuple(
                reason_writer(
                    declared, shares.tolist(), dict(zip(rows.features, rows.matrix[place].tolist(), strict=True))
                )
            ),
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
