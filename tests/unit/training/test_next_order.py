"""Days until the next order: likelihood against its definition, coverage where the truth is known, laws of the answers."""

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import check_grad
from scipy.stats import fisk

from registry.registered_model import FORMAT, ScoreModel
from training.data.dataset import Dataset
from training.data.targets import NextOrderTarget
from training.metrics.probabilities import bootstrap_weights
from training.models.calibration import Margins
from training.models.next_order import (
    RHYTHM,
    RHYTHM_AND_RFM,
    BoostedDays,
    Days,
    LinearDays,
    _Likelihood,
    chance_by,
    crps,
    ladder,
    measure,
)

HORIZON = 60.0
DATE = np.datetime64("2024-01-01", "us")


def dataset(n=3000, seed=0, scale=0.5):
    """Days follow 0.8 × the usual gap, with log-logistic noise; beyond 60 days nobody looks."""
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(1.5, 100.0, (n, len(RHYTHM_AND_RFM)))
    matrix[:, 0] = rng.uniform(3, 80, n)
    true = 0.8 * matrix[:, 0]
    days = true * np.exp(scale * rng.logistic(size=n))
    row = np.arange(n)
    labels = np.where(days <= HORIZON, days, np.inf)
    return Dataset(RHYTHM_AND_RFM, matrix, labels, row.astype(str), row, np.full(n, DATE)), true, days


def model_of(fitted, scale):
    calibration = {"method": "rhythm", "parameters": {"slope": 1.0, "intercept": 0.0, "scale": scale}}
    return ScoreModel({"format": FORMAT, **fitted.to_json(), "calibration": calibration}, fitted.booster)


def rungs():
    rhythm, regression, trees = ladder(RHYTHM_AND_RFM, NextOrderTarget("next", int(HORIZON)))
    assert isinstance(trees, BoostedDays)
    return {"rhythm": rhythm, "log_logistic": regression, "lightgbm": trees}


@pytest.mark.parametrize("rung", ["rhythm", "log_logistic", "lightgbm"])
def test__rungs__known_truth__median_scale_and_coverage_come_back(rung):
    """Out of sample the median goes with the true one, the scale is the true one, and eight of ten lie within bounds."""
    data, *_ = dataset()
    other, true, days = dataset(seed=1)
    fitted = rungs()[rung].fit(data, 0)
    answers = model_of(fitted, fitted.scale).answers(other.columns(fitted.features))
    assert np.corrcoef(np.log(answers[:, 0]), np.log(true))[0, 1] > 0.93
    assert fitted.scale == pytest.approx(0.5, rel=0.15)
    assert np.mean((answers[:, 1] <= days) & (days <= answers[:, 2])) == pytest.approx(0.8, abs=0.04)
    assert np.median(answers[:, 0] / true) == pytest.approx(1.0, abs=0.12)


def test__answers__are_quantiles_of_scipys_log_logistic():
    """Median and bounds of scipy's fisk distribution with shape 1/scale."""
    data, *_ = dataset(50)
    fitted = LinearDays("rhythm", RHYTHM, 1, horizon_days=HORIZON).fit(data, 0)
    answers = model_of(fitted, 0.7).answers(data.columns(RHYTHM))
    theirs = fisk(c=1 / 0.7, scale=answers[:, 0])
    assert answers == pytest.approx(np.column_stack([theirs.ppf(q) for q in (0.5, 0.1, 0.9)]))
    assert chance_by(answers, 20.0) == pytest.approx(theirs.cdf(20.0))


def test__likelihood__slopes_are_those_of_the_loss():
    """First derivative numerically, second by differences of the first; one row came, one is censored."""
    labels = np.array([7.0, 120.0])
    data = lightgbm.Dataset(np.zeros((2, 1)), labels).construct()
    likelihood = _Likelihood(HORIZON, 0.6)

    def loss(margin):
        return 2.0 * likelihood.loss(margin, data)[1]

    def slope(margin):
        return likelihood.slopes(margin, data)[0]

    at = np.array([2.5, 3.0])
    assert check_grad(loss, slope, at) < 1e-5
    ahead = (slope(at + 1e-6) - slope(at - 1e-6)) / 2e-6
    assert likelihood.slopes(at, data)[1] == pytest.approx(ahead, rel=1e-4)


def test__crps__equals_the_integral():
    """Against numerical integration of (F − 1{came})² over the horizon."""
    answers = np.exp(np.log([[20.0]]) + 0.5 * np.array([[0.0, -np.log(9), np.log(9)]]))
    for label in (12.0, np.inf):

        def squared(moment, label=label):
            return float((chance_by(answers, moment)[0] - (label <= moment)) ** 2)

        oracle, _ = quad(squared, 0, HORIZON, points=[12.0], limit=200)
        assert crps(answers, np.array([label]), HORIZON)[0] == pytest.approx(oracle, rel=0.02)


def test__crps__true_distribution_beats_others():
    """A proper score: who says the truth loses least, on average."""
    data, true, _ = dataset(4000)
    line = np.array([0.0, -np.log(9), np.log(9)])

    def lost(median, scale):
        return crps(np.exp(np.log(median)[:, None] + scale * line), data.labels, HORIZON).mean()

    best = lost(true, 0.5)
    assert best < min(lost(true, 0.3), lost(true, 0.8), lost(1.2 * true, 0.5), lost(0.8 * true, 0.5))


def test__calibration__brings_back_slope_level_and_spread():
    """Margins stretched and shifted by a known line are put straight on later data."""
    data, true, _ = dataset(5000)
    days = Days(HORIZON)
    fold = Margins(None, None, 1.0 + 2.0 * np.log(true), data.labels, data.account, scale=0.1)
    line = days.fit("rhythm", [fold]).parameters
    assert line["slope"] == pytest.approx(0.5, abs=0.03)
    assert line["intercept"] == pytest.approx(-0.5, abs=0.1)
    assert line["scale"] == pytest.approx(0.5, abs=0.03)
    assert days.uncalibrated(fold).parameters["scale"] == 0.1


@pytest.mark.parametrize("median", [10.0, 50.0, 120.0, 400.0])
def test__measure__true_distribution__covers_four_fifths_however_many_are_censored(median):
    """Of who has not ordered by the horizon nobody knows when: it counts by the chance, so that honesty shows no gap."""
    rng = np.random.default_rng(0)
    days = median * np.exp(0.5 * rng.logistic(size=20_000))
    labels, line = np.where(days <= HORIZON, days, np.inf), np.array([0.0, -np.log(9), np.log(9)])
    answers = np.tile(np.exp(np.log(median) + 0.5 * line), (len(days), 1))
    assert measure(answers, labels, HORIZON)["coverage_gap"][0] < 0.012


def test__measure__too_narrow__shows_in_coverage():
    rng = np.random.default_rng(0)
    days = 20.0 * np.exp(0.5 * rng.logistic(size=5000))
    answers = np.tile(20.0 * np.exp(0.2 * np.array([0.0, -np.log(9), np.log(9)])), (len(days), 1))
    found = measure(answers, np.where(days <= HORIZON, days, np.inf), HORIZON)
    assert found["coverage_gap"][0] > 0.3
    assert found["width"][0] == pytest.approx(answers[0, 2] - answers[0, 1])


def test__measure__weights__are_rows_repeated():
    data, true, _ = dataset(60)
    answers = true[:, None] * np.array([1.0, 0.3, 3.0])
    weights = next(bootstrap_weights(np.arange(60), 1, seed=3))
    rows = np.repeat(np.arange(60), weights[0].astype(int))
    weighted = measure(answers, data.labels, HORIZON, weights)
    repeated = measure(answers[rows], data.labels[rows], HORIZON)
    assert {name: value[0] for name, value in weighted.items()} == pytest.approx(
        {name: value[0] for name, value in repeated.items()}
    )


MODELS = {name: rung.fit(dataset(800)[0], 0) for name, rung in rungs().items()}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)), min_size=9, max_size=9), st.integers(0, 11))
@pytest.mark.parametrize("rung", MODELS)
def test__answers__alone_and_in_a_batch__same_bits_in_order(rung, row, position):
    """Low ≤ median ≤ high, finite and above 0 whatever is absent, and the same to the last bit in any company."""
    fitted, matrix = MODELS[rung], dataset(12, seed=5)[0].matrix
    matrix[position] = row
    columns = matrix[:, [RHYTHM_AND_RFM.index(name) for name in fitted.features]]
    model = model_of(fitted, 0.5)
    answers = model.answers(columns)
    assert np.isfinite(answers).all()
    assert (answers[:, 1] > 0).all()
    assert (np.diff(answers[:, [1, 0, 2]], axis=1) >= 0).all()
    assert (model.answers(columns[position : position + 1])[0] == answers[position]).all()
