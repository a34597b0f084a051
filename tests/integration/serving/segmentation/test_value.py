"""What an account is worth in a year, what of it is at stake, and how severe that is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segmentation_company import CHURN, by_account, scores, segmentation, table

from serving.scoring.value_at_stake import predicted_value, severity_cuts, severity_of, value_at_stake
from serving.segmentation.settings import SegmentationSettings, Severity, TargetOf

CUTS = {"severity_medium": 10.0, "severity_high": 100.0, "severity_critical": 1000.0}
numbers = st.floats(0, 1e9, allow_subnormal=False)


def test__predicted_value__no_target_of_value__is_the_larger_of_purchases_and_contracts():
    """Whoever returned more than it bought is worth nothing, not less; who has a contract and buys nothing, its value."""
    found = predicted_value(table(net=[1200, -50, 0, 300], contract=[0, 0, 900, 900]))
    assert found.tolist() == [1200, 0, 900, 900]


def test__predicted_value__amount_of_a_target__is_scaled_to_a_year_where_there_is_one():
    """Half a year's 100 are 202.78 a year; who is not scored keeps what it brought; nothing is below 0."""
    found = predicted_value(table(net=[5, 7, 9]), np.array([100, np.nan, -3]), 180)
    assert found.tolist() == [100 * (365 / 180), 7, 0]


@given(st.lists(st.tuples(numbers, numbers, st.floats(0, 1)), min_size=1, max_size=20))
def test__value__one_row_alone__is_bit_equal_to_the_row_among_all(rows):
    """A score on demand says what the night says."""
    net, amount, probability = map(np.array, zip(*rows, strict=True))
    together = value_at_stake(
        "churn", probability, predicted_value(table(net=net, ids=[str(n) for n in range(len(net))]), amount, 90)
    )
    for row in range(len(net)):
        columns = {"purchases_net_amount_sum_365d": net[row : row + 1], "contracts_value_sum": np.zeros(1)}
        alone = value_at_stake("churn", probability[row : row + 1], predicted_value(columns, amount[row : row + 1], 90))
        assert alone.tobytes() == together[row : row + 1].tobytes()
        assert severity_of(alone, CUTS) == severity_of(together, CUTS)[row : row + 1]


def test__value_at_stake__other_kinds_than_risks__is_null():
    for kind in ("churn", "contract_churn", "contraction"):
        assert value_at_stake(kind, np.array([0.5]), np.array([100.0])).tolist() == [50]
    for kind in ("upsell", "cross_sell", "value", "next_order"):
        assert np.isnan(value_at_stake(kind, np.array([0.5]), np.array([100.0]))).all()


def test__severity_of__at_a_cut__takes_the_higher_one():
    """Nothing at stake is low even where a cut is at 0; who is not scored has no severity."""
    stakes = np.array([0, 9.99, 10, 100, 1000, np.nan])
    assert severity_of(stakes, CUTS) == ["low", "low", "medium", "high", "critical", None]
    assert severity_of(np.array([0.0, 5.0]), dict.fromkeys(CUTS, 0.0)) == ["low", "critical"]
    assert severity_of(stakes, {}) == [None] * 6


def test__severity_cuts__are_quantiles_of_what_is_at_stake_alone():
    """Of 0 to 100 the quantile 0.95 is 95; accounts without a score do not count."""
    stakes = np.r_[np.arange(101.0), np.full(50, np.nan)]
    assert severity_cuts(stakes, Severity()) == {"severity_medium": 50, "severity_high": 80, "severity_critical": 95}
    assert severity_cuts(np.full(3, np.nan), Severity()) == {}


def test__stand__high_value_risk__is_the_highest_alarm():
    """A likely loss of little is less severe than an unlikely one of much; of two risks the larger stake counts."""
    settings = SegmentationSettings(
        CHURN | {"contraction": TargetOf("contraction", 90), "upsell": TargetOf("upsell", 90)}
    )
    of = table(net=[100, 10_000, 200, 300, 400])
    told = pd.concat([
        scores(probability=[0.9, 0.1, 0.1, 0.1, np.nan]),
        scores("contraction", probability=[0.1, 0.2, 0.2, 0.1, np.nan]),
        scores("upsell", probability=[0.5] * 5),
    ])  # fmt: skip
    stood = segmentation(of, told, settings=settings)
    assert by_account(stood.account_segments, "value_at_stake") == {"a": 90, "b": 2000, "c": 40, "d": 30, "e": None}
    assert by_account(stood.account_segments, "severity") == {
        "a": "medium",
        "b": "critical",
        "c": "low",
        "d": "low",
        "e": None,
    }
    assert by_account(stood.account_segments, "risk") == {"a": 0.9, "b": 0.2, "c": 0.2, "d": 0.1, "e": None}
    assert by_account(stood.account_segments, "band") == {"a": "high", "b": "low", "c": "low", "d": "low", "e": None}
    contraction = stood.scores[stood.scores["target"] == "contraction"]
    assert by_account(contraction, "value_at_stake") == {"a": 10, "b": 2000, "c": 40, "d": 30, "e": None}
    assert stood.scores.loc[stood.scores["target"] == "upsell", ["value_at_stake", "severity"]].isna().all().all()


def test__stand__cuts__are_those_that_severities_follow():
    """A score on demand is ranked by them as the night ranked."""
    rng = np.random.default_rng(0)
    of = table(net=rng.lognormal(5, 2, 60), ids=[f"A{row:02}" for row in range(60)])
    stood = segmentation(of, scores(ids=of.index, probability=rng.random(60)))
    cuts = dict(zip(stood.cuts["name"], stood.cuts["value"], strict=True))
    assert set(cuts) == {"value", *CUTS}
    assert (
        severity_of(stood.account_segments["value_at_stake"].to_numpy(), cuts)
        == stood.account_segments["severity"].tolist()
    )
    assert stood.account_segments["severity"].value_counts().to_dict() == {
        "low": 30,
        "medium": 18,
        "high": 9,
        "critical": 3,
    }


def test__value_target__several__is_the_amount_nearest_to_a_year():
    """A margin is no revenue: to put it into the place of net purchases would mix two units."""
    targets = {
        "soon": TargetOf("value", 30), "year": TargetOf("value", 400), "margin": TargetOf("value", 365, "margin"),
    }  # fmt: skip
    assert SegmentationSettings(targets).value_target == "year"
    assert SegmentationSettings({"margin": targets["margin"]}).value_target is None


def test__stand__score_of_a_stranger__is_refused():
    with pytest.raises(ValueError, match="account 'b' has a score and no row in the table"):
        segmentation(table(net=[1.0]), scores(probability=[0.1, 0.2]))
