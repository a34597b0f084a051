"""The registered model: the same answer alone and in a batch, for every rung and whatever is absent."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.card import ModelCard
from registry.registered_model import FORMAT, ScoreModel
from registry.writer import Logged, log_and_register
from training.data.dataset import Dataset
from training.data.targets import ChurnTarget
from training.models.bgnbd import BgNbd, Buying
from training.models.boosting import BoostedRung
from training.models.buying import BUYING_FEATURES, BuyingRung
from training.models.calibration import Calibration
from training.models.linear import LinearRung
from training.models.rules import LOG_RFM_FEATURES

CALIBRATIONS = {
    "none": Calibration("none"),
    "platt": Calibration("platt", {"slope": 0.8, "intercept": -0.3}),
    "beta": Calibration("beta", {"a": 0.7, "b": 1.2, "c": 0.1}),
}


def dataset(n=600, seed=0):
    """Six columns with long tails, holes and negative amounts; two of them matter."""
    rng = np.random.default_rng(seed)
    matrix = rng.gamma(1.0, 50.0, (n, 6)) * rng.choice([1.0, -0.2], (n, 6), p=[0.9, 0.1])
    labels = (rng.random(n) < 1 / (1 + np.exp(-0.02 * (matrix[:, 0] - matrix[:, 2])))).astype(float)
    matrix[rng.random((n, 6)) < 0.15] = np.nan
    row = np.arange(n)
    return Dataset(
        LOG_RFM_FEATURES, matrix, labels, row.astype(str), row, np.full(n, np.datetime64("2024-01-01", "us"))
    )


def fitted(rung):
    rungs = {
        "recency": LinearRung("recency", LOG_RFM_FEATURES[:1], 1),
        "bgnbd": BuyingRung("bgnbd", BUYING_FEATURES, 1, horizon_days=90),
        "logistic": LinearRung("logistic", LOG_RFM_FEATURES, 1),
        "lightgbm": BoostedRung("lightgbm", LOG_RFM_FEATURES, 1, rounds=40),
    }
    return rungs[rung].fit(dataset(), seed=0)


def score_model(rung, calibration="none"):
    learnt = MODELS[rung]
    card = {"format": FORMAT, **learnt.to_json(), "calibration": CALIBRATIONS[calibration].to_json()}
    return ScoreModel(card, learnt.booster)


MODELS = {rung: fitted(rung) for rung in ("recency", "bgnbd", "logistic", "lightgbm")}
VALUES = st.one_of(
    st.just(np.nan),
    st.floats(-1e7, 1e7),
    st.sampled_from([0.0, -0.0, 1e-300, 1e15, -1e15, 0.1, 90.0]),
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from(sorted(MODELS)), st.sampled_from(sorted(CALIBRATIONS)), st.sampled_from([2, 7, 300]))
def test__probability__row_alone_or_in_a_batch__bit_for_bit_the_same(data, rung, calibration, n):
    """A CRM that asks for one account must get what the night had computed for it among all."""
    model = score_model(rung, calibration)
    row = np.array(data.draw(st.lists(VALUES, min_size=len(model.features), max_size=len(model.features))))
    batch = np.random.default_rng(n).normal(0, 100, (n, len(model.features)))
    batch[np.random.default_rng(n).random(batch.shape) < 0.2] = np.nan
    place = data.draw(st.integers(0, n - 1))
    batch[place] = row
    for compute in (model.probability, model.margin, model.contributions):
        alone, among = compute(row[None, :])[0], compute(batch)[place]
        assert np.asarray(alone).tobytes() == np.asarray(among).tobytes()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rung", sorted(MODELS))
def test__probability__matrix_laid_out_otherwise__bit_for_bit_the_same(rung, order):
    """A pandas frame comes in columns, a kernel's row in rows; the answer may not depend on it."""
    model, rows = score_model(rung, "beta"), dataset(300, seed=4).columns(MODELS[rung].features)
    expected = np.array([model.probability(row[None, :])[0] for row in rows])
    assert (model.probability(np.array(rows, order=order)) == expected).all()


@pytest.mark.parametrize("rung", sorted(MODELS))
def test__contributions__any_rows__add_up_to_the_margin_but_for_a_constant(rung):
    """What cannot be added up cannot be a reason."""
    model = score_model(rung)
    rows = dataset(200, seed=3).columns(model.features)
    rest = model.margin(rows) - model.contributions(rows).sum(axis=1)
    assert rest == pytest.approx(np.full(200, rest[0]), abs=1e-9)
    assert model.contributions(rows).shape == rows.shape


def test__contributions__linear_rung__weight_times_distance_from_the_mean():
    """By hand: log1p(e² − 1) = 2, centre 1.5, scale 0.25, weight 3: 3 × 0.5 / 0.25 = 6."""
    term = {"feature": "f", "centre": 1.5, "scale": 0.25, "weight": 3.0, "missing": -0.7}
    card = {
        "format": FORMAT,
        "features": ["f"],
        "linear": {"intercept": 1.0, "terms": [term]},
        "calibration": {"method": "none"},
    }
    model = ScoreModel(card)
    assert model.contributions(np.array([[np.exp(2) - 1], [np.nan]]))[:, 0] == pytest.approx([6.0, -0.7])
    assert model.margin(np.array([[np.exp(2) - 1], [np.nan]])) == pytest.approx([7.0, 0.3])


def test__bgnbd_rung__says_what_the_model_of_its_paper_says():
    """The code that travels has the formula of `training.models.bgnbd`, in log-odds."""
    model, buying = score_model("bgnbd"), MODELS["bgnbd"].buying
    rows = np.array([[1.0, 300.0, 300.0], [5.0, 300.0, 10.0], [40.0, 700.0, 200.0]])
    paper = BgNbd(*(buying[name] for name in ("r", "alpha", "a", "b")))
    expected = paper.none_within(Buying.of(rows[:, 0] - 1, rows[:, 1] - rows[:, 2], rows[:, 1]), 90.0)
    assert model.probability(rows) == pytest.approx(expected, rel=1e-9)


def test__bgnbd_rung__absent_values__count_as_the_reference_accounts():
    model, reference = score_model("bgnbd"), MODELS["bgnbd"].buying["reference"]
    assert model.margin(np.full((1, 3), np.nan)) == model.margin(np.array([reference]))
    assert (model.contributions(np.full((1, 3), np.nan)) == 0).all()


def test__linear_rung__absence_that_means_something__gets_a_weight_of_its_own():
    """Where the absent churn and the present do not, absence itself must raise the score."""
    data = dataset()
    matrix = np.where(np.isnan(data.matrix), np.nan, 1.0)
    labels = np.isnan(matrix[:, 0]).astype(float)
    rung = LinearRung("recency", LOG_RFM_FEATURES[:1], 1)
    margin = rung.fit(replace(data, matrix=matrix, labels=labels), 0).margin(
        replace(data, matrix=matrix, labels=labels)
    )
    assert margin[labels == 1].min() > 2 > -2 > margin[labels == 0].max()


def test__score_model__no_rows__no_answers():
    """The quiet path, on every rung."""
    for rung in MODELS:
        model = score_model(rung)
        empty = np.empty((0, len(model.features)))
        assert model.probability(empty).shape == (0,)
        assert model.contributions(empty).shape == empty.shape


def test__score_model__wrong_number_of_columns__refused():
    """A shifted matrix would be scored without a complaint."""
    with pytest.raises(ValueError, match=r"reads 6 features a row; the matrix has shape \(2, 5\)"):
        score_model("logistic").probability(np.zeros((2, 5)))


def test__score_model__format_of_another_release__refused():
    """Better no score than a misread one."""
    with pytest.raises(ValueError, match="the model's format is 2, this code reads format 1: train it again"):
        ScoreModel({"format": 2, "features": []})


@pytest.mark.parametrize("rung", sorted(MODELS))
def test__load__files_of_a_model__same_answers(rung, tmp_path):
    """Card and booster are all there is: JSON and text bring every bit back."""
    model, rows = score_model(rung, "platt"), dataset(50, seed=9).columns(MODELS[rung].features)
    (tmp_path / "model.json").write_text(json.dumps(model.card))
    if MODELS[rung].booster:
        (tmp_path / "booster.txt").write_text(MODELS[rung].booster)
    loaded = ScoreModel.load(tmp_path)
    assert loaded.probability(rows).tobytes() == model.probability(rows).tobytes()
    assert loaded.features == model.features


def test__lightgbm__fitted_twice__the_same_trees():
    """The same data and seed give the same model, or no run could be repeated."""
    rung = BoostedRung("lightgbm", LOG_RFM_FEATURES, 1, rounds=20)
    assert rung.fit(dataset(), seed=3).booster == rung.fit(dataset(), seed=3).booster
    assert rung.fit(dataset(), seed=3).booster != rung.fit(dataset(), seed=4).booster


ELSEWHERE = """
import json, sys
class NotHere:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"training", "features", "foresail", "serving"}:
            raise ImportError(name)
sys.meta_path.insert(0, NotHere())
import mlflow.pyfunc, pandas
models, rows = json.load(open("models.json")), pandas.read_parquet("rows.parquet")
answers = {rung: mlflow.pyfunc.load_model(path).predict(rows[names]).tolist() for rung, (path, names) in models.items()}
print(json.dumps(answers))
"""


def test__pyfunc__where_foresail_is_not_installed__every_rung_answers_as_ours(new_store, tmp_path):
    """Anybody with MLflow has the model: its folder alone, without our packages and without a pickle, to 1e-12."""
    rows, models, ours = dataset(80, seed=5), {}, {}
    for rung, learnt in MODELS.items():
        more = {
            "trained_as_of": "2024-01-01T00:00:00+00:00",
            "target": ChurnTarget("churn", 90).to_json(),
            "reference": {"scores": [0.5]},
        }
        card = ModelCard.from_json(score_model(rung, "beta").card | more)
        logged = Logged(rung, card, learnt.booster, {}, {})
        log_and_register(logged, new_store)
        folder = next((tmp_path / "mlflow-artifacts" / rung).rglob("MLmodel")).parent
        models[rung] = (str(folder), list(learnt.features))
        ours[rung] = score_model(rung, "beta").probability(rows.columns(learnt.features))
    pickles = (".pkl", ".pickle", ".joblib", ".cloudpickle", ".skops", ".pt", ".bin")
    assert [path for path in (tmp_path / "mlflow-artifacts").rglob("*") if path.suffix in pickles] == []
    (tmp_path / "models.json").write_text(json.dumps(models))
    pd.DataFrame(rows.matrix, columns=list(rows.features)).to_parquet(tmp_path / "rows.parquet")
    answer = subprocess.run([sys.executable, "-c", ELSEWHERE], cwd=tmp_path, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    theirs = json.loads(answer.stdout.splitlines()[-1])
    assert set(theirs) == set(MODELS)
    for rung, expected in ours.items():
        assert np.abs(np.array(theirs[rung]) - expected).max() <= 1e-12
