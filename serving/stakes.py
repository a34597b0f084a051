"""What there is to lose: a risk's probability times what the account would be worth, ranked by the cuts of the last night."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from serving.calls import ORDERED, RETURNED
from serving.model_store import LoadedModel
from serving.scoring import Floats, Rows, Scores, score_rows

RISKS = ("churn", "contract_churn", "contraction")
"""The kinds of target that put value at stake."""
YEAR = 365
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")
CUTS = ("severity_medium", "severity_high", "severity_critical")
"""Names in the table `cuts`: from where on value at stake is of the next severity."""


def is_risk(loaded: LoadedModel) -> bool:
    """Whether the model's answer is the probability of a loss."""
    return loaded.target.kind in RISKS


def value_model(models: Mapping[str, LoadedModel]) -> LoadedModel | None:
    """The model that foresees a year's value: of those of amounts the one whose horizon is nearest to a year."""
    amounts = [
        loaded
        for loaded in models.values()
        if loaded.target.kind == "value" and loaded.target.settings.get("measure", "amount") == "amount"
    ]
    return min(amounts, key=lambda loaded: abs(loaded.target.horizon_days - YEAR), default=None)


def predicted_values(loaded: LoadedModel | None, rows: Rows, scored: Mapping[str, Scores]) -> Floats:
    """What each account should bring in a year, (n,), at least 0, in the project's currency.

    The amount by `value_model`, scaled to a year; where there is none, or the account is not eligible for it, what was
    ordered less what was returned in the last 365 days. `scored` spares scoring again what is in it.
    """
    ordered, returned = rows.columns((ORDERED, RETURNED)).T
    past = np.maximum(ordered + returned, 0.0)
    if loaded is None:
        return np.asarray(past)
    scores = scored.get(loaded.target.name) or score_rows(loaded, rows)
    foreseen = scores.answers * (YEAR / loaded.target.horizon_days)
    return np.asarray(np.where(np.isnan(foreseen), past, foreseen))


def severity(value_at_stake: float, cuts: Mapping[str, float]) -> Severity | None:
    """low, medium, high or critical, at a cut the higher one; None before the first night has drawn the cuts."""
    if not all(name in cuts for name in CUTS):
        return None
    return SEVERITIES[sum(value_at_stake >= cuts[name] for name in CUTS)]
