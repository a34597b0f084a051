"""One small company for all tests of training."""

import pytest
from storing import store
from training_company import company


@pytest.fixture(scope="session")
def history(tmp_path_factory):
    """500 accounts over 720 days from 2022-01-01 on."""
    return store(tmp_path_factory.mktemp("company"), company())
