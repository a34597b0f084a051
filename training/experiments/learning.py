"""From a playbook's experiment to an effect that decisions can use: one for all, or trees that tell accounts apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from features.arrays import Floats
from registry.card import FORMAT, EffectPart, LearntEffect
from training.experiments.differences import Difference
from training.experiments.playbooks import Outcomes, PlaybookEffect
from training.uplift import CannotEstimate, Effect, estimate_effects
from training.uplift.learner_selection import LEARNER_NEEDS
from training.uplift.learners import CONSTANT, Apart, Averaged, Crossed, Direct, EffectModel, Same, Switched
from training.uplift.trees import Trees

Z = 1.96
"""Standard errors to the end of a 95 % interval."""
BEYOND_NOISE = "nothing of the differences from the average share held up beyond noise, so everybody has that"


@dataclass(frozen=True)
class Learnt:
    """The learnt effect of a playbook, and the trees that it names."""

    card: LearntEffect
    boosters: Mapping[str, str]


@dataclass(frozen=True)
class _Part:
    """A model that has a say in the change that acting makes; `switch` is what its last column, the treatment, is set to."""

    weight: float
    trees: Trees
    switch: float | None = None


def learn(
    outcomes: Outcomes, effect: PlaybookEffect, features: pd.DataFrame | None = None, *, seed: int = 0
) -> Learnt | None:
    """What a playbook does as far as it can be told; None with fewer than 30 accounts in an arm.

    With `features` (the accounts' rows, known before the assignment) and 300 accounts in each arm the learners of `training.uplift`
    compete to tell accounts apart, if anything shows that they differ; else all have the average effect. Of what an account
    is said to differ from the average, only as much is kept as held up on accounts that the learner had not seen (`trust`).
    """
    if effect.share is None:
        return None
    chosen, why = _chosen(outcomes, features, seed)
    trust = 0.0
    if chosen is not None and not isinstance(chosen.model, Same):
        trust = held_up(outcomes, effect.share.value, chosen.chosen.effects)
        why = why if trust > 0 else f"{why}; but on accounts not seen {BEYOND_NOISE}"
    parts = [] if chosen is None or trust == 0 else list(_parts(chosen.model))
    names = {part.trees: f"trees-{number}.txt" for number, part in enumerate(parts)}
    card = LearntEffect(
        format=FORMAT,
        **_average(effect, effect.share),
        learner=CONSTANT if chosen is None or not parts else chosen.choice.name,
        learner_why=why,
        trust=trust,
        features=tuple(chosen.coding.columns) if chosen is not None and parts else (),
        parts=tuple(EffectPart(weight=part.weight, booster=names[part.trees], switch=part.switch) for part in parts),
    )
    return Learnt(card, {name: trees.booster.model_to_string() for trees, name in names.items()})


def _average(effect: PlaybookEffect, share: Difference) -> dict[str, Any]:
    """The average effect, how well it is known, and whether the playbook must stop."""
    return {
        "share": share.value,
        "standard_error": share.once.standard_error,
        "always_low": share.always.low,
        "always_high": share.always.high,
        "treatment": effect.treatment,
        "control": effect.control,
        "accounts": effect.as_even_split,
        "harmful": effect.is_harmful,
        "verdict": effect.verdict,
    }


def held_up(outcomes: Outcomes, share: float, changes: Floats) -> float:
    """How much of what accounts are said to differ from the average effect is true at least, 0 to 1.

    `changes` (accounts,) are of the chance of *missed*, by a model that had not seen the account. The average effect is
    the same share of what is at stake for all, so that it changes large chances more: a learner that has found out no
    more than that has found out nothing. What is left of the outcome after it is regressed on what is left of the changes,
    each times its arm (Nie & Wager 2021, "Quasi-oracle estimation of heterogeneous treatment effects"); the slope's lower 95 % end is trusted.
    """
    chance = np.where(np.isnan(outcomes.chance), np.nanmean(outcomes.chance), outcomes.chance)
    treated = 1.0 - outcomes.arms.control_share
    arm = outcomes.arms.treated - treated
    expected = chance * (1.0 - share * treated)
    left = outcomes.missed - expected * outcomes.missed.mean() / expected.mean() + arm * share * chance
    foretold = arm * (changes + share * chance)
    if not foretold.any():
        return 0.0
    slope = float((foretold * left).sum() / (foretold**2).sum())
    error = float(np.sqrt(((foretold * (left - slope * foretold)) ** 2).sum()) / (foretold**2).sum())
    return float(np.clip(slope - Z * error, 0.0, 1.0))


def _chosen(outcomes: Outcomes, features: pd.DataFrame | None, seed: int) -> tuple[Effect | None, str]:
    """The estimate of the selected learner, if there was a selection, and why."""
    arms = outcomes.arms
    if features is None or min(arms.treatment, arms.control) < LEARNER_NEEDS:
        return None, f"{LEARNER_NEEDS} accounts in each arm are needed to tell which accounts gain more"
    try:
        effect = estimate_effects(
            features, arms.treated, outcomes.missed, direction="lower_is_better", value=outcomes.unit,
            propensity=1.0 - arms.control_share, seed=seed,
        ).only  # fmt: skip
    except CannotEstimate as refused:
        return None, str(refused)
    return effect, effect.choice.reason


def _parts(model: EffectModel, weight: float = 1.0) -> Iterator[_Part]:
    match model:
        case Averaged(models):
            for member in models:
                yield from _parts(member, weight / len(models))
        case Switched(outcome):
            yield from (_Part(weight, outcome, 1.0), _Part(-weight, outcome, 0.0))
        case Apart(control, treated):
            yield from (_Part(weight, treated), _Part(-weight, control))
        case Crossed(by_control, by_treated, share, None):
            yield from (_Part(weight * share, by_control), _Part(weight * (1.0 - share), by_treated))
        case Direct(effect):
            yield _Part(weight, effect)
        case _:
            raise TypeError(f"{type(model).__name__} cannot be registered")
