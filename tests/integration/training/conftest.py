"""One small company for all tests of training."""

import shutil

import pytest
import serving_company
from storing import store
from training_company import company


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """500 accounts over 720 days from 2022-01-01 on."""
    return store(tmp_path_factory.mktemp("company"), company())


@pytest.fixture(scope="session")
def blank_store():
    """An MLflow database with its tables made, to be copied."""
    return serving_company.blank_store()


@pytest.fixture
def new_store(blank_store, tmp_path):
    """The address of an empty store of the test's own."""
    return f"sqlite:///{shutil.copy(blank_store, tmp_path / 'mlflow.db')}"
