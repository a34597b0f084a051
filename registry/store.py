"""The model store: MLflow, opened and asked in one way by all that read or write registered models.

MLflow takes a second or two to import, so it is imported when first needed, never by importing this file. A store is a local SQLite
file, whose artifacts lie beside it, or a tracking server.
"""

import logging
import os
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from registry.errors import NoModel, RegistryUnavailable
from registry.store_lock import turn_at

CHAMPION, CHALLENGER = "champion", "challenger"
LOCAL_STORE = "sqlite:///"
URI_VARIABLE = "MLFLOW_TRACKING_URI"
NOT_THERE = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's error codes for: no such name, no such alias."""
SETTINGS_OF_MLFLOW = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_UV_AUTO_DETECT": "false",
}
"""Unless the environment says otherwise. By itself MLflow would try for minutes to reach a server that is down, and would take
along a uv.lock that lies in the working directory by chance."""


def imported_mlflow() -> ModuleType:
    """MLflow, without telemetry and without its chatter."""
    for variable, value in SETTINGS_OF_MLFLOW.items():  # some are read while MLflow is imported
        os.environ.setdefault(variable, value)
    import mlflow
    import mlflow.pyfunc

    for chatter in ("mlflow", "alembic"):
        logging.getLogger(chatter).setLevel(logging.WARNING)
    return mlflow


def client_of(uri: str) -> Any:
    """A client of one store, which touches nothing global."""
    return imported_mlflow().MlflowClient(uri)


@contextmanager
def tracking(uri: str) -> Iterator[Any]:
    """MLflow looking at `uri` for the length of a `with` block: its tracking URI is global, and others may have set theirs."""
    mlflow = imported_mlflow()
    before, in_environment = mlflow.get_tracking_uri(), os.environ.get(URI_VARIABLE)
    mlflow.set_tracking_uri(uri)
    try:
        yield mlflow
    finally:
        mlflow.set_tracking_uri(before)
        if in_environment is None:  # set_tracking_uri has put it there
            os.environ.pop(URI_VARIABLE, None)


@contextmanager
def opened_store(uri: str) -> Iterator[Any]:
    """MLflow looking at `uri`, silent, with the tables of a local store made where there are none."""
    with tracking(uri) as mlflow, _without_chatter():
        if local_database(uri):
            with turn(uri):  # the first to open a store makes its tables, which breaks if two do it at once
                mlflow.search_experiments(max_results=1)
        yield mlflow


@contextmanager
def readable_store(uri: str) -> Iterator[Any]:
    """`opened_store`; NoModel for any failure: a database, a server and a folder each fail in words of their own."""
    try:
        with opened_store(uri) as mlflow:
            yield mlflow
    except NoModel:
        raise
    except Exception as error:
        raise NoModel(
            f"the model store {uri} cannot be read ({first_line(error)}); check that the address is right, that its server answers "
            f"or that the file is MLflow's database, or name another store"
        ) from error


def alias_version(client: Any, name: str, alias: str) -> int | None:
    """The version that carries the alias; None if there is no such name or no such alias."""
    mlflow = imported_mlflow()
    try:
        return int(client.get_model_version_by_alias(name, alias).version)
    except mlflow.exceptions.MlflowException as error:
        if error.error_code in NOT_THERE:
            return None
        raise


def stored_code(mlflow: Any, name: str, version: int | str) -> Any:
    """The object that the code inside a registered model makes of its files; it may fail in any way."""
    return mlflow.pyfunc.load_model(f"models:/{name}/{version}").unwrap_python_model().model


def place_of_files(mlflow: Any, name: str, version: int | str) -> str:
    """Where the store believes the files of a model to be."""
    try:
        return str(mlflow.MlflowClient().get_model_version_download_uri(name, version))
    except mlflow.exceptions.MlflowException as error:
        return f"a place that the registry does not name ({error})"


def local_database(uri: str) -> Path | None:
    """The file of a local store; None of a server."""
    return Path(uri.removeprefix(LOCAL_STORE)) if uri.startswith(LOCAL_STORE) else None


def is_missing(uri: str) -> bool:
    """Whether `uri` names a local store that has not been made yet."""
    database = local_database(uri)
    return database is not None and not database.exists()


def check_complete(uri: str) -> None:
    """RegistryUnavailable unless the database of a local store is there as a whole.

    MLflow makes or completes a store that it finds missing or half made. If a service did that while the first training does
    it too, the training would break, so a service waits until the store is complete.
    """
    path = local_database(uri)
    if path is None:
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            revisions = database.execute("select version_num from alembic_version").fetchall()
    except sqlite3.Error as error:
        raise no_answer(uri, error) from error
    if revisions != [(_newest_schema(),)]:
        raise RegistryUnavailable(
            f"the model registry {uri} is being made, or by another version of MLflow; "
            f"if this lasts, run `mlflow db upgrade {uri}`"
        )


def no_answer(uri: str, error: Exception) -> RegistryUnavailable:
    """The error of a store that does not answer a service."""
    return RegistryUnavailable(f"the model registry {uri} does not answer: {error}")


def turn(uri: str) -> AbstractContextManager[None]:
    """One process at a time in a local store; a server orders its writers itself."""
    database = local_database(uri)
    return turn_at(database) if database else nullcontext()


def quoted(name: str) -> str:
    """A name inside MLflow's filters, which know no escaping but two kinds of quotes."""
    return f'"{name}"' if "'" in name else f"'{name}'"


def first_line(error: Exception) -> str:
    """What failed, without the SQL and the links that follow in some errors."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"


@cache
def _newest_schema() -> str:
    """The revision of a complete store of the installed MLflow, which has no public way to ask for it."""
    imported_mlflow()
    from mlflow.store.db.utils import _get_latest_schema_revision

    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Keep news of migrations, created versions and optional examples off the terminal; failures still raise."""
    from mlflow.utils.logging_utils import disable_logging, enable_logging

    disable_logging()  # type: ignore[no-untyped-call]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="mlflow")
            yield
    finally:
        enable_logging()  # type: ignore[no-untyped-call]
