"""A grade is a pure function of an evaluation, and every letter can be missed for one reason alone."""

import math
from dataclasses import replace

import numpy as np
import pytest

from training.evaluation.comparison import Estimate, Evaluation, judge
from training.evaluation.grade import MEANINGS, grade, skill
from training.evaluation.reliability import Reliability, reliability
from training.evaluation.slices import HOLDS, TOO_HIGH, Slice

AUROC = Estimate(0.85, 0.82, 0.88)
BETTER_AUROC, BETTER_LOSS = Estimate(0.05, 0.02, 0.08), Estimate(-0.03, -0.05, -0.01)
NOISE = Estimate(0.0, -0.01, 0.01)
HONEST = Reliability(foreseen=0.10, happened=0.10, low=0.09, high=0.11, ece=0.01, ece_by_chance=0.02)
"""The bare churn rate has a log loss of 0.325 here."""


def evaluation(auroc=AUROC, loss=0.24, auroc_better=BETTER_AUROC, loss_better=BETTER_LOSS, lift_low=3.0):
    metrics = {
        "auroc": auroc,
        "log_loss": Estimate(loss, loss - 0.02, loss + 0.02),
        "lift_top_decile": Estimate(4.0, lift_low, 5.0),
    }
    differences = {"lightgbm": {"auroc": auroc_better, "log_loss": loss_better}}
    return Evaluation("recency", 3000, 3000, 300, {"recency": metrics, "lightgbm": metrics}, differences)


def part(verdict):
    return Slice("region", "north", 500, 50, {}, 0.1, 0.1, 0.08, 0.13, verdict)


def test__grade__everything_asked_for__is_an_a():
    """Nothing is missing, so no reason begins with "not"."""
    found = grade(evaluation(), "lightgbm", HONEST, [part(HOLDS)])
    assert found.letter == "A"
    assert not [reason for reason in found.reasons if reason.startswith("not")]
    assert found.to_json()["meaning"] == MEANINGS["A"]


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ({"auroc_better": NOISE}, "not A: AUROC is not better than the baseline's beyond noise"),
        ({"auroc": Estimate(0.76, 0.74, 0.78)}, "not A: the lower end of AUROC is 0.740, 0.75 is asked for"),
        ({"loss": 0.28}, "not A: log loss at least 8% below that of the bare rate, 10% is asked for"),
    ],
)
def test__grade__one_condition_of_a_missing__is_a_b_that_says_which(missing, why):
    """Good in everything else, and the one reason is told."""
    found = grade(evaluation(**missing), "lightgbm", HONEST)
    assert found.letter == "B"
    assert [reason for reason in found.reasons if reason.startswith("not")] == [why]


def test__grade__wrong_for_one_region__is_no_a():
    """An A can be reckoned with everywhere; the region is named."""
    found = grade(evaluation(), "lightgbm", HONEST, [part(HOLDS), part(TOO_HIGH)])
    assert (found.letter, found.reasons[-1]) == ("B", "not A: probabilities wrong for region north")


@pytest.mark.parametrize(
    ("missing", "honest"),
    [
        ({"loss_better": NOISE}, HONEST),
        ({"lift_low": 0.9}, HONEST),
        ({}, replace(HONEST, foreseen=0.13)),
        ({}, replace(HONEST, ece=0.03)),
    ],
    ids=["log loss", "lift", "level", "shape"],
)
def test__grade__ranks_better_but_not_to_be_reckoned_with__is_a_c(missing, honest):
    """However well it ranks: probabilities off, in level or shape or against the baseline, or a tenth without churners."""
    assert grade(evaluation(**missing), "lightgbm", honest).letter == "C"


@pytest.mark.parametrize(
    ("model", "missing"),
    [
        ("recency", {}),
        ("lightgbm", {"auroc_better": NOISE, "loss_better": NOISE}),
        ("lightgbm", {"auroc": Estimate(0.55, 0.49, 0.61)}),
        ("lightgbm", {"auroc": Estimate(math.nan, math.nan, math.nan)}),
    ],
    ids=["the baseline itself", "within noise of it", "not clear of guessing", "one outcome only"],
)
def test__grade__no_better_than_the_simple_rule_or_than_guessing__is_none(model, missing):
    """A letter is earned against the baseline; doubt is no letter."""
    assert grade(evaluation(**missing), model, HONEST).letter == "none"


def test__grade__of_noise__is_hardly_ever_a_letter():
    """Of 40 models that guess beside a baseline that guesses, none is better than it in truth; at most 3 get a letter."""
    letters = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels, accounts = (rng.random(300) < 0.3).astype(float), np.arange(300)
        models = {"recency": np.full(300, 0.3), "lightgbm": np.clip(0.3 + 0.05 * rng.normal(size=300), 0.01, 0.99)}
        judged = judge(models, labels, accounts, baseline="recency", replicates=200, seed=seed)
        letters.append(grade(judged, "lightgbm", reliability(models["lightgbm"], labels, seed, replicates=20)).letter)
    assert sum(letter != "none" for letter in letters) <= 3


def test__skill__by_hand():
    """Saying 50 % costs log 2, and half of that is a skill of one half; a rate of 0 has no skill."""
    assert skill(math.log(2) / 2, 0.5) == pytest.approx(0.5)
    assert skill(math.log(2), 0.5) == pytest.approx(0.0)
    assert math.isnan(skill(0.1, 0.0))
