"""One small company for all tests of training."""

import shutil

import pytest
from storing import store
from training_company import company

from training.tracking import open_store


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """500 accounts over 720 days from 2022-01-01 on."""
    return store(tmp_path_factory.mktemp("company"), company())


@pytest.fixture(scope="session")
def blank_store(tmp_path_factory):
    """An MLflow database with its tables made, to be copied: making them takes longer than most tests."""
    database = tmp_path_factory.mktemp("blank") / "mlflow.db"
    open_store(f"sqlite:///{database}")
    return database


@pytest.fixture
def new_store(blank_store, tmp_path):
    """The address of an empty store of the test's own."""
    return f"sqlite:///{shutil.copy(blank_store, tmp_path / 'mlflow.db')}"
