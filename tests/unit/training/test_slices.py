"""Parts of a company: which there are, what is said of them, and how rarely chance alone is called an error."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from storing import store

from features.catalog import named
from features.engine.table import build_feature_table
from features.history.attributes import attributes_as_of
from training.evaluation.slices import HOLDS, TOO_FEW, TOO_HIGH, TOO_LOW, holm_verdicts, slices, surprise
from training.evaluation.summary import groups_at

JAN = datetime(2023, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def drawn(accounts, seed, wrong_half=False):
    """Probabilities and outcomes; where it is wrong, the second half churns not at all."""
    rng = np.random.default_rng(seed)
    probability = rng.beta(2, 8, accounts)
    labels = (rng.random(accounts) < probability).astype(np.float64)
    labels[accounts // 2 :] *= 0.0 if wrong_half else 1.0
    return probability, labels


def regions(*counts):
    """{region: 'r0' × counts[0], 'r1' × …}, None for a name of None."""
    values = [f"r{number}" for number, count in enumerate(counts) for _ in range(count)]
    return {"region": np.array(values, dtype=object)}


def test__slices__one_region_wrong__it_alone_is_named():
    """r1 was said to churn at 20 % and did not: too high; r0 holds. Rates and counts are those of the rows."""
    probability, labels = drawn(800, 0, wrong_half=True)
    right, wrong = slices(probability, labels, np.arange(800), regions(400, 400), seed=0)
    assert (right.value, right.verdict, right.accounts, right.churned) == ("r0", HOLDS, 400, int(labels[:400].sum()))
    assert (wrong.value, wrong.verdict, wrong.happened) == ("r1", TOO_HIGH, 0.0)
    assert wrong.foreseen == pytest.approx(probability[400:].mean())
    assert math.isnan(wrong.metrics["auroc"].value)
    assert right.holds
    assert not wrong.holds


def test__slices__small_ones__stand_together():
    """49 and 30 accounts are too few each: together they are "other", which stands last; None is "not recorded"."""
    probability, labels = drawn(379, 1)
    groups = regions(100, 49, 30, 200)
    groups["region"][:100] = None
    found = slices(probability, labels, np.arange(379), groups, seed=0)
    assert [(each.value, each.accounts) for each in found] == [("r3", 200), ("not recorded", 100), ("other", 79)]


def test__slices__nothing_to_tell_apart__are_none():
    """No attribute, or one value for all: nothing is shown."""
    probability, labels = drawn(100, 2)
    assert slices(probability, labels, np.arange(100), {}, seed=0) == ()
    assert slices(probability, labels, np.arange(100), regions(100), seed=0) == ()


def test__surprise__by_hand():
    """100 accounts at 20 %: 20 ± 4 are foreseen, 28 came: two deviations. At 1 % the deviation is no guide: NaN."""
    assert surprise(np.full(100, 0.2), np.r_[np.ones(28), np.zeros(72)]) == pytest.approx(2.0)
    assert math.isnan(surprise(np.full(100, 0.01), np.zeros(100)))


def test__holm_verdicts__one_of_three__the_bar_falls_step_by_step():
    """With p = 0.010, 0.020, 0.200 against 0.05/3, 0.05/2, 0.05: two are wrong. Of twenty alike 0.010 would be none."""
    found = holm_verdicts([2.576, -2.326, 1.282, math.nan])
    assert found == [TOO_LOW, TOO_HIGH, HOLDS, TOO_FEW]
    assert holm_verdicts([2.576] + [0.0] * 19) == [HOLDS] * 20


def test__slices__right_probabilities__are_called_wrong_in_few_runs():
    """Ten slices looked at in each of 200 samples: in at most 10 % of the samples (5 % is the law) any is called wrong."""
    groups = np.repeat(np.arange(10), 100)
    called = 0
    for seed in range(200):
        probability, labels = drawn(1000, seed)
        zs = [surprise(probability[groups == each], labels[groups == each]) for each in range(10)]
        called += any(verdict != HOLDS for verdict in holm_verdicts(zs))
    assert called <= 20


@pytest.fixture(scope="module")
def moved(tmp_path_factory):
    """One account moves, one is recorded late, one changes its size alone."""
    rows = {
        "moves": [
            {"occurred_at": JAN, "known_at": JAN, "region": "north", "size": 5.0},
            {"occurred_at": JAN + 10 * DAY, "known_at": JAN + 10 * DAY, "region": "south"},
        ],
        "late": [{"occurred_at": JAN, "known_at": JAN + 20 * DAY, "region": "north"}],
        "grows": [
            {"occurred_at": JAN, "known_at": JAN, "region": "east", "size": 1.0},
            {"occurred_at": JAN + 5 * DAY, "known_at": JAN + 5 * DAY, "size": 9.0},
            {"occurred_at": JAN + 2 * DAY, "known_at": JAN + 6 * DAY, "size": 4.0},
        ],
    }
    accounts = {name: {"accounts": each} for name, each in rows.items()}
    return store(tmp_path_factory.mktemp("moved"), accounts)


def test__attributes_as_of__what_came_later__is_not_seen(moved):
    """On the 9th the move is not known; on its very moment it is. What is recorded on the 21st was not known before."""
    before = attributes_as_of(moved, JAN + 9 * DAY, ["region"])["region"].to_dict()
    assert before == {"grows": "east", "moves": "north"}
    assert attributes_as_of(moved, JAN + 10 * DAY, ["region"])["region"]["moves"] == "south"
    assert attributes_as_of(moved, JAN + 20 * DAY, ["region"])["region"]["late"] == "north"


@pytest.mark.parametrize("days", [0, 5, 6, 10])
def test__attributes_as_of__a_number__is_what_the_kernel_says(moved, days):
    """The same rule as features follow: newest by occurred_at among what is known, gaps keep the value before."""
    as_of = JAN + days * DAY
    kernel = build_feature_table(moved, as_of, named(["account_size_last"]))["account_size_last"].droplevel("as_of")
    ours = attributes_as_of(moved, as_of, ["size"])["size"].astype(float).reindex(kernel.index)
    assert np.array_equal(ours.to_numpy(), kernel.to_numpy(), equal_nan=True)


def test__groups_at__only_what_somebody_has(moved):
    """Regions of the accounts asked for, in their order, None where nothing was known; no industry, no segment."""
    groups = groups_at(moved, JAN + 9 * DAY, ["late", "moves", "grows"])
    assert list(groups) == ["region"]
    assert groups["region"].tolist() == [None, "north", "east"]
