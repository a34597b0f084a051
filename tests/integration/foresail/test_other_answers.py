"""Targets that answer with an amount or with days: from the project file to the registry, the night's table and the service."""

from datetime import timedelta
from types import SimpleNamespace

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest
from storing import store
from training_company import FIRST_DAY, company

from features.engine.table import build_feature_table
from foresail.cli.rendering.models import backtest, training_result
from foresail.cli.rendering.scores import scores
from foresail.config.project import load
from foresail.operations.models import train
from foresail.operations.scoring import score, write_scores
from foresail.operations.serving import bring_up_to_date, serving_settings
from serving.online.schemas import ScoreRequest
from serving.online.score_request import answer
from serving.online.settings import VARIABLE
from serving.publish.tables import SCORES
from serving.runtime.model_watcher import Watch
from training.backtest.backtest import evaluate

T = FIRST_DAY + timedelta(days=600)
PROJECT = """
[project]
name = "Acme"
currency = "EUR"
timezone = "UTC"

[history]
buckets = 2

[targets.value]
kind = "value"
horizon_days = 60
active_within_days = 180

[targets.next_order]
kind = "next_order"
horizon_days = 60
active_within_days = 180

[training]
every_days = 60
dates = 5
"""


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """A project whose two targets are trained and whose accounts are scored."""
    folder = tmp_path_factory.mktemp("acme")
    (folder / "foresail.toml").write_text(PROJECT)
    project = load(folder)
    store(project.history_root, company(300), buckets=2)
    trained = {target: train(project, target, T) for target in project.targets}
    return SimpleNamespace(project=project, trained=trained, scored=score(project, T))


@pytest.fixture(scope="module")
def service(acme):
    """What the service answers from, with both champions."""
    bring_up_to_date(acme.project, T)
    settings = serving_settings(acme.project, T).model_dump_json()
    watch = Watch({VARIABLE: settings})
    watch.start()
    yield watch.in_service()
    watch.stop()


def of(acme, target):
    rows = acme.scored.scores
    return rows[(rows["target"] == target) & rows["why_not"].isna()].set_index("account_id")


def test__train__every_rung_beside_the_rule_by_its_own_metrics(acme):
    """Money has money's metrics, days those of days; the choice is by their own loss, and the words are theirs."""
    value, days = acme.trained["value"], acme.trained["next_order"]
    assert list(value.evaluation.metrics)[:2] == ["last_year", "bgnbd_gammagamma"]
    assert next(iter(days.evaluation.metrics)) == "rhythm"
    assert "deviance" in value.choice
    assert "CRPS" in days.choice
    assert "ordered; 95 %" in training_result(value).parts[2].title
    for result in acme.trained.values():
        page = result.report_path.read_text(encoding="utf-8")
        assert page.count("<svg") >= 2
        assert result.card.target.definition.split(";")[0] in page.replace("&gt;", ">").replace(
            "Value:", "value:"
        ).replace("Days", "days")


def test__scores__answer_in_the_column_of_its_kind(acme, tmp_path):
    """Amounts are positive, a median lies between its bounds, what lies beyond the horizon is null; the file keeps the schema."""
    value, days = of(acme, "value"), of(acme, "next_order")
    assert (value["amount"] > 0).all()
    assert value[["probability", "days"]].isna().all(axis=None)
    known = days.dropna(subset=["days", "days_low", "days_high"])
    assert len(known)
    assert ((known["days_low"] <= known["days"]) & (known["days"] <= known["days_high"])).all()
    assert days["days"].max() <= 60
    write_scores(acme.scored.scores, tmp_path / "scores.parquet")
    assert pq.read_schema(tmp_path / "scores.parquet").equals(SCORES.schema)
    assert "to expect in all" in " ".join(map(str, scores(acme.scored, "EUR", None).parts))


def test__service__same_bits_as_the_night(acme, service):
    """One account asked for online gets what the table says, to the last bit."""
    night = {target: of(acme, target) for target in ("value", "next_order")}
    asked = sorted(set(night["value"].index) & set(night["next_order"].index))[:20]
    found = answer(ScoreRequest(account_ids=asked, explain="top"), service, T)
    for entry in found:
        value, days = (next(each for each in entry.scores if each.target == target) for target in night)
        assert value.amount == night["value"].loc[entry.account_id, "amount"]
        assert value.probability is None
        median = night["next_order"].loc[entry.account_id, "days"]
        assert days.days.median == (None if np.isnan(median) else median)
        assert value.reasons


def test__pyfunc__answers_as_ours(acme):
    """Anybody with mlflow gets the same numbers: a column of amounts, or median and bounds."""
    project = acme.project
    mlflow.set_tracking_uri(project.tracking_uri)
    table = build_feature_table(project.history, T, project.catalog).droplevel("as_of")
    amounts = mlflow.pyfunc.load_model("models:/acme-value@champion").predict(table)
    days = mlflow.pyfunc.load_model("models:/acme-next_order@champion").predict(table)
    value, next_order = of(acme, "value"), of(acme, "next_order")
    np.testing.assert_array_equal(amounts[value.index], value["amount"])
    near = next_order["days"].dropna()
    np.testing.assert_array_equal(days.loc[near.index, "median"], near)


def test__hindsight__says_what_came_of_it(acme):
    """Foreseen in all beside what was ordered; the rule that was trained with the model stands beside it."""
    found = evaluate(
        acme.project.history,
        T,
        name="acme-value",
        tracking_uri=acme.project.tracking_uri,
        known_by=T + timedelta(days=100),
    )
    assert found.evaluation.baseline == "last_year"
    assert found.scores["foreseen"].sum() == pytest.approx(found.scores["happened"].sum(), rel=0.25)
    assert "foreseen" in str(backtest(found, "UTC").parts)
