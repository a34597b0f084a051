"""What is in service follows the registry and the states without a restart, and a bad model cannot get in."""

import json
import os
import shutil
import socket
import sqlite3
import threading
from contextlib import closing
from types import SimpleNamespace

import pytest
from serving_company import (
    ACCOUNTS,
    AS_OF,
    BUCKETS,
    EARLIEST,
    TIMEZONE,
    bring_up_to_date,
    database_of,
    ingest_rows,
    recency_card,
    register,
    settings_of,
)

from features.history.ingest.ingestion import Source, ingest
from features.history.store import History
from registry import loader
from registry.errors import BrokenModel, FingerprintMismatch, NoChampion, RegistryUnavailable
from serving.api.problems import FORESEEN, problem_of
from serving.online.schemas import ScoreRequest
from serving.online.score_request import answer
from serving.online.settings import SettingsError, read_settings
from serving.runtime import model_watcher, parent_watchdog
from serving.runtime.model_watcher import Watch

NAME = "wholesaler-soon"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory):
    """A folder with the history and the states of three accounts, to be copied."""
    folder = tmp_path_factory.mktemp("ingested")
    bring_up_to_date(folder, ingest_rows(folder, {name: ACCOUNTS[name] for name in ("A0", "A2", "A3")}))
    return folder


@pytest.fixture
def small(ingested, tmp_path):
    """A company of its own, so that a test may change its history and its models."""
    shutil.copytree(ingested, tmp_path, dirs_exist_ok=True)
    history = History(tmp_path / "history", buckets=BUCKETS)
    return SimpleNamespace(folder=tmp_path, history=history, tracking_uri=f"sqlite:///{tmp_path}/mlflow.db")


def watch(company):
    settings = settings_of(company, models={"soon": NAME})
    return Watch({"FORESAIL_SERVING": json.dumps(settings)})


def version_in_service(watching):
    return watching.in_service().models["soon"].version


def crown(company, version):
    import mlflow

    mlflow.MlflowClient(company.tracking_uri).set_registered_model_alias(NAME, "champion", version)


def probability(watching, account="A0"):
    return answer(ScoreRequest(account_ids=[account]), watching.in_service(), AS_OF)[0].scores[0].probability


def test__watch__no_model_registered__is_not_ready_and_makes_no_store(small):
    """The first start comes before the first training; looking must not leave an empty registry behind."""
    watching = watch(small)
    watching.look()
    with pytest.raises(FORESEEN, match=r"no model 'wholesaler-soon' has the alias champion.*foresail train"):
        watching.check_ready()
    assert not (small.folder / "mlflow.db").exists()


def test__watch__new_champion__is_taken_up_at_the_next_look(small):
    """Promotion is a move of an alias; nothing is restarted, and nothing moves before."""
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    before = probability(watching)
    second = register(small.tracking_uri, recency_card(weight=2.0))
    watching.look()
    assert (version_in_service(watching), probability(watching)) == ("1", before)
    crown(small, second)
    watching.look()
    assert version_in_service(watching) == "2"
    assert probability(watching) != before


@pytest.mark.parametrize(
    "made_so_far",
    ["", "create table alembic_version (version_num varchar); insert into alembic_version values ('old')"],
)
def test__watch__registry_being_made__is_left_alone(small, made_so_far):
    """The first training makes the store while the service already looks: two makers at once would break it."""
    file = small.folder / "mlflow.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript(made_so_far)
    before = file.read_bytes()
    watching = watch(small)
    watching.look()
    with pytest.raises(FORESEEN) as raised:
        watching.check_ready()
    assert problem_of(raised.value).kind.type == "/problems/registry-unavailable"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fingerprint": "0" * 64}, "computed differently here"),
        ({"features": ["purchases_days_since_last", "purchases_mood"]}, "the catalog does not have: purchases_mood"),
        ({"format": 99}, "cannot be read"),
        ({"calibration": {"method": "magic"}}, "fails on a row"),
        ({"reference": {"scores": []}}, "no reference scores"),
    ],
)
def test__watch__broken_champion__is_refused_and_the_old_one_stays(small, caplog, monkeypatch, change, words):
    """A model is checked before it answers anybody; it is read once and not at every look, and the log says once why."""
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    crown(small, register(small.tracking_uri, recency_card() | change))
    read = []
    monkeypatch.setattr(loader, "load", lambda *asked, load=loader.load: read.append(asked) or load(*asked))
    for _ in range(3):
        watching.look()
    assert len(read) == 1
    assert version_in_service(watching) == "1"
    assert probability(watching) is not None
    assert caplog.text.count("version 1 stays in service") == 1
    assert words in caplog.text


def test__watch__broken_first_model__503_names_the_unknown_features(small):
    """With nothing to fall back on, the service says what to do instead of guessing."""
    register(small.tracking_uri, recency_card() | {"features": ["purchases_mood"]})
    watching = watch(small)
    watching.look()
    with pytest.raises(FORESEEN, match=r"purchases_mood.*Train it again") as raised:
        answer(ScoreRequest(account_ids=["A0"]), watching.in_service(), AS_OF)
    assert problem_of(raised.value).kind.type == "/problems/model-refused"


def test__watch__newer_states__are_in_the_next_score(small):
    """What the night has taken up is answered from at once; nothing is looked at or restarted."""
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    before = probability(watching)
    (small.folder / "more.json").write_text('{"account_id": "A0", "occurred_at": "2020-05-31T12:00:00", "amount": 5}')
    ingest(
        small.history,
        Source("more", "purchases", "more.json", small.folder),
        as_of=AS_OF,
        timezone=TIMEZONE,
        earliest=EARLIEST,
    )
    assert probability(watching) == before
    bring_up_to_date(small.folder, small.history)
    assert probability(watching) < before


def test__watch__nothing_new__exchanges_nothing(small):
    """A look every few seconds must cost next to nothing."""
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    service = watching.in_service()
    watching.look()
    assert watching.in_service() is service


def test__answer__database_cannot_be_used__503_says_why(small):
    """What is wrong with the database is told as what it is; the callers try again later."""
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    with closing(sqlite3.connect(small.folder / "operational.db")) as database:
        database.execute("alter table account_states rename to gone")
    with pytest.raises(FORESEEN, match="cannot be used: no such table: account_states") as raised:
        answer(ScoreRequest(account_ids=["A0"]), watching.in_service(), AS_OF)
    assert problem_of(raised.value).kind.type == "/problems/database-unavailable"
    assert problem_of(raised.value).answer().headers["retry-after"] == "5"


def test__load__name_or_alias_missing__says_how_to_train(company, small):
    """The library says it as the service does."""
    register(small.tracking_uri, recency_card())
    for name, alias in (("wholesaler-upsell", "champion"), (NAME, "challenger")):
        with pytest.raises(
            NoChampion, match=f"no model '{name}' has the alias {alias} .*foresail train TARGET --as-of DATE"
        ):
            loader.load(small.tracking_uri, name, alias)


def test__load__fingerprint_differs__refuses(small):
    """A model must not be fed with numbers that mean something else than those it learnt from."""
    register(small.tracking_uri, recency_card() | {"fingerprint": "f" * 64})
    with pytest.raises(FingerprintMismatch, match="version 1 was trained on features that are computed differently"):
        loader.load(small.tracking_uri, NAME)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "FORESAIL_SERVING is not set"),
        ("[1]", "FORESAIL_SERVING is wrong"),
        (
            '{"tracking_uri": "t", "database": "sqlite://", "models": {}}',
            "models: Dictionary should have at least 1 item",
        ),
        (
            '{"tracking_uri": "t", "database": "sqlite://", "models": {"a": "b"}, "timezone": "Europe/Londn"}',
            "no timezone",
        ),
        (
            '{"tracking_uri": "t", "database": "sqlite://", "models": {"a": "b"}, "colour": 1}',
            "colour: Extra inputs",
        ),
    ],
)
def test__settings__absent_or_wrong__say_what_and_the_remedy(text, words):
    """Nobody should have to read code to start a service."""
    with pytest.raises(SettingsError, match=words) as raised:
        read_settings({} if text is None else {"FORESAIL_SERVING": text})
    assert "foresail serve" in str(raised.value)


def test__settings__naive_as_of__is_read_in_the_projects_timezone():
    """Midnight in London in June is 23:00 UTC of the day before."""
    text = '{"tracking_uri": "t", "database": "sqlite://", "models": {"a": "b"}, "as_of": "2020-06-01", "timezone": "Europe/London"}'
    assert read_settings({"FORESAIL_SERVING": text}).moment.isoformat() == "2020-05-31T23:00:00+00:00"


def test__watch__database_cannot_be_opened__says_so_and_recovers(small):
    """A folder that nobody may make is told to whoever asks, and then that nobody has made the tables, until somebody has."""
    register(small.tracking_uri, recency_card())
    (small.folder / "taken").write_text("")
    settings = settings_of(small, models={"soon": NAME}, database=database_of(small.folder / "taken"))
    watching = Watch({"FORESAIL_SERVING": json.dumps(settings)})
    watching.look()
    with pytest.raises(FORESEEN, match="taken cannot be made") as raised:
        watching.check_ready()
    assert problem_of(raised.value).kind.type == "/problems/database-unavailable"
    (small.folder / "taken").unlink()
    watching.look()
    with pytest.raises(FORESEEN, match="has no tables yet; `foresail nightly`"):
        watching.check_ready()
    bring_up_to_date(small.folder / "taken", small.history)
    watching.look()
    watching.check_ready()


def test__watch__no_states_yet__503_for_ids_and_scores_for_accounts_with_events(small):
    """'Unknown account' would be a lie about the account: nothing was taken up."""
    register(small.tracking_uri, recency_card())
    (small.folder / "empty").mkdir()
    bring_up_to_date(small.folder / "empty", History(small.folder / "nowhere"))
    settings = settings_of(small, models={"soon": NAME}, database=database_of(small.folder / "empty"))
    watching = Watch({"FORESAIL_SERVING": json.dumps(settings)})
    watching.look()
    with pytest.raises(FORESEEN, match=r"no account is at hand yet; run `foresail nightly`") as raised:
        answer(ScoreRequest(account_ids=["A0"]), watching.in_service(), AS_OF)
    assert problem_of(raised.value).kind.type == "/problems/history-unavailable"
    rows = {"purchases": [{"occurred_at": "2020-05-01", "amount": 1.0}]}
    request = ScoreRequest.model_validate({"accounts": [{"account_id": "x", "events": rows}]})
    assert answer(request, watching.in_service(), AS_OF)[0].scores[0].probability is not None


@pytest.mark.parametrize("earliest", ["1970-01-01T00:00:00Z", "2019-03-31T01:30:00+01:00"])
def test__watch__whatever_the_earliest_moment__the_warm_up_passes(small, caplog, earliest):
    """The made-up order of the warm-up obeys the rules of the project that it is made up in."""
    register(small.tracking_uri, recency_card())
    settings = settings_of(small, models={"soon": NAME}, earliest=earliest)
    watching = Watch({"FORESAIL_SERVING": json.dumps(settings)})
    watching.look()
    watching.check_ready()
    assert "warm-up" not in caplog.text


def test__watch__warm_up_fails__is_logged_and_the_model_is_in_service(small, caplog, monkeypatch):
    """Saving the first request some time is no reason to answer nobody."""

    def fails(service):
        raise RuntimeError("cold")

    monkeypatch.setattr(model_watcher, "warm_up", fails)
    register(small.tracking_uri, recency_card())
    watching = watch(small)
    watching.look()
    assert version_in_service(watching) == "1"
    assert "the warm-up failed" in caplog.text


def test__watch__registry_that_never_answers__does_not_hold_up_the_start(small):
    """The service is up in time, and says what it waits for."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        uri = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = settings_of(small, models={"soon": NAME}, tracking_uri=uri)
        watching = Watch({"FORESAIL_SERVING": json.dumps(settings)})
        watching.start(within_seconds=0.2)
        with pytest.raises(FORESEEN, match=f"the model registry {uri} .* not answered yet") as raised:
            watching.check_ready()
        watching.stop()
    assert problem_of(raised.value).kind.status == 503


def test__load__nobody_listens_at_the_registry__is_told_and_not_tried_for_minutes(small):
    """MLflow by itself would try again for minutes."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            loader.load(f"http://127.0.0.1:{closed.getsockname()[1]}", NAME)
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


def test__load__leaves_no_tracking_uri_in_the_environment(small, monkeypatch):
    """A program started later must not write into our registry because it inherited the variable."""
    register(small.tracking_uri, recency_card())
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    loader.load(small.tracking_uri, NAME)
    assert "MLFLOW_TRACKING_URI" not in os.environ


def test__load__project_folder_was_moved__names_the_place_looked_at_and_the_remedy(small):
    """The registry remembers where files lay; whoever moved the folder needs to be told, not 'no such artifact'."""
    (small.folder / "old").mkdir()
    register(f"sqlite:///{small.folder}/old/mlflow.db", recency_card())
    (small.folder / "old").rename(small.folder / "new")
    with pytest.raises(BrokenModel, match=rf"{small.folder}/old/.*moved or copied .*move it back, or train again"):
        loader.load(f"sqlite:///{small.folder}/new/mlflow.db", NAME)


def test__orphan__parent_changes__ends_and_otherwise_does_not(monkeypatch):
    """The worker goes with the server that started it, and not before."""
    monkeypatch.setattr(parent_watchdog, "EVERY_SECONDS", 0.01)
    ended = threading.Event()
    stopped = threading.Event()
    stays = threading.Thread(target=parent_watchdog._go_on, args=(os.getppid(), stopped, ended.set))
    stays.start()
    assert not ended.wait(0.1)
    stopped.set()
    stays.join()
    parent_watchdog._go_on(os.getppid() + 1, threading.Event(), ended.set)
    assert ended.is_set()
