"""The typed card is the stored JSON: nothing is lost, nothing is added, and what cannot be read is named."""

import json

import pytest

from registry.card import EffectCard, ModelCard
from registry.errors import CardUnreadable
from training.data.targets import TARGETS, target_from

TARGET = {"kind": "churn", "name": "churn", "horizon_days": 90}
CARD = {
    "format": 1,
    "rung": "recency",
    "features": ["purchases_days_since_last"],
    "linear": {
        "intercept": 0.5,
        "terms": [
            {"feature": "purchases_days_since_last", "centre": 1.0, "scale": 2.0, "weight": 1.0, "missing": 0.0},
        ],
    },
    "calibration": {"method": "platt", "parameters": {"slope": 1.0, "intercept": 0}},
    "fingerprint": "0123",
    "project": "acme",
    "target": target_from(TARGET).to_json(),
    "trained_as_of": "2024-03-31T22:00:00.000001+00:00",
    "reference": {"scores": [0.1, 0.2]},
}


def text(card):
    return json.dumps(card, indent=1, allow_nan=False)


def test__card__read_and_written_again__same_text():
    """Of a card with as few fields as the first release wrote: order, whole numbers and moments stay as they are."""
    assert text(ModelCard.from_json(CARD).to_json()) == text(CARD)


@pytest.mark.parametrize("kind", TARGETS)
def test__card__target_of_every_kind__same_text_and_same_target(kind):
    """Each kind stores its own settings, and no others."""
    target = target_from({"kind": kind, "name": "t", "horizon_days": 30})
    card = ModelCard.from_json(CARD | {"target": target.to_json()})
    assert text(card.target.to_json()) == text(target.to_json())
    assert target_from(card.target.to_json()) == target


def test__card__fields_of_a_later_release__kept_unread():
    """A newer training adds a field; this release serves the model and does not lose the field."""
    later = CARD | {"carbon": 3, "reference": CARD["reference"] | {"weights": [1]}}
    assert ModelCard.from_json(later).to_json() == later


def test__card__before_grades_and_other_answers__none_and_probability():
    """Absent is not the grade "none"."""
    card = ModelCard.from_json(CARD)
    assert (card.grade, card.answer, card.baseline, card.test_date) == (None, "probability", None, None)
    assert ModelCard.from_json(CARD | {"grade": {"letter": "none"}}).grade.letter == "none"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "the model card has format 2; this release reads format 1. Train the model again, or run"),
        ({"rung": None}, r"cannot be read \(rung: Input should be a valid string\). Train the model again"),
        ({"target": {"name": "churn"}}, "target.horizon_days: Field required"),
    ],
)
def test__card__that_cannot_be_read__names_what_is_wrong(change, words):
    """The format first: what follows a change of it may mean something else."""
    with pytest.raises(CardUnreadable, match=words):
        ModelCard.from_json(CARD | change)


def test__effect_card__read_and_written_again__same_text():
    """As learnt, with the playbook that it belongs to."""
    card = {
        "format": 1, "share": 0.1, "standard_error": 0.02, "always_low": 0.05, "always_high": 0.15, "treatment": 400,
        "control": 100, "accounts": 320.0, "harmful": False, "verdict": "works", "learner": "constant", "learner_why": "",
        "trust": 0.0, "features": [], "parts": [{"weight": 1.0, "booster": "trees-0.txt", "switch": None}],
        "playbook": "call", "target": "churn", "kind": "churn", "learnt_as_of": "2024-01-01T00:00:00+00:00",
        "fingerprint": "0123",
    }  # fmt: skip
    assert text(EffectCard.from_json(card).to_json()) == text(card)
