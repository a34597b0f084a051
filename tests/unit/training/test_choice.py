"""The simplest within noise of the best; too few labels are said, not hidden."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from features.catalog import CATALOG
from features.definitions import Season
from training.data.dataset import Dataset
from training.data.splits import Split
from training.data.targets import ChurnTarget
from training.evaluation.selection import NotEnoughLabels, enough_labels
from training.models.boosting import learnable
from training.models.choice import Candidate, simplest_within_noise
from training.models.ladder import ladder

LOSSES = np.random.default_rng(0).exponential(0.5, 2000)
NOISE = np.random.default_rng(1).normal(0, 0.3, 2000)
ACCOUNTS = np.arange(2000)
T = datetime(2024, 1, 1, tzinfo=UTC)
CHURN = ChurnTarget("churn", 60, 365)


def test__choice__better_by_less_than_noise__simpler_wins():
    """A mean difference of 0.002 with a standard error of 0.007 is no evidence."""
    candidates = [Candidate("simple", LOSSES), Candidate("complex", LOSSES - 0.002 + NOISE - NOISE.mean())]
    choice = simplest_within_noise(candidates, ACCOUNTS, seed=0)
    assert choice.name == "simple"
    assert "within noise of complex" in choice.reason


def test__choice__better_beyond_noise__complex_wins():
    """A difference of 0.05 with the same error is."""
    candidates = [Candidate("simple", LOSSES), Candidate("complex", LOSSES - 0.05 + NOISE - NOISE.mean())]
    assert simplest_within_noise(candidates, ACCOUNTS, seed=0).name == "complex"


def test__choice__best_is_simplest__no_comparison_needed():
    """And the reason does not speak of noise."""
    choice = simplest_within_noise([Candidate("simple", LOSSES), Candidate("complex", LOSSES + 1)], ACCOUNTS, seed=0)
    assert (choice.name, "noise" in choice.reason) == ("simple", False)


def test__choice__three_rungs_and_the_middle_one_is_good_enough__middle():
    """Not the best, not the simplest: the simplest that the best does not beat."""
    candidates = [
        Candidate("rule", LOSSES + 0.1),
        Candidate("logistic", LOSSES),
        Candidate("trees", LOSSES - 0.001 + NOISE - NOISE.mean()),
    ]
    assert simplest_within_noise(candidates, ACCOUNTS, seed=0).name == "logistic"


def test__choice__difference_carried_by_one_account__is_noise():
    """A thousand rows of one account are one account: without clustering this would be certain."""
    better = np.where(ACCOUNTS < 1000, 0.05, 0.0)
    accounts = np.where(ACCOUNTS < 1000, 0, ACCOUNTS)
    candidates = [Candidate("simple", LOSSES), Candidate("complex", LOSSES - better)]
    assert simplest_within_noise(candidates, ACCOUNTS, seed=0).name == "complex"
    assert simplest_within_noise(candidates, accounts, seed=0).name == "simple"


def two_dates(train_churned, test_churned, n=500):
    """The same accounts at a train and a test date, of whom so many churn."""
    labels = np.r_[np.arange(n) < train_churned, np.arange(n) < test_churned].astype(float)
    account = np.tile(np.arange(n), 2)
    train, test = T - timedelta(days=90), T
    as_of = np.repeat(np.array(["2023-10-03", "2024-01-01"], dtype="datetime64[us]"), n)
    return Dataset(("f",), np.zeros((2 * n, 1)), labels, account.astype(str), account, as_of), Split(
        (train,), (), test, (train, test)
    )


@pytest.mark.parametrize(
    ("churned", "rungs"),
    [
        (10, ["recency", "logistic"]),
        (40, ["recency", "bgnbd", "logistic"]),
        (200, ["recency", "bgnbd", "logistic", "lightgbm"]),
        (490, ["recency", "logistic"]),
    ],
)
def test__enough_labels__the_rarer_outcome__decides_how_high_to_climb(churned, rungs):
    """490 churners of 500 leave only ten who stayed; the logistic is shrunk, so that ten are enough for it."""
    kept, notes = enough_labels(ladder(["f"], CHURN), *two_dates(churned, 50), CHURN)
    assert [rung.name for rung in kept] == rungs
    assert len(notes) == 4 - len(rungs)


def test__enough_labels__three_to_nine_churners__the_pooled_rate_is_what_is_left():
    """Too few to rank anybody by, enough to know the rate; and it is said what the other rungs would need."""
    for churned in (3, 9):
        kept, notes = enough_labels(ladder(["f"], CHURN), *two_dates(churned, 50), CHURN)
        assert [rung.name for rung in kept] == ["pooled"]
        assert f"recency was left out: {churned} accounts show the rarer outcome, it needs about 10" in notes
        assert len(notes) == 4


def test__enough_labels__two_churners__says_how_many_and_how_many_are_needed():
    """Whoever reads this must know what is missing."""
    with pytest.raises(
        NotEnoughLabels, match=r"2 accounts churned and 498 stayed.*3 for pooled, 10 for recency, 40 for bgnbd"
    ):
        enough_labels(ladder(["f"], CHURN), *two_dates(2, 50), CHURN)


def test__enough_labels__test_date_without_churners__names_the_date():
    """A model that cannot be judged is not registered."""
    with pytest.raises(NotEnoughLabels, match="the test date 2024-01-01, 0 accounts churned"):
        enough_labels(ladder(["f"], CHURN), *two_dates(100, 0), CHURN)


def test__learnable__dates_of_less_than_a_year__without_the_calendar():
    """Before a season comes round again, the point in the year is only a name of the date."""
    short = [T - timedelta(days=30 * step) for step in range(12)]
    names, notes = learnable(CATALOG, short)
    left_out = {feature.name for feature in CATALOG} - set(names)
    assert left_out == {feature.name for feature in CATALOG if isinstance(feature.definition, Season)} != set()
    assert "cover 330 days" in notes[0]
    assert learnable(CATALOG, [T - timedelta(days=395), T]) == (tuple(feature.name for feature in CATALOG), ())
