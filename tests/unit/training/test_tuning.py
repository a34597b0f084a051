"""LightGBM's settings searched within a budget: never worse on the folds, the same again, and on time."""

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest

from training.data.dataset import Dataset
from training.data.splits import Fold
from training.evaluation.selection import contend
from training.models.boosting import BOOSTING, BoostedRung
from training.models.choice import Choice
from training.models.linear import LinearRung
from training.models.rung import FoldData
from training.models.tuning import (
    SPACE,
    Budget,
    Search,
    SearchedRung,
    Trial,
    TunedRung,
    search,
    search_notes,
    seconds_of,
    with_search,
)

T = datetime(2024, 1, 1, tzinfo=UTC)
DATES = tuple(T + timedelta(days=30 * step) for step in range(4))
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def folds():
    """Three folds of 300 accounts whose odds bend and cross in two of three features."""
    rng, n = np.random.default_rng(0), 300
    matrix = rng.normal(size=(4 * n, 3))
    odds = 2 * np.sign(matrix[:, 0]) * np.abs(matrix[:, 1]) - 1
    labels = (rng.random(4 * n) < 1 / (1 + np.exp(-odds))).astype(float)
    account = np.tile(np.arange(n), 4)
    as_of = np.repeat(np.array([date.replace(tzinfo=None) for date in DATES], dtype="datetime64[us]"), n)
    data = Dataset(NAMES, matrix, labels, account.astype(str), account, as_of)
    return [FoldData(data, Fold(DATES[:step], DATES[step])) for step in (1, 2, 3)]


def still():
    """A clock that never moves."""
    return 0.0


def ticking(step):
    """A clock that moves by `step` seconds each time it is looked at."""
    ticks = count()
    return lambda: step * next(ticks)


RUNG = BoostedRung("lightgbm", NAMES, needs_accounts=200, parameters={**BOOSTING, "learning_rate": 0.1})
"""The defaults in larger steps, which come to an end in fewer rounds."""


@pytest.fixture(scope="module")
def found(folds):
    return search(RUNG, folds, Budget(still, trials=9), seed=0)


def test__search__first_trial__is_the_defaults(found, folds):
    """With the very log loss and rounds that a run without tuning finds, so the best can never be worse on the folds."""
    first, plain = found.search.trials[0], RUNG.tuned(folds, 0)
    assert first.parameters == {name: RUNG.parameters[name] for name in SPACE}
    assert (first.rounds, first.pruned) == (plain.rounds, False)
    assert found.search.best.log_loss <= first.log_loss


def test__search__same_seed_and_trials__the_same_to_the_last_bit(found, folds):
    """And another seed goes another way."""
    again = search(RUNG, folds, Budget(still, trials=9), seed=0)
    assert again == found
    assert again.fit(folds[-1].train, 0) == found.fit(folds[-1].train, 0)
    assert search(RUNG, folds, Budget(still, trials=9), seed=1).search.trials != found.search.trials


def test__search__every_trial__inside_the_space_and_some_are_pruned(found):
    """A trial that the median of those before had beaten by then is not worth the later folds."""
    assert len(found.search.trials) == 9
    for trial in found.search.trials:
        assert all(SPACE[name][0] <= value <= SPACE[name][1] for name, value in trial.parameters.items())
    assert 0 < sum(trial.pruned for trial in found.search.trials) < 5
    assert not any(trial.pruned for trial in found.search.trials[:5])


def test__search__chosen_settings__are_those_that_fit(found):
    """The rung that comes out is the trial that was chosen, its settings and its number of rounds."""
    chosen = found.search.best if found.search.choice.name == "tuned" else found.search.trials[0]
    assert found.rounds == chosen.rounds
    assert {name: found.parameters[name] for name in SPACE} == chosen.parameters
    assert found.parameters["objective"] == "binary"


def test__search__settings_that_are_far_too_shy__tuned_ones_serve(folds):
    """Where the ladder's own settings cannot learn the crossing, the search finds ones that do, beyond noise."""
    shy = BoostedRung("lightgbm", NAMES, 200, parameters={**RUNG.parameters, "num_leaves": 3, "min_data_in_leaf": 150})
    tuned = search(shy, folds, Budget(still, trials=9), seed=0)
    assert tuned.search.choice.name == "tuned"
    assert tuned.search.best.log_loss < tuned.search.trials[0].log_loss - 0.01


def test__search__nothing_to_learn__defaults_serve(folds):
    """On noise the best of many trials is the luckiest; it may not serve for that."""
    rng = np.random.default_rng(5)
    noise = folds[0].data.__class__(**{**vars(folds[0].data), "labels": (rng.random(1200) < 0.3).astype(float)})
    tuned = search(RUNG, [FoldData(noise, fold.fold) for fold in folds], Budget(still, trials=8), seed=0)
    assert tuned.search.choice.name == "default"
    assert {name: tuned.parameters[name] for name in SPACE} == {name: RUNG.parameters[name] for name in SPACE}


def test__budget__time_is_up_in_a_trial__it_counts_for_nothing_and_its_number_repeats_the_rest(folds):
    """The clock is looked at after every round; what was cut off leaves no trace in what the number brings back."""
    timed = search(RUNG, folds, Budget(ticking(1.0), seconds=1000), seed=0)
    number = len(timed.search.trials)
    assert number > 1
    counted = search(RUNG, folds, Budget(still, trials=number), seed=0)
    assert counted.search.trials == timed.search.trials
    assert counted.search.note == timed.search.note


def test__budget__shorter_than_one_trial__defaults_all_the_same(folds):
    """Whoever gives a second gets at least what a run without tuning gives."""
    timed = search(RUNG, folds, Budget(ticking(10.0), seconds=1), seed=0)
    assert len(timed.search.trials) == 1
    assert timed.rounds == RUNG.tuned(folds, 0).rounds


def test__budget__none_or_no_end__refused():
    """A search without an end is a mistake."""
    with pytest.raises(ValueError, match="without end"):
        Budget(still)
    with pytest.raises(ValueError, match="at least one trial"):
        Budget(still, trials=0)


@pytest.mark.parametrize(("said", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 m ", 120)])
def test__duration__units__seconds(said, seconds):
    """As people write them."""
    assert seconds_of(said) == seconds


@pytest.mark.parametrize("said", ["10", "m", "0s", "-5m", "10 minutes", "1h30m"])
def test__duration__anything_else__says_how_to_write_it(said):
    """A bare number could be seconds or minutes."""
    with pytest.raises(ValueError, match="write it like 90s, 10m or 1h"):
        seconds_of(said)


def test__progress__trial_by_trial__best_so_far(folds):
    """Counted to the end, and the words name the best and what it must beat."""
    told = []
    search(RUNG, folds, Budget(still, trials=3), 0, lambda *step: told.append(step))
    assert [step[:2] for step in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0][2].endswith("at trial 0 of 1, defaults " + told[0][2].split()[2])


def test__ladder__with_a_budget__only_trees_are_searched(folds):
    """And what was searched says so; without a fold nothing is, and that is said."""
    recency = LinearRung("recency", NAMES[:1], 10)
    rungs = with_search((recency, RUNG), Budget(still, trials=2), None)
    assert (rungs[0], type(rungs[1])) == (recency, SearchedRung)
    assert with_search((recency, RUNG), None, None) == (recency, RUNG)
    contender = contend(rungs[1], folds[0].data, [fold.fold for fold in folds], timedelta(days=30), 0)
    assert isinstance(contender.rung, TunedRung)
    assert "(--trials 2 repeats it)" in search_notes([contender.rung], None)[0]
    assert rungs[1].tuned([], 0) == RUNG
    assert "nothing was tuned" in search_notes([RUNG], Budget(still, trials=2))[0]


def test__search__for_the_record__plain_json():
    """Space, choice and every trial can be read back."""
    trial = Trial({"num_leaves": 3.0}, 0.5, 10, pruned=False)
    record = Search((trial,), Choice("default", "why"), 1.26)
    assert json.loads(json.dumps(record.to_json()))["trials"] == [
        {"parameters": {"num_leaves": 3.0}, "log_loss": 0.5, "rounds": 10, "pruned": False}
    ]
    assert record.parameters()["tuning_seconds"] == 1.3
