"""The HTTP service of a project."""

import os
import socket
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.keys import check_reach
from foresail.operations.models import model_name

if TYPE_CHECKING:
    from foresail.config.project import Project
    from serving.accounts.states import Refreshed
    from serving.online.settings import Settings


def serving_settings(project: "Project", as_of: datetime | None) -> "Settings":
    """What the service has to be told about the project."""
    from serving.online.settings import Settings

    return Settings(
        tracking_uri=project.tracking_uri,
        database=project.database,
        models={target: model_name(project, target) for target in project.targets},
        as_of=as_of,
        currency=project.currency,
        timezone=project.timezone,
        earliest=project.earliest,
        feature_files=project.feature_files,
        interventions=project.interventions,
        targets=dict(project.standing.targets),
        requests_per_second=project.requests_per_second,
        burst=project.burst,
    )


def bring_up_to_date(project: "Project", as_of: datetime, progress: StepProgress | None = None) -> "Refreshed":
    """The operational database: its tables to those of this installation, the states of accounts to the history.

    Quick where nothing has changed. DatabaseUnavailable if it cannot be used.
    """
    from serving.accounts.states import refresh_states
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade

    engine = opened(project.database)
    try:
        upgrade(engine)
        return refresh_states(engine, project.history, as_of, progress)
    finally:
        engine.dispose()


def check_startable(project: "Project", host: str, port: int) -> None:
    """ProjectError, KeyNeeded or OSError where the service could not be started as asked."""
    from foresail.config.project import FILE_NAME, ProjectError

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to serve; add a table [targets.churn]")
    check_reach(project, host)
    with socket.socket() as probe:
        # As the server will ask for it: a port in its last minute after a stop is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as taken:
            raise OSError(
                f"cannot listen on {host}:{port} ({taken.strerror}); choose another one with --port"
            ) from taken


def serve(project: "Project", as_of: datetime | None, host: str, port: int) -> None:
    """Become the BentoML server of the project's champions; does not return."""
    from serving.online.settings import VARIABLE

    environment = {
        **os.environ,
        VARIABLE: serving_settings(project, as_of).model_dump_json(),
        "BENTOML_DO_NOT_TRACK": "True",
        # Nobody's X-Forwarded-For is believed: who is on this machine must not be said by a header.
        "FORWARDED_ALLOW_IPS": "nobody",
    }
    command = [
        sys.executable,
        "-m",
        "bentoml",
        "serve",
        "serving.service:Foresail",
        "--host",
        host,
        "--port",
        str(port),
    ]
    # In the place of this process, so that whoever stops this one stops the server.
    os.execve(sys.executable, command, environment)  # noqa: S606  no shell is wanted
