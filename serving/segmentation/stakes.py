"""What there is to lose, on demand: reckoned by the very functions that the night reckons with."""

from collections.abc import Mapping

from features.arrays import Floats
from registry.loader import LoadedModel
from registry.target_kinds import RISKS
from serving.scoring.scores import Rows, Scores, score_rows
from serving.segmentation.settings import nearest_to_a_year
from serving.segmentation.value import VALUE_FEATURES, predicted_value


def is_risk(loaded: LoadedModel) -> bool:
    """Whether the model's answer is the probability of a loss."""
    return loaded.target.kind in RISKS


def value_model(models: Mapping[str, LoadedModel]) -> LoadedModel | None:
    """The model that foresees a year's value: of those of amounts the one whose horizon is nearest to a year."""
    amounts = {
        name: loaded.target.horizon_days
        for name, loaded in models.items()
        if loaded.target.kind == "value" and loaded.target.settings.get("measure", "amount") == "amount"
    }
    nearest = nearest_to_a_year(amounts)
    return None if nearest is None else models[nearest]


def predicted_values(loaded: LoadedModel | None, rows: Rows, scored: Mapping[str, Scores]) -> Floats:
    """What each account should bring in a year, (n,), as `predicted_value` says, by `loaded` if there is a value model.

    `scored` spares scoring again what is in it.
    """
    columns = dict(zip(VALUE_FEATURES, rows.columns(VALUE_FEATURES).T, strict=True))
    if loaded is None:
        return predicted_value(columns)
    scores = scored.get(loaded.target.name) or score_rows(loaded, rows)
    return predicted_value(columns, scores.answers, loaded.target.horizon_days)
