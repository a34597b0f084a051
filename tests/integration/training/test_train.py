"""The whole way, from history to a registered model, and back to what it would have said."""

import json
import logging
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import mlflow
import numpy as np
import pandas as pd
import pytest
from storing import store
from training_company import FIRST_DAY, company, purchase, small_model

from features.catalog import CATALOG, fingerprint, named
from features.engine.table import build_feature_table
from registry.card import ModelCard
from registry.errors import NoModel
from registry.versions import list_versions, load_alias
from registry.writer import log_and_register
from serving.scoring.reasons import Reason
from training.backtest.backtest import OtherFeatures, evaluate, shortcomings
from training.data.coverage import StaleHistory
from training.data.splits import NotEnoughHistory
from training.data.targets import ChurnTarget, NextOrderTarget, UpsellTarget, ValueTarget, target_from
from training.evaluation.comparison import judge
from training.evaluation.examples import Example
from training.evaluation.selection import NotEnoughLabels
from training.evaluation.slices import HOLDS, TOO_LOW, Slice
from training.metrics.probabilities import METRICS
from training.reports.report import Scored, of_training
from training.train import Settings, train

T = datetime(2023, 9, 1, tzinfo=UTC)
TARGET = ChurnTarget("churn", horizon_days=60, active_within_days=180)
SETTINGS = Settings(every_days=30, dates=9)


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('tracking')}/mlflow.db"


@pytest.fixture(scope="session")
def steps():
    return []


@pytest.fixture(scope="session")
def result(history, store_uri, steps, tmp_path_factory):
    page = tmp_path_factory.mktemp("report") / "reports" / "churn.html"
    return train(
        history, TARGET, T, project="acme", tracking_uri=store_uri, settings=SETTINGS, report_to=page,
        progress=lambda *step: steps.append(step),
    )  # fmt: skip


def test__train__a_company_with_signal__beats_the_baseline_or_says_recency(result):
    """The first model becomes champion; every rung stands beside the baseline with all metrics and their bounds."""
    assert (result.name, result.version, result.alias) == ("acme-churn", 1, "champion")
    assert set(result.evaluation.metrics) == {"recency", "bgnbd", "logistic", "lightgbm"}
    assert result.rung != "recency"
    assert result.evaluation.beats_baseline(result.rung, "log_loss")
    for metrics in result.evaluation.metrics.values():
        assert set(metrics) == {metric.name for metric in METRICS}
        assert all(np.isfinite([each.value, each.low, each.high]).all() for each in metrics.values())


def test__train__card__says_what_it_learnt_from(result, history):
    """The newest closed date is the test, train dates lie a horizon before it, and the versions read are recorded."""
    card = result.card
    test = card.as_of_dates.test
    assert test == T - timedelta(days=60)
    assert max(card.as_of_dates.train) == test - timedelta(days=60)
    assert card.data_versions == history.versions()
    assert card.fingerprint == fingerprint(named(card.features))
    assert target_from(card.target.to_json()) == TARGET
    assert card.trained_as_of == T
    assert sum(row.as_of == test for row in card.rows) == 1
    assert ModelCard.from_json(json.loads(json.dumps(card.to_json(), allow_nan=False))) == card


def test__train__reference__is_the_population_of_today(result, history, store_uri):
    """Percentiles are taken among the accounts eligible as of T, scored by the registered model itself."""
    model = load_alias(store_uri, "acme-churn")
    population = TARGET.population
    names = {feature.name: feature for feature in (*named(model.features), *population.features)}
    table = build_feature_table(history, T, names.values())
    rows = table.loc[population.eligible(table), list(model.features)].to_numpy()
    reference = result.card.reference
    assert reference.accounts == len(rows)
    assert list(reference.scores) == sorted(model.answers(rows).tolist())
    recency = reference.features["purchases_days_since_last"]
    column = rows[:, model.features.index("purchases_days_since_last")]
    assert (recency.quantiles[0], recency.quantiles[-1]) == (column.min(), column.max())
    assert recency.nan_share == 0
    assert len(recency.quantiles) == 21


def test__train__progress__counts_up_to_the_end(result, steps):
    """A bar that ends short of full, or overflows, is worse than none."""
    done, total, what = zip(*steps, strict=True)
    assert list(done) == list(range(1, total[0] + 1))
    assert set(total) == {len(steps)}
    assert what[-1] == "registering the model"


def test__registry__pyfunc_of_others__answers_as_the_score_model(result, history, store_uri):
    """Anybody can load the model with MLflow alone and gets the very probabilities that are served."""
    mlflow.set_tracking_uri(store_uri)
    pyfunc = mlflow.pyfunc.load_model("models:/acme-churn@champion")
    model = load_alias(store_uri, "acme-churn")
    table = build_feature_table(history, T, named(model.features))
    answered = pyfunc.predict(table.reset_index(drop=True))
    assert isinstance(answered, pd.Series)
    assert (answered.to_numpy() == model.answers(table.to_numpy())).all()
    assert pyfunc.unwrap_python_model().model.card == result.card.to_json()


def test__registry__files_of_the_model__no_pickle_and_no_stray_lock_file(result, store_uri):
    """What is registered is text: code, card, booster, requirements. Artifacts lie beside the database."""
    beside = Path(store_uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts"
    names = {path.name for path in beside.rglob("*") if path.is_file()}
    assert {"model.json", "registered_model.py", "requirements.txt", "MLmodel", "report.html", "gains.svg"} <= names
    assert ("booster.txt" in names) == (result.rung == "lightgbm")
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".lock"))]
    requirements = next(beside.rglob("requirements.txt")).read_text()
    assert re.search(r"^lightgbm==\d", requirements, re.MULTILINE)


def test__model_card__says_what_for_what_not_for_how_good_and_from_what(result, store_uri):
    """In the card, and as a page beside the model: purpose, figures of every rung, limits, versions, dates, seed, environment."""
    beside = Path(store_uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts"
    page = next(beside.rglob("model_card.md")).read_text(encoding="utf-8")
    auroc = result.evaluation.metrics[result.rung]["auroc"]
    said = [
        "## Not for", "## Known limits", f"{auroc.value:.3f} ({auroc.low:.3f} to {auroc.high:.3f})", "lightgbm",
        result.card.fingerprint, "purchases version 1", "seed: 0", "python 3.", "scikit-learn ", "2023-07-03",
        *result.card.not_for, *result.card.limits,
    ]  # fmt: skip
    assert [words for words in said if words not in page] == []


def test__run__logs_versions_fingerprint_dates_and_seed(result, store_uri):
    """What one needs to build the training table again, as parameters of the run."""
    mlflow.set_tracking_uri(store_uri)
    parameters = mlflow.MlflowClient().get_run(result.run_id).data.params
    assert parameters["fingerprint"] == result.card.fingerprint
    assert parameters["as_of_dates"].split(", ")[-1] == parameters["test_date"] == "2023-07-03"
    assert (parameters["seed"], parameters["data_versions"]) == ("0", "{'purchases': 1}")


def test__report__page__stands_alone_and_names_what_matters(result):
    """One file: no script, no link, no picture elsewhere. It shows baseline, dates, calibration and limits."""
    page = result.report_path.read_text()
    assert not re.search(r"<script|<link|<img|src=|href=\"(?!#)", page)
    assert page.count("<svg") == 3
    for said in (
        "The interval of ECE can lie wholly above its value",
        "acme · churn",
        "baseline",
        "2023-09-01",
        "What to keep in mind",
        result.calibration.method,
        result.rung,
    ):
        assert said in page
    assert f"{result.evaluation.metrics[result.rung]['auroc'].value:.3f}" in page


def test__report__page__says_grade_money_parts_and_examples(result):
    """What a company acts on is on the page, each figure beside what it rests on; no account is named."""
    parts = tuple(
        Slice("region", name, 120, 12, result.evaluation.metrics[result.rung], 0.1, 0.2, 0.15, 0.25, verdict)
        for name, verdict in (("north", HOLDS), ("south <b>", TOO_LOW))
    )
    reason = Reason("purchases_days_since_last", 40.0, "raises", 0.7, "no order for 40 days")
    shown = (Example("The most at stake", 0.5, 3000.0, churned=True, reasons=(reason,)),)
    summary = replace(result.summary, slices=parts, examples=shown)
    scored = Scored(np.array([1.0, 0.0]), np.array([0.6, 0.2]), np.array([0.5, 0.5]))
    page = of_training(result.card, result.evaluation, summary, scored, ())
    for said in (
        f"Grade: {result.summary.grade.meaning}.",
        "Assumed, not given:",
        "contact cost",
        "at the best share (EMPC)",
        "1 of 2 parts is out of line",
        "south &lt;b&gt;",
        TOO_LOW,
        "3,000  a year, 1,500 at stake",
        "no order for 40 days",
        "<strong>churned</strong>",
    ):
        assert said in page, said


def test__train__card__carries_what_it_is_worth_and_its_grade(result, store_uri):
    """Grade, profit beside the baseline, reliability and slices (none: this company has no attributes) go with the model."""
    assert result.card.grade.letter == result.summary.grade.letter
    assert set(result.card.profit.empc) == {"recency", result.rung}
    assert result.card.profit.differences["empc"].value == pytest.approx(
        result.card.profit.empc[result.rung].value - result.card.profit.empc["recency"].value
    )
    assert result.card.slices == ()
    listed = list_versions(store_uri, "acme-churn")[0]
    assert listed.grade == result.summary.grade.letter
    assert listed.metrics[f"{result.rung}/empc"] == result.summary.profit.empc[result.rung].value


def test__train__everything_known_after_t__is_invisible(result, history, tmp_path):
    """Erase all that became known after T: the same model to the last bit, and the same judgement of it."""
    until_t = {
        account: {"purchases": [row for row in streams["purchases"] if row["known_at"] <= T]}
        for account, streams in company().items()
    }
    shorter = store(tmp_path / "history", {account: rows for account, rows in until_t.items() if rows["purchases"]})
    again = train(
        shorter, TARGET, T, project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db", settings=SETTINGS
    )  # fmt: skip
    assert {**again.card.to_json(), "data_versions": None} == {**result.card.to_json(), "data_versions": None}
    assert again.evaluation == result.evaluation


def test__evaluate__horizon_closed__champion_beside_the_baseline(result, history, store_uri, tmp_path):
    """At T the model is judged on (T, T + 60 days], which it has not seen."""
    page = tmp_path / "backtest.html"
    seen = evaluate(
        history, T, name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=90), report_to=page
    )  # fmt: skip
    assert (seen.version, seen.rung, seen.notes, seen.open_because) == (1, result.rung, (), None)
    assert set(seen.evaluation.metrics) == {"recency", result.rung}
    assert seen.evaluation.rows == len(seen.scores) == result.card.reference.accounts
    assert sorted(seen.scores["foreseen"]) == list(result.card.reference.scores)
    assert seen.scores["happened"].isin([0.0, 1.0]).all()
    assert "backtest of version 1" in page.read_text()


def test__evaluate__horizon_open__scores_without_a_judgement(result, history, store_uri):
    """Before the horizon has closed there is nothing to compare with, and that is said."""
    seen = evaluate(history, T, name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=59))
    assert seen.evaluation is None
    assert "closes at 2023-10-31" in seen.open_because
    assert seen.scores["happened"].isna().all()
    assert len(seen.scores)


def test__evaluate__history_ends_before_the_horizon__no_judgement(result, store_uri, tmp_path):
    """The clock has passed the horizon, but no purchase has been ingested since T: silence is not churn."""
    accounts = {
        account: {"purchases": [row for row in streams["purchases"] if row["known_at"] <= T]}
        for account, streams in company().items()
    }
    history = store(tmp_path, {account: rows for account, rows in accounts.items() if rows["purchases"]})
    seen = evaluate(history, T, name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=400))
    assert seen.evaluation is None
    assert "every account would look churned" in seen.open_because


def test__evaluate__before_the_model_was_trained__no_fair_test(result, history, store_uri):
    """It has learnt from this very horizon."""
    seen = evaluate(
        history, T - timedelta(days=90), name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=90)
    )  # fmt: skip
    assert "no fair test: the model was trained as of 2023-09-01 and has seen all of this horizon" in seen.notes[0]


def test__evaluate__catalog_computes_otherwise__refused(result, history, store_uri, monkeypatch):
    """A feature that changed its meaning under an old model would give nonsense without a word."""
    monkeypatch.setattr("training.backtest.backtest.fingerprint", lambda _: "another")
    with pytest.raises(OtherFeatures, match="version 1 of 'acme-churn' was trained on features that this catalog"):
        evaluate(history, T, name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=90))


def test__evaluate__model_with_a_feature_the_catalog_lacks__refused(history, tmp_path):
    """A model of another release, whose feature is gone, ends in words that name it."""
    uri = f"sqlite:///{tmp_path}/m.db"
    log_and_register(small_model("purchases_gone"), uri)
    with pytest.raises(OtherFeatures, match=r"version 1 of 'small-churn'.*no feature purchases_gone.*train again"):
        evaluate(history, T, name="small-churn", tracking_uri=uri, known_by=T + timedelta(days=90))


def test__evaluate__moment_of_another_zone__same_as_in_utc(result, history, store_uri):
    """The horizon from 2023-09-01 on crosses the end of summer time: on the clock it would close an hour late."""
    london, closes = ZoneInfo("Europe/London"), T + timedelta(days=60)
    ask = {"name": "acme-churn", "tracking_uri": store_uri}
    local = evaluate(history, T.astimezone(london), known_by=closes.astimezone(london), **ask)
    assert local.open_because is None
    assert local.evaluation == evaluate(history, T, known_by=closes, **ask).evaluation


def test__evaluate__every_other_customer_falls_silent__note_in_result_and_page(result, store_uri, tmp_path):
    """What nobody could foresee shows as a level that is off, said in words where the numbers stand."""
    accounts = company()
    for account in list(accounts)[::2]:
        accounts[account] = {"purchases": [row for row in accounts[account]["purchases"] if row["occurred_at"] <= T]}
    history = store(tmp_path / "h", {account: rows for account, rows in accounts.items() if rows["purchases"]})
    page = tmp_path / "page.html"
    seen = evaluate(
        history, T, name="acme-churn", tracking_uri=store_uri, known_by=T + timedelta(days=60), report_to=page
    )  # fmt: skip
    foreseen, happened = 100 * seen.scores[["foreseen", "happened"]].mean()
    assert happened > foreseen + 10
    said = f"foreseen {foreseen:.1f} %, happened {happened:.1f} %"
    assert seen.notes[0].startswith(said)
    assert "the probabilities are too low for this horizon; their order may still be right" in seen.notes[0]
    assert said.capitalize() in page.read_text()


def judged(model, baseline=0.67):
    """Everybody is given the same probability; 67 of 100 churned."""
    labels = np.r_[np.ones(67), np.zeros(33)]
    scored = Scored(labels, np.full(100, model), np.full(100, baseline))
    probabilities = {"recency": scored.baseline, "lightgbm": scored.model}
    return scored, judge(probabilities, labels, np.arange(100), baseline="recency")


def test__shortcomings__level_and_log_loss_off__both_said():
    """42.6 % for all where 67 of 100 churned: too low, and worse than the baseline that says 67 %."""
    level, loss = shortcomings(*judged(0.426), "lightgbm")
    assert level.startswith(
        "foreseen 42.6 %, happened 67.0 % (95 % interval 57.3 % to 75.4 %): the probabilities are too low"
    )
    assert loss.startswith("log loss 0.7549 is worse than the 0.6342 of the baseline recency")
    assert "are too high" in shortcomings(*judged(0.9), "lightgbm")[0]


def test__shortcomings__a_shade_behind_the_baseline__no_better():
    """A level inside the interval needs no word; a log loss that is not below the baseline's does."""
    [loss] = shortcomings(*judged(0.66), "lightgbm")
    assert "is no better than the 0.6342 of the baseline recency" in loss


def test__shortcomings__good_model_or_baseline_itself__nothing_to_say():
    """Better than the baseline, or the baseline: no note about log loss."""
    assert shortcomings(*judged(0.67, baseline=0.3), "lightgbm") == ()
    assert shortcomings(*judged(0.67), "recency") == ()


def test__load_model__nothing_registered__says_so(store_uri):
    """A newcomer's first mistake."""
    with pytest.raises(NoModel, match="there is no champion of 'acme-growth'"):
        load_alias(store_uri, "acme-growth")
    assert list_versions(store_uri, "acme-growth") == []


def test__train__second_time__becomes_challenger_and_is_listed(history, tmp_path, capfd, caplog):
    """The champion stays until somebody promotes another; training says nothing on the terminal by itself."""
    caplog.set_level(logging.INFO)
    uri = f"sqlite:///{tmp_path}/new folder/mlflow.db"
    small = Settings(every_days=60, dates=4)
    for later in (0, 30):
        train(history, TARGET, T + timedelta(days=later), project="acme", tracking_uri=uri, settings=small)
    assert capfd.readouterr() == ("", "")
    rows = list_versions(uri, "acme-churn")
    assert [(row.version, row.aliases) for row in rows] == [(2, ("challenger",)), (1, ("champion",))]
    assert rows[0].trained_as_of == "2023-10-01T00:00:00+00:00"
    assert {"auroc", "auroc_low", "auroc_high", "recency/log_loss"} <= set(rows[0].metrics)
    assert rows[0].rung in {"recency", "bgnbd", "logistic", "lightgbm"}


def test__train__tracking_uri_of_the_caller__left_as_it_was(result, store_uri, tmp_path):
    """MLflow's tracking URI is global; a notebook that set its own must find it again."""
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mine.db")
    assert list_versions(store_uri, "acme-churn")
    assert mlflow.get_tracking_uri() == f"sqlite:///{tmp_path}/mine.db"


def test__train__one_account__not_enough_labels(tmp_path):
    """One account cannot teach anything, and the message says how many would."""
    rows = [purchase(datetime(2022, 1, 1, tzinfo=UTC) + timedelta(days=10 * step)) for step in range(70)]
    with pytest.raises(NotEnoughLabels, match=r"0 accounts churned and 1 stayed.*10 for recency"):
        train(
            store(tmp_path, {"a": {"purchases": rows}}),
            TARGET,
            T,
            project="acme",
            tracking_uri=f"sqlite:///{tmp_path}/m.db",
        )


def test__train__nobody_eligible_today__refused_before_anything_is_registered(tmp_path):
    """Purchases end ten days before T and two days count as active: a champion without reference scores cannot serve."""
    accounts = {
        account: {"purchases": [row for row in streams["purchases"] if row["occurred_at"] <= T - timedelta(days=10)]}
        for account, streams in company().items()
    }
    history = store(tmp_path / "h", {account: rows for account, rows in accounts.items() if rows["purchases"]})
    uri, two_days = f"sqlite:///{tmp_path}/m.db", ChurnTarget("churn", horizon_days=60, active_within_days=2)
    with pytest.raises(NotEnoughLabels, match=r"0 accounts are eligible at 2023-09-01.*widen active_within_days"):
        train(history, two_days, T, project="acme", tracking_uri=uri, settings=SETTINGS)
    assert list_versions(uri, "acme-churn") == []


def test__train__negative_seed__refused_at_once(tmp_path):
    """LightGBM and numpy would each complain in their own words, late."""
    with pytest.raises(ValueError, match="the seed is -1; give 0 or any larger whole number"):
        train(None, TARGET, T, project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db", seed=-1)


def test__train__naive_moment__refused_in_words(history, tmp_path):
    """A moment without a zone would be read in that of the machine."""
    with pytest.raises(ValueError, match="2023-09-01 00:00:00 has no timezone"):
        train(history, TARGET, T.replace(tzinfo=None), project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db")


def test__train__no_purchases__not_enough_history(tmp_path):
    """The quiet path: a history of accounts that never bought."""
    visit = {"occurred_at": T - timedelta(days=1), "known_at": T - timedelta(days=1), "kind": "visit"}
    with pytest.raises(NotEnoughHistory, match="no purchase is known at 2023-09-01"):
        train(
            store(tmp_path, {"a": {"engagement": [visit]}}), TARGET, T, project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db"
        )  # fmt: skip


def test__train__long_after_the_last_purchase__stale_history(history, tmp_path):
    """Trained a year after the newest purchase, every label would say churned."""
    with pytest.raises(StaleHistory, match=r"the newest purchase of any account is of 2023-12-.*as of 2023-12-"):
        train(
            history, TARGET, datetime(2024, 12, 1, tzinfo=UTC), project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db"
        )  # fmt: skip


def test__import__training__leaves_mlflow_alone():
    """`foresail --help` must not wait for MLflow, and telemetry is switched off before it is imported."""
    code = "import sys, training.train, training.backtest.backtest; sys.exit('mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3]).returncode == 0


def test__train__few_accounts__simpler_rungs_and_a_full_bar(tmp_path):
    """A company of 60 accounts is served too: what it cannot carry is left out and said, and progress still ends full.

    The moment is given in another zone, with the clock changes of two years behind it, and kept in UTC.
    """
    steps = []
    result = train(
        store(tmp_path / "history", company(accounts=60)), TARGET, T.astimezone(ZoneInfo("Europe/London")), project="small",
        tracking_uri=f"sqlite:///{tmp_path}/m.db", settings=SETTINGS, progress=lambda *step: steps.append(step),
    )  # fmt: skip
    assert set(result.evaluation.metrics) < {"recency", "bgnbd", "logistic", "lightgbm"}
    assert "lightgbm was left out" in " ".join(result.notes)
    assert steps[-1][0] == steps[-1][1]
    assert result.card.trained_as_of == T
    assert {row["as_of"][10:] for row in result.card.to_json()["rows"]} == {"T00:00:00+00:00"}


def test__train__clean_company__leak_audit_is_quiet(result):
    """Every feature was looked at before the fit, and none of them was suspect."""
    assert result.card.leakage.to_json() == {"columns": len(CATALOG), "suspects": []}
    assert not any("leak" in note for note in result.notes)
    page = result.report_path.read_text(encoding="utf-8")
    assert f"{len(CATALOG)} features were looked at, one by one: none ranks the outcomes nearly alone" in page


def test__train__attribute_that_knows_the_future__is_named_in_notes_card_and_report(tmp_path):
    """That an account is lost is written into its master record later, but dated back to the day after its last order."""
    rng, known = np.random.default_rng(0), {}
    for account in range(400):
        stops = rng.integers(100, 1500)
        orders = [FIRST_DAY + timedelta(days=int(day)) for day in np.arange(rng.integers(40), min(stops, 700), 40)]
        states = ((FIRST_DAY, 1.0), (orders[-1] + timedelta(days=1), 0.0)) if stops < 700 else ((FIRST_DAY, 1.0),)
        rows = [{"occurred_at": at, "known_at": at, "size": size} for at, size in states]
        known[f"account {account}"] = {"purchases": [purchase(at) for at in orders], "accounts": rows}
    result = train(
        store(tmp_path / "history", known), TARGET, T, project="leaky", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db",
        settings=SETTINGS, report_to=tmp_path / "churn.html",
    )  # fmt: skip
    suspects = {suspect.column: suspect for suspect in result.card.leakage.suspects}
    assert suspects["account_size_last"].mark == "too good"
    assert suspects["account_size_last"].figure > 0.92
    assert result.notes[0].startswith(
        "account_size_last may be a leak: alone it ranks the outcomes with an AUROC of 0.9"
    )
    assert "<code>account_size_last</code>, too good" in (tmp_path / "churn.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "target", [TARGET, ValueTarget("value", 60), NextOrderTarget("next", 60), UpsellTarget("more", 60, 180)]
)
def test__train__no_fold_at_all__the_simplest_rung_serves(tmp_path, target):
    """Two dates leave one to learn from and one to be judged on: nothing is corrected, and nothing breaks."""
    history = store(tmp_path / "history", company(120))
    settings = Settings(every_days=60, dates=2)
    found = train(history, target, T, project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db", settings=settings)
    assert found.rung == found.evaluation.baseline
    assert "without a fold" in found.choice


def test__train__nobody_buys_twice__the_rungs_that_need_a_rhythm_are_left_out(tmp_path):
    """BG/NBD and Gamma-Gamma have nothing to learn; the others answer."""
    seen = {"engagement": [{"occurred_at": FIRST_DAY, "known_at": FIRST_DAY, "kind": "visit"}]}
    once = {f"a{day}": {**seen, "purchases": [purchase(FIRST_DAY + timedelta(days=day))]} for day in range(0, 600, 2)}
    history, settings = store(tmp_path / "history", once), Settings(every_days=60, dates=3)
    target = ValueTarget("value", 60)
    found = train(history, target, T, project="acme", tracking_uri=f"sqlite:///{tmp_path}/m.db", settings=settings)
    assert "bgnbd_gammagamma" not in found.evaluation.metrics
    assert any("bgnbd_gammagamma was left out: no account bought a second time" in note for note in found.notes)
