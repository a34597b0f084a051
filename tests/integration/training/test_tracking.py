"""The model store: who comes first, and what is said when it, or a model in it, cannot be read."""

import dataclasses
import multiprocessing
import os
import shutil
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from training_company import register_together, small_model

from registry.errors import NoModel
from registry.promotion_log import (
    OVERTAKEN,
    PROMOTED,
    REFUSED,
    ROLLED_BACK,
    Decision,
    VersionHistory,
    settle,
    version_history,
)
from registry.versions import list_versions, load_alias
from registry.writer import log_and_register, open_store


@pytest.fixture(scope="module")
def small_uri(tmp_path_factory):
    """A store with one small model, whose files lie beside the database."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('small')}/mlflow.db"
    log_and_register(small_model(), uri)
    return uri


def test__log_and_register__two_processes_on_a_fresh_store__one_champion_one_challenger(tmp_path):
    """Both find no store and no champion; without taking turns one broke the other's tables, or both became champion."""
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    spawn = multiprocessing.get_context("spawn")
    barrier, aliases = spawn.Barrier(2), spawn.Queue()
    processes = [spawn.Process(target=register_together, args=(uri, barrier, aliases)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
    assert sorted(aliases.get(timeout=60) for _ in processes) == ["challenger", "champion"]
    assert sorted(row.aliases for row in list_versions(uri, "small-churn")) == [("challenger",), ("champion",)]


@pytest.mark.parametrize("damage", ["model.json", "MLmodel", "registered_model.py", "all"])
def test__load_model__damaged_files__names_version_and_remedy(small_uri, tmp_path, damage):
    """A run's folder is lost, or a file of it: which version, and what now."""
    files = Path(small_uri.removeprefix("sqlite:///")).parent / "mlflow-artifacts"
    shutil.copytree(files, tmp_path / "backup")
    try:
        if damage == "all":
            shutil.rmtree(files)
        else:
            next(files.rglob(damage)).write_text("{ not what it was", encoding="utf-8")
        with pytest.raises(NoModel, match=r"version 1 of 'small-churn' cannot be read \(.*train again"):
            load_alias(small_uri, "small-churn")
    finally:
        shutil.rmtree(files, ignore_errors=True)
        shutil.copytree(tmp_path / "backup", files)
    assert load_alias(small_uri, "small-churn").version == 1


def test__store__garbage_instead_of_a_database__said_in_words(tmp_path):
    """Whatever is asked of it, the answer names the file; a training hears it before its long work."""
    (tmp_path / "mlflow.db").write_text("nothing but words\n" * 1000, encoding="utf-8")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    for ask in (
        lambda: load_alias(uri, "small-churn"),
        lambda: list_versions(uri, "small-churn"),
        lambda: open_store(uri),
    ):
        with pytest.raises(NoModel, match=r"mlflow.db cannot be read \(DatabaseError.*file is not a database\); check"):
            ask()


def test__store__not_made_yet__looking_does_not_make_it(tmp_path):
    """To look for a model leaves nothing behind."""
    uri = f"sqlite:///{tmp_path}/new/mlflow.db"
    assert list_versions(uri, "small-churn") == []
    with pytest.raises(NoModel, match=r"there is no champion of 'small-churn' at sqlite:///.*; train one first"):
        load_alias(uri, "small-churn")
    assert list(tmp_path.iterdir()) == []


def test__store__server_that_does_not_answer__given_up_and_not_tried_for_minutes():
    """MLflow itself would try for minutes."""
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}"
        for ask in (load_alias, list_versions):
            with pytest.raises(NoModel, match=rf"the model store {uri} cannot be read"):
                ask(uri, "small-churn")
    assert os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"


def test__list_models__name_with_an_apostrophe__found_under_it(small_uri):
    """MLflow's filters would end the name at the apostrophe, and find nothing."""
    log_and_register(dataclasses.replace(small_model(), name="o'brien-churn"), small_uri)
    assert [row.version for row in list_versions(small_uri, "o'brien-churn")] == [1]


def decision(kind, version, before, day=1):
    return Decision(kind, version, before, datetime(2024, 1, day, tzinfo=UTC))


def test__settle__promotion__champion_alone_and_kept_with_the_model(new_store):
    """Version 2 came as challenger. Promoted it is champion and no longer challenger, and the decision is there to be read."""
    uri = new_store
    for _ in range(2):
        log_and_register(small_model(), uri)
    kept = settle(uri, "small-churn", decision(PROMOTED, 2, 1))
    assert {row.version: row.aliases for row in list_versions(uri, "small-churn")} == {2: ("champion",), 1: ()}
    assert version_history(uri, "small-churn") == VersionHistory(2, (kept,))
    settle(uri, "small-churn", decision(ROLLED_BACK, 1, 2, day=2))
    assert load_alias(uri, "small-churn").version == 1
    assert [one.kind for one in version_history(uri, "small-churn").decisions] == [PROMOTED, ROLLED_BACK]


def test__settle__champion_is_another_by_now__kept_as_overtaken_and_nothing_moves(new_store):
    """Decided with version 1 in view, while version 2 became champion."""
    uri = new_store
    for _ in range(3):
        log_and_register(small_model(), uri)
    settle(uri, "small-churn", decision(PROMOTED, 2, 1))
    late = settle(uri, "small-churn", decision(PROMOTED, 3, 1, day=2))
    assert late.kind == OVERTAKEN
    assert "version 2 is, promoted at 2024-01-01" in late.why
    assert version_history(uri, "small-churn").champion == 2
    assert version_history(uri, "small-churn").decisions[-1] == late


def test__settle__refused__is_kept_and_the_alias_stays(new_store):
    """What was not done, and why, is worth as much later on."""
    uri = new_store
    for _ in range(2):
        log_and_register(small_model(), uri)
    settle(uri, "small-churn", decision(REFUSED, 2, 1))
    assert {row.version: row.aliases for row in list_versions(uri, "small-churn")} == {
        2: ("challenger",),
        1: ("champion",),
    }
    assert version_history(uri, "small-churn").decisions[0].kind == REFUSED


def test__version_history__nothing_registered__nobody(tmp_path, small_uri):
    """Before the first training, and for a name that was never registered."""
    assert version_history(f"sqlite:///{tmp_path}/none.db", "small-churn") == VersionHistory(None)
    assert version_history(small_uri, "other-churn") == VersionHistory(None)
