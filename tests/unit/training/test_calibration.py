"""Calibration keeps order, repairs what is skewed, and is chosen by evidence from later dates alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from training.metrics.probabilities import measure
from training.models.calibration import METHODS, Calibration, Margins, as_then, choose, fit
from training.models.logistic import fit_logistic

T = datetime(2024, 1, 1, tzinfo=UTC)


def sigmoid(margin):
    return 1 / (1 + np.exp(-margin))


def sample(seed, n=2000, slope=1.0, shift=0.0):
    """Margins of a model, and labels whose true log-odds are slope × margin + shift."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0, 1.5, n)
    return margin, (rng.random(n) < sigmoid(slope * margin + shift)).astype(float)


def folds(days, **skew):
    """A fold every so many days, each with a horizon of 90 days."""
    for number, day in enumerate(days):
        margin, labels = sample(number, **skew)
        at = T + timedelta(days=day)
        yield Margins(at, at + timedelta(days=90), margin, labels, np.arange(len(labels)) + 10_000 * number)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(METHODS), st.integers(0, 10_000), st.floats(-3, 3), st.floats(-2, 2))
def test__fitted_calibration__any_data__never_turns_two_accounts_round(method, seed, slope, shift):
    """Even data that say the ranking is upside down (slope < 0) may flatten it, never reverse it."""
    fitted = fit(method, *sample(seed, 200, slope, shift))
    probability = fitted.probability(np.linspace(-40, 40, 2001))
    assert (np.diff(probability) >= 0).all()
    assert ((probability >= 0) & (probability <= 1)).all()


def test__beta__one_and_one_and_zero__leaves_probabilities_alone():
    """The parameters a = b = 1, c = 0 are the identity: ln p − ln(1 − p) is the log-odds."""
    margin = np.linspace(-30, 30, 301)
    identity = Calibration("beta", {"a": 1.0, "b": 1.0, "c": 0.0})
    assert identity.probability(margin) == pytest.approx(sigmoid(margin), rel=1e-12)


def test__beta__known_parameters__as_the_paper_writes_it():
    """Kull et al. 2017: 1 / (1 + 1 / (e^c · p^a / (1 − p)^b)); for p = .8, a = 2, b = 1, c = −1: odds 1.1772."""
    odds = np.exp(-1.0) * 0.8**2 / 0.2
    calibrated = Calibration("beta", {"a": 2.0, "b": 1.0, "c": -1.0}).probability(np.log([0.8 / 0.2]))
    assert calibrated[0] == pytest.approx(odds / (1 + odds), rel=1e-12)


def test__platt__margins_twice_too_steep__finds_slope_and_shift():
    """Labels drawn with slope 0.5 and shift −0.7: 20,000 of them pin both within some hundredths."""
    fitted = fit("platt", *sample(0, 20_000, 0.5, -0.7))
    assert fitted.parameters["slope"] == pytest.approx(0.5, abs=0.04)
    assert fitted.parameters["intercept"] == pytest.approx(-0.7, abs=0.06)


@pytest.mark.parametrize("method", ["platt", "beta"])
def test__calibration__overconfident_margins__ece_falls_on_other_data(method):
    """Fitted on one sample, judged on another."""
    margin, labels = sample(1, slope=0.5, shift=0.8)
    before, after = (
        measure(p, labels)["ece"][0]
        for p in (sigmoid(margin), fit(method, *sample(2, slope=0.5, shift=0.8)).probability(margin))
    )
    assert before > 0.1
    assert after < 0.04


def test__choose__margins_are_honest__none():
    """Nothing to repair: the simplest method within noise of the best is to leave it."""
    method, reason = choose(list(folds([0, 90, 180, 270])), seed=0)
    assert method == "none"
    assert "none" in reason


def test__choose__overconfident_margins__a_correction():
    """Later folds confirm what earlier ones show."""
    method, reason = choose(list(folds([0, 90, 180, 270], slope=0.4, shift=0.5)), seed=0)
    assert method == "platt"
    assert "on 3 later folds" in reason


def test__choose__horizons_overlap__no_evidence():
    """Folds 30 days apart with horizons of 90: none had closed when the next stood, however skewed they are."""
    method, reason = choose(list(folds([0, 30, 60], slope=0.2)), seed=0)
    assert method == "none"
    assert "without out-of-time evidence" in reason


def test__choose__no_folds__none():
    """The quiet path."""
    assert choose([], seed=0)[0] == "none"


def test__as_then__labels_of_open_horizons__not_used():
    """The fold at day 60 must be calibrated as if the fold at day 0 (open until day 90) had never been."""
    first, second = folds([0, 60], slope=0.2)
    assert as_then("platt", second, [first, second]) == pytest.approx(sigmoid(second.margin))
    first, third = folds([0, 90], slope=0.2)
    assert as_then("platt", third, [first, third]) != pytest.approx(sigmoid(third.margin))


def test__fit_logistic__ordinary_data__as_scikit_learn():
    """The same minimum by another's solver; scikit-learn's C is one over the penalty."""
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(500, 3))
    labels = (rng.random(500) < sigmoid(columns @ [1.0, -2.0, 0.0] + 0.5)).astype(float)
    oracle = LogisticRegression(C=1 / 3.0, tol=1e-12, max_iter=10_000).fit(columns, labels)
    ours = fit_logistic(columns, labels, penalty=3.0, towards=np.zeros(3))
    assert ours.intercept == pytest.approx(oracle.intercept_[0], abs=1e-5)
    assert ours.weights == pytest.approx(oracle.coef_[0], abs=1e-5)


def test__fit_logistic__separable_classes__finite():
    """Without a penalty the slope would run off; with it there is one answer."""
    fitted = fit_logistic(np.array([[-1.0], [1.0]] * 50), np.array([0.0, 1.0] * 50), 1.0, np.zeros(1))
    assert 1 < fitted.weights[0] < 10


def test__fit_logistic__column_that_never_varies__weight_stays():
    """A feature that is the same for everybody says nothing, and its weight is where the penalty pulls it."""
    columns = np.column_stack([np.zeros(100), np.tile([-1.0, 1.0], 50)])
    fitted = fit_logistic(columns, np.tile([0.0, 1.0], 50), penalty=1.0, towards=np.array([0.5, 0.0]))
    assert fitted.weights[0] == pytest.approx(0.5)
