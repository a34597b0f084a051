"""A company's own features the whole way: declared in its file, trained on, scored at night and served, bit for bit."""

import math
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from storing import store
from training_company import company

from features.catalog import CATALOG, named
from features.definitions import Season
from features.engine.digest import table_digest
from features.engine.table import build_feature_table
from foresail.config.project import ProjectError, load
from foresail.operations.serving import bring_up_to_date, serving_settings
from registry.errors import FingerprintMismatch
from registry.loader import load as load_model
from serving.api.problems import FORESEEN, problem_of
from serving.online.schemas import ScoreRequest
from serving.online.score_request import answer
from serving.runtime.model_watcher import Watch
from serving.scoring.scores import needed_features, score_table
from training.backtest.backtest import OtherFeatures, evaluate
from training.data.dataset import eligible_table
from training.train import Settings, train

T = datetime(2023, 9, 1, tzinfo=UTC)
NAME = "small-churn"
PROJECT = """
[project]
name = "Small"
currency = "EUR"
timezone = "UTC"

[features]
extend = ["our_features.py"]

[targets.churn]
kind = "churn"
horizon_days = 60
active_within_days = 180
"""
OURS = """
from features.definitions import Feature, events, ratio

orders = events("purchases", kind="order")
FEATURES = [
    Feature("our_overdue", ratio(orders.days_since_last(), orders.gap_mean(days=300)), "overdue", "times", "one order"),
    Feature("our_amount_max_45d", orders.max("amount", days=45), "largest order", "currency", "none"),
]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with features of its own, and the champion that was trained with them."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "foresail.toml").write_text(PROJECT, encoding="utf-8")
    (folder / "our_features.py").write_text(OURS, encoding="utf-8")
    project = load(folder)
    store(project.history_root, company(accounts=400, fades=True), buckets=project.buckets)
    result = train(
        project.history, project.target("churn"), T, project=project.slug, tracking_uri=project.tracking_uri,
        settings=Settings(every_days=30, dates=6), catalog=project.catalog,
    )  # fmt: skip
    return project, result


@pytest.fixture
def moved(trained, tmp_path):
    """The same project with another feature file, which a test may change: history and models stay where they are."""
    project, _ = trained
    shutil.copy(project.directory / "our_features.py", tmp_path)
    text = PROJECT + f'[history]\nroot = "{project.history_root}"\n[mlflow]\ntracking_uri = "{project.tracking_uri}"\n'
    (tmp_path / "foresail.toml").write_text(text, encoding="utf-8")
    return tmp_path


def watch(project):
    bring_up_to_date(project, T)
    watching = Watch({"FORESAIL_SERVING": serving_settings(project, None).model_dump_json()})
    watching.look()
    return watching


def test__project__catalog__is_foresails_and_its_own(trained):
    """Read when first asked for, and then kept."""
    project, _ = trained
    assert project.catalog.names == [*CATALOG.names, "our_overdue", "our_amount_max_45d"]
    assert project.catalog is project.catalog


def test__project__catalog__a_broken_file_is_a_problem_of_the_project(moved):
    """The command line answers it with exit code 3; what needs no features still works."""
    (moved / "our_features.py").write_text("FEATURES = [1]", encoding="utf-8")
    project = load(moved)
    with pytest.raises(
        ProjectError, match=r"foresail.toml, \[features\] extend:\n.*our_features.py: entry 1 of FEATURES is 1"
    ):
        project.catalog  # noqa: B018  # a property that reads


def test__train__own_features__are_learnt_from_and_known_by_the_card(trained):
    """The trees may use them, and the card tells the table of the run, whole."""
    _, result = trained
    assert {"our_overdue", "our_amount_max_45d"} <= set(result.card.features)
    assert list(result.card.table.features[-2:]) == ["our_overdue", "our_amount_max_45d"]


@pytest.fixture(scope="module")
def again(trained):
    """The table of the training, built again from what the card says."""
    project, result = trained
    card = result.card.table
    history = project.history.at(result.card.data_versions)
    return eligible_table(history, project.target("churn"), card.dates, named(card.features, project.catalog))


def test__train__what_tells_nothing__is_not_learnt_from(trained, again):
    """The company has purchases alone: a column that is the same in every row cannot tell two accounts apart."""
    _, result = trained
    varies = again.nunique(dropna=False).gt(1)
    seasons = [feature.name for feature in CATALOG if isinstance(feature.definition, Season)]
    assert set(result.card.features) == set(again.columns[varies]) - set(seasons)
    assert varies.sum() < len(again.columns) / 2


def test__card__table_built_again_from_it__has_the_same_digest(trained, again):
    """Versions, dates and features in the card are enough to have the table of the run back, bit for bit."""
    _, result = trained
    card = result.card.table
    assert (len(again), table_digest(again)) == (card.rows, card.digest)
    assert sum(row.accounts for row in result.card.rows) == card.rows
    other = again.copy()
    other.iloc[7, 3] = np.nextafter(other.iloc[7, 3], math.inf)
    assert table_digest(other) != card.digest


def test__own_features__batch_and_service__give_bit_equal_scores(trained):
    """One declaration, computed by one kernel at night and while a page loads."""
    project, _ = trained
    loaded = load_model(project.tracking_uri, NAME, catalog=project.catalog)
    table = build_feature_table(project.history, T, needed_features([loaded]))
    night = score_table(loaded, table, explain_top=5)
    in_service = watch(project).in_service()
    asked = ScoreRequest(account_ids=night["account_id"].tolist()[:200])
    served = [entry.scores[0].probability for entry in answer(asked, in_service, T)]
    expected = [None if math.isnan(one) else one for one in night["probability"].tolist()[:200]]
    assert served == expected
    assert sum(one is not None for one in served) > 50


def test__own_feature_changed__every_door_refuses_the_model_with_words(moved):
    """Another window under the same name is another feature."""
    (moved / "our_features.py").write_text(OURS.replace("days=300", "days=200"), encoding="utf-8")
    project = load(moved)
    with pytest.raises(FingerprintMismatch, match=r"computed differently here.*those files of \[features\] extend"):
        load_model(project.tracking_uri, NAME, catalog=project.catalog)
    with pytest.raises(OtherFeatures, match=r"computes differently: train again, or go back.*\[features\] extend"):
        evaluate(project.history, T, name=NAME, tracking_uri=project.tracking_uri, known_by=T, catalog=project.catalog)
    with pytest.raises(FORESEEN, match="computed differently here"):
        watch(project).check_ready()


def test__own_feature_reworded__the_model_stays(moved):
    """A better sentence retires no model."""
    (moved / "our_features.py").write_text(OURS.replace('"overdue"', '"how late"'), encoding="utf-8")
    assert load_model(load(moved).tracking_uri, NAME, catalog=load(moved).catalog).features.names


def test__feature_file_no_longer_named__the_model_is_refused_by_the_feature(moved):
    """What the catalog does not have cannot be computed."""
    text = (moved / "foresail.toml").read_text().replace('extend = ["our_features.py"]', "")
    (moved / "foresail.toml").write_text(text, encoding="utf-8")
    project = load(moved)
    with pytest.raises(FingerprintMismatch, match=r"the catalog does not have: our_overdue, our_amount_max_45d"):
        load_model(project.tracking_uri, NAME, catalog=project.catalog)


def test__feature_file_gone__the_service_says_so(moved):
    """It starts, and tells whoever asks which file it misses."""
    (moved / "our_features.py").unlink()
    with pytest.raises(FORESEEN, match=r"our_features.py: the feature file cannot be read") as problem:
        watch(load(moved)).in_service()
    assert problem_of(problem.value).kind.status == 503


ELSEWHERE = """
import sys, mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
table = pandas.read_parquet("table.parquet")
mlflow.pyfunc.load_model("models:/small-churn/1").predict(table).to_frame().to_parquet("answered.parquet")
"""


def test__registered_model__as_plain_pyfunc_of_another_process__needs_no_feature_file(trained, tmp_path):
    """What others load with MLflow knows columns by name, and nothing of where they came from."""
    project, result = trained
    table = build_feature_table(project.history, T, named(result.card.features, project.catalog))
    table.reset_index(drop=True).to_parquet(tmp_path / "table.parquet")
    command = [sys.executable, "-c", ELSEWHERE, project.tracking_uri]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    loaded = load_model(project.tracking_uri, NAME, catalog=project.catalog)
    answered = pd.read_parquet(tmp_path / "answered.parquet")["probability"]
    assert answered.tolist() == loaded.model.probability(table.to_numpy()).tolist()
