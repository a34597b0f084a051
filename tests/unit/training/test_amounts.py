"""Expected amounts: the deviance against its definition, the metrics by hand, and rungs that find what is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import mean_tweedie_deviance

from registry.registered_model import FORMAT, ScoreModel
from training.data.dataset import Dataset
from training.data.targets import ValueTarget
from training.metrics.probabilities import bootstrap_weights
from training.models.amounts import AMOUNTS, BoostedAmount, BuyingValue, LastYear, LogLinear, deviances, ladder, measure
from training.models.bgnbd import BgNbd, Buying
from training.models.calibration import Margins
from training.models.gammagamma import GammaGamma
from training.models.rules import LOG_RFM_FEATURES

DATE = np.datetime64("2024-01-01", "us")
AMOUNTS_DRAWN = st.lists(st.floats(0.01, 1e5), min_size=2, max_size=30)


def dataset(n=3000, seed=0):
    """What is ordered goes with the square root of last year's amount, and half of the accounts order nothing."""
    rng = np.random.default_rng(seed)
    since_first = rng.uniform(30, 700, n)
    orders = rng.integers(1, 30, n).astype(float)
    matrix = np.column_stack([
        rng.uniform(0, 1, n) * since_first, since_first, np.minimum(orders, 12), orders, rng.gamma(1.0, 400.0, n),
        rng.gamma(1.0, 400.0, n) * orders,
    ])  # fmt: skip
    mean = 10.0 * np.sqrt(matrix[:, 4])
    labels = np.where(rng.random(n) < 0.5, rng.gamma(2.0, mean), 0.0)
    row = np.arange(n)
    return Dataset(LOG_RFM_FEATURES, matrix, labels, row.astype(str), row, np.full(n, DATE)), mean


def predicted(fitted, data):
    card = {"format": FORMAT, **fitted.to_json(), "calibration": {"method": "none", "parameters": {}}}
    model = ScoreModel(card, fitted.booster)
    return model, model.answers(data.columns(fitted.features))


@given(AMOUNTS_DRAWN, st.randoms(use_true_random=False))
def test__deviances__equal_scikit_learns(amounts, random):
    """The same number by another's code; power 1.5."""
    y = np.array([random.choice([0.0, random.uniform(0, 1e4)]) for _ in amounts])
    y[0] = 1.0
    mu = np.maximum(amounts, 1e-4 * y.mean())
    assert deviances(np.array(amounts), y).mean() == pytest.approx(mean_tweedie_deviance(y, mu, power=1.5), rel=1e-9)


def test__deviances__lowest_at_the_mean_whatever_the_spread():
    y = np.array([0.0, 0.0, 0.0, 1000.0])
    losses = [deviances(np.full(4, guess), y).mean() for guess in (100.0, 249.0, 250.0, 251.0, 500.0)]
    assert np.argmin(losses) == 2


def test__measure__by_hand():
    """Four accounts ordered 0, 10, 20 and 70; foreseen 10, 10, 30 and 50."""
    found = measure(np.array([10.0, 10.0, 30.0, 50.0]), np.array([0.0, 10.0, 20.0, 70.0]))
    assert found["mean_error"][0] == 10.0
    assert found["off_level"][0] == 0.0
    # The best tenth is 0.4 of the first account: 28 of 100.
    assert found["captured_top_decile"][0] == pytest.approx(0.28)
    # Equals share the middle of their place: 7/8·… the curve 70, 90, then two of 5 each; in hindsight 70, 90, 100, 100.
    ours = (35 + 80 + 95 * 2) / 400 - 0.5
    best = (35 + 80 + 95 + 100) / 400 - 0.5
    assert found["gini"][0] == pytest.approx(ours / best)


def test__measure__weights__are_rows_repeated():
    rng = np.random.default_rng(2)
    answers, labels = rng.gamma(1.0, 100.0, 40), rng.gamma(0.5, 100.0, 40)
    weights = next(bootstrap_weights(np.arange(40), 1, seed=3))
    rows = np.repeat(np.arange(40), weights[0].astype(int))
    # The floor under predictions is a share of the mean label, which the drawn rows have differently.
    weighted, repeated = measure(answers, labels, weights), measure(answers[rows], labels[rows])
    assert np.isnan(measure(np.ones(3), np.zeros(3))["off_level"][0])
    for name, value in weighted.items():
        assert value[0] == pytest.approx(repeated[name][0], rel=1e-6), name


def test__calibration__level__makes_the_total_right_and_moves_nobodys_rank():
    """Foreseen twice as high throughout, and one account out of nothing: the total is met all the same."""
    rng = np.random.default_rng(4)
    margin = np.log(rng.gamma(2.0, 100.0, 500))
    labels = np.exp(margin) * rng.gamma(3.0, 1 / 3.0, 500)
    margin[0] = -20.0
    fold = Margins(None, None, margin + np.log(2.0), labels, np.arange(500))
    answers = AMOUNTS.fit("level", [fold]).answers(fold.margin)
    assert answers.sum() == pytest.approx(labels.sum())
    assert (np.argsort(answers) == np.argsort(margin)).all()


def test__last_year__is_the_rule_that_it_says():
    """365 ordered in the last year, 90 days: 90; in any currency, down to a thousandth of the mean, which is nothing."""
    data, _ = dataset(20)
    for unit in (1.0, 1e-6):
        small = Dataset(
            data.features, data.matrix * unit, data.labels * unit, data.account_id, data.account, data.as_of
        )
        year = small.columns(LastYear(90.0).features)[:, 0]
        _, answers = predicted(LastYear(90.0).fit(small, 0), small)
        assert answers == pytest.approx(np.maximum(year, 1e-3 * year.mean()) * 90 / 365)


def test__buying_value__who_never_ordered__is_told_by_those_who_had_not_ordered_either():
    """A lead is no new buyer: of 50 leads that went on to order 2 on average, 2 is what is said of the next."""
    data, _ = dataset(500)
    leads = np.full((50, 6), np.nan)
    leads[:, [2, 3, 4, 5]] = 0.0
    row = np.arange(550)
    both = Dataset(
        data.features, np.vstack([data.matrix, leads]), np.r_[data.labels, np.tile([0.0, 4.0], 25)], row.astype(str), row,
        np.full(550, DATE),
    )  # fmt: skip
    _, answers = predicted(BuyingValue(90.0).fit(both, 0), both)
    assert answers[500:] == pytest.approx(np.full(50, 2.0))


def test__buying_value__purchases_by_bgnbd_times_worth_by_gamma_gamma():
    """The code that travels multiplies the two models, whose own code knows the published figures."""
    data, _ = dataset()
    fitted = BuyingValue(90.0).fit(data, 0)
    _, answers = predicted(fitted, data)
    orders, first, last, spent = data.columns(fitted.features).T
    told = fitted.buying
    rhythm = BgNbd(told["r"], told["alpha"], told["a"], told["b"])
    purchases = rhythm.expected_within(Buying.of(orders - 1, first - last, first), 90.0)
    worth = GammaGamma(**told["worth"]).expected(orders, spent / orders)
    assert answers == pytest.approx(purchases * worth, rel=1e-9, abs=1e-6)


def test__rungs__find_the_mean_out_of_sample():
    """Both regression and trees come nearer to the true mean than last year's rule, which is off in shape."""
    data, _ = dataset()
    other, mean = dataset(seed=1)
    rule = predicted(LastYear(90.0).fit(data, 0), other)[1]
    for rung in (LogLinear("log_linear", LOG_RFM_FEATURES, 1), _trees()):
        _, answers = predicted(rung.fit(data, 0), other)
        assert np.corrcoef(answers, mean)[0, 1] > 0.8
        assert deviances(answers, other.labels).mean() < deviances(rule, other.labels).mean()
        assert answers.sum() == pytest.approx(mean.sum(), rel=0.1)


def _trees():
    (*_, boosted) = ladder(LOG_RFM_FEATURES, ValueTarget("value", 90))
    assert isinstance(boosted, BoostedAmount)
    return boosted


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)), min_size=6, max_size=6), st.integers(1, 9))
@pytest.mark.parametrize("rung", ["last_year", "bgnbd_gammagamma", "log_linear", "lightgbm"])
def test__answers__alone_and_in_a_batch__same_bits_and_contributions_add_up(rung, row, position):
    """Whatever is absent or impossible: an amount that is finite, the same in any company, and explained to the last."""
    fitted, data = MODELS[rung]
    matrix = np.array(data.matrix[:12])
    matrix[position] = row
    batch = Dataset(data.features, matrix, data.labels[:12], data.account_id[:12], data.account[:12], data.as_of[:12])
    model, answers = predicted(fitted, batch)
    alone = model.answers(batch.columns(fitted.features)[position : position + 1])
    assert np.isfinite(answers).all()
    assert (answers >= 0).all()
    assert alone[0] == answers[position]
    shares = model.contributions(batch.columns(fitted.features))
    constant = model.margin(batch.columns(fitted.features)) - shares.sum(axis=1)
    assert constant == pytest.approx(np.full(12, constant[0]), rel=1e-6, abs=1e-6)


def _fitted():
    data, _ = dataset(800)
    target = ValueTarget("value", 90)
    return {rung.name: (rung.fit(data, 0), data) for rung in ladder(LOG_RFM_FEATURES, target)}


MODELS = _fitted()
