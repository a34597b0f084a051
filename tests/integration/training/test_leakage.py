"""Columns that know the answer are named; honest ones, and noise, are left alone."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from training.data.leakage import alone, overlap, suspects

TELCO = Path(__file__).parents[4] / "shared" / "data" / "telco"
needs_telco = pytest.mark.skipif(not TELCO.exists(), reason="../shared/data/telco is not there")


def marks(found):
    return {one.column: one.mark for one in found}


@needs_telco
def test__telco_v11__names_what_knows_the_answer_and_nothing_else():
    """IBM's sample leaks by design: a score made afterwards, and a reason that only churners have."""
    table = pd.read_parquet(TELCO / "telco_v11.parquet")
    found = suspects(table, table["Churn Label"] == "Yes")
    assert marks(found) == {
        "Churn Label": "too good",
        "Churn Value": "too good",
        "Churn Score": "too good",
        "Churn Reason": "filled for one outcome",
    }
    (score,) = [one for one in found if one.column == "Churn Score"]
    assert score.figure == pytest.approx(0.942, abs=0.001)
    assert "AUROC of 0.942" in score.words


@needs_telco
def test__telco_v1__is_clean():
    """The flat table without the outcome has strong columns, and none that is suspect; an id of each row says nothing."""
    table = pd.read_csv(TELCO / "telco_v1.csv")
    labels = (table.pop("Churn") == "Yes").astype(float)
    assert suspects(table, labels) == []
    assert alone(table["tenure"], labels.to_numpy()) == pytest.approx(0.74, abs=0.01)
    assert alone(table["customerID"], labels.to_numpy()) == pytest.approx(0.5, abs=0.01)


def test__alone__of_numbers__is_the_auroc_of_scikit_learn():
    """Either direction counts, ties half."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 500).astype(float)
    column = np.round(rng.normal(size=500) - labels, 1)
    assert alone(pd.Series(column), labels) == pytest.approx(1 - roc_auc_score(labels, column))


def test__alone__of_absence__counts_absence_where_it_belongs():
    """A column that is absent for a third, and says something only by its absence, is no better and no worse than that."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 5000).astype(float)
    absent = rng.random(5000) < np.where(labels == 1, 0.6, 0.1)
    column = pd.Series(np.where(absent, np.nan, rng.normal(size=5000)))
    assert alone(column, labels) == pytest.approx(roc_auc_score(labels, absent), abs=0.03)


def test__time__of_the_outcome__is_too_good():
    """A moment that lies later for those who churned gives them away, whatever it is called."""
    rng = np.random.default_rng(2)
    labels = (rng.random(1000) < 0.3).astype(float)
    changed = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.random(1000) * 90 + 100 * labels, unit="D")
    (found,) = suspects(pd.DataFrame({"updated_at": changed, "size": rng.normal(size=1000)}), labels)
    assert (found.column, found.mark) == ("updated_at", "too good")


@pytest.mark.parametrize("name", ["churn_date", "ChurnScore", "Is Churn", "CHURN"])
def test__name__of_the_outcome__in_any_spelling(name):
    labels = np.tile([0.0, 1.0], 50)
    table = pd.DataFrame({name: np.arange(100.0), "churning_rate_of_region": np.arange(100.0)})
    assert marks(suspects(table, labels)) == {name: "named after the outcome"}


def test__column__not_there_when_scoring():
    """What was filled in the past and is empty today would have been learnt from in vain; a column that is rare stays."""
    learnt = pd.DataFrame({"plan": ["a", "b"] * 50, "rare": [1.0] + [np.nan] * 99, "size": np.arange(100.0)})
    today = pd.DataFrame({"plan": [None] * 100, "rare": [np.nan] * 100, "size": np.arange(100.0)})
    found = suspects(learnt, np.tile([0.0, 0.0, 1.0, 1.0], 25), scored=today)
    assert marks(found) == {"plan": "not there when scoring"}
    assert found[0].words == "filled in 100% of the rows learnt from, and in 0% of those to be scored"


def test__column__of_other_values_when_scoring__is_named_and_the_calendar_is_not():
    """A unit that changed from euros to cents, after training; a drift of a tenth, and what is one number a date, pass."""
    rng = np.random.default_rng(0)
    value, labels = rng.gamma(2.0, 50.0, 400), rng.integers(0, 2, 400)
    learnt = pd.DataFrame({"cents": value, "drift": value, "calendar": 0.2})
    today = pd.DataFrame({"cents": 100 * value, "drift": 1.1 * value, "calendar": 0.9})
    [one] = suspects(learnt, labels, scored=today)
    assert (one.column, one.mark) == ("cents", "other when scoring")
    assert "its values have moved" in one.words


def test__overlap__names_rows_that_are_learnt_and_judged():
    table = pd.DataFrame({"account_id": list("abcd"), "spend": [1.0, 2.0, 3.0, 4.0]})
    (found,) = overlap(table.iloc[:3], table.iloc[2:])
    assert found.words == "1 of 2 rows to be judged on are among those learnt from, every column alike"
    assert overlap(table.iloc[:2], table.iloc[2:]) == []


def test__few_rows__prove_nothing():
    """Ten rows that a column happens to order are no reason to suspect it."""
    labels = np.array([0.0] * 5 + [1.0] * 5)
    table = pd.DataFrame({"lucky": np.arange(10.0), "reason": [None] * 5 + ["x"] * 5})
    assert suspects(table, labels) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.02, 0.5), st.floats(0, 0.9))
def test__noise__is_never_suspect(seed, rate, absent):
    """Numbers, words, ids, times, constants and gaps that know nothing are left alone."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(400) < rate).astype(float)
    table = pd.DataFrame(
        {
            "number": np.where(rng.random(400) < absent, np.nan, rng.normal(size=400)),
            "word": rng.choice(["a", "b", None], 400),
            "id": np.arange(400).astype(str),
            "time": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 99, 400), unit="D"),
            "constant": 1,
            "empty": np.nan,
        }
    )
    assert suspects(table, labels, seed=seed) == []


def test__labels__that_are_none__are_refused():
    table = pd.DataFrame({"size": [1.0, 2.0]})
    for wrong in ([0.0], [0.0, 2.0], [0.0, np.nan]):
        with pytest.raises(ValueError, match="2 rows need as many labels, each 0 or 1"):
            suspects(table, wrong)
