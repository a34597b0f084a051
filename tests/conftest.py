"""What all tests share: how property tests look for cases, and a PostgreSQL of their own."""

import os
import shutil

import pytest
import sqlalchemy as sa
from fast_folder import MEMORY, fast_folder
from hypothesis import HealthCheck, settings
from postgres import Databases, Postgres

# Two workers share two cores, and by default an OpenMP thread that waits for the other burns its core meanwhile: 60
# rounds of LightGBM on 36,000 rows took 20 s of CPU beside other work, and take 2 s, with the same trees, if waiting
# means sleeping. libgomp reads this when it is loaded, and the commands that tests start inherit it.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Where pytest makes the folders of `tmp_path`.
if fast_folder() == MEMORY:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))

# Property tests try the same cases for everybody, so that a newcomer's first run says what ours said. `make soak` looks
# for new ones. How long a case takes is the machine's business.
TOO_SLOW = [HealthCheck.too_slow]
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=TOO_SLOW)
settings.register_profile("explore", deadline=None, suppress_health_check=TOO_SLOW, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


LONGEST = (
    "test_demo_and_docs.py",
    "test_simulated_demo.py",
    "test_cli.py",
    "test_nightly.py",
    "test_undisturbed_posting.py",
    "test_simulate.py",
    "test_train.py",
    "test_service.py",
    "test_nights.py",
    "test_other_answers.py",
    "test_cli_history.py",
)
"""Files that take half a minute and longer. A worker that began one last would keep the others waiting.

The first two of a clone just made compile the kernel and the simulated company beside each other, for all that follow.
"""


def pytest_collection_modifyitems(items):
    """The longest files first, all others in their order."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def postgresql():
    """The address of an empty PostgreSQL that is there for the length of the tests: user, host, port.

    Each worker of a parallel run has its own, in a folder of its own at a port that is free.
    """
    server = Postgres()
    try:
        server.start()
        yield server.address
    finally:
        server.remove()


@pytest.fixture(scope="session")
def databases(postgresql):
    """Makes databases on that server."""
    databases = Databases(postgresql)
    yield databases
    databases.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request, tmp_path):
    """The URL of a database of its own that has no tables yet."""
    yield from new_database(request, tmp_path)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lasting_database(request, tmp_path_factory):
    """The same for all tests of a file that ask for it."""
    yield from new_database(request, tmp_path_factory.mktemp("lasting"))


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_database(request, tmp_path):
    """The URL of a database of its own whose tables are made and empty: a copy of one that was migrated once."""
    if request.param == "sqlite":
        copy = tmp_path / "operational.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), copy)
        yield f"sqlite:///{copy}"
        return
    template, databases = request.getfixturevalue("migrated_template"), request.getfixturevalue("databases")
    url = databases.make(template)
    yield url
    databases.leave(url)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory):
    """An SQLite file whose tables are made."""
    file = tmp_path_factory.mktemp("migrated") / "operational.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_template(databases):
    """The name of a PostgreSQL database whose tables are made."""
    url = databases.make()
    migrate(url)
    return sa.make_url(url).database


def migrate(url):
    """Make the tables, and leave nobody connected."""
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade

    engine = opened(url)
    upgrade(engine)
    engine.dispose()


def new_database(request, folder):
    if request.param == "sqlite":
        yield f"sqlite:///{folder}/operational.db"
        return
    databases = request.getfixturevalue("databases")
    url = databases.make()
    yield url
    databases.leave(url)


@pytest.fixture(autouse=True)
def own_model_store():
    """MLflow writes whatever store it is told into the environment, from where the next test's commands would take it."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    if before is not None:
        os.environ["MLFLOW_TRACKING_URI"] = before
