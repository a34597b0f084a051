"""The processes of a project that run until they are stopped: the HTTP service and the dispatcher."""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import datetime
from importlib.util import find_spec
from ipaddress import ip_address
from typing import TYPE_CHECKING

from features.progress import StepProgress

if TYPE_CHECKING:
    from foresail.config.project import Project
    from serving.accounts.states import Refreshed
    from serving.online.settings import Settings

STOP_SECONDS = 30.0
"""How long a dispatcher that receives a signal may finish what is under way."""


def serving_settings(project: "Project", as_of: datetime | None) -> "Settings":
    """The project as the service reads it."""
    from serving.online.settings import Settings

    return Settings(
        tracking_uri=project.tracking_uri,
        database=project.database,
        models={target: project.model_name(target) for target in project.targets},
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

    engine = project.engine()
    try:
        return refresh_states(engine, project.history, as_of, progress)
    finally:
        engine.dispose()


def check_startable(project: "Project", host: str, port: int) -> None:
    """ProjectError, KeyNeeded, OSError or ModuleNotFoundError where the service cannot start."""
    from foresail.config.project import FILE_NAME, ProjectError

    if not project.targets:
        raise ProjectError(f"{project.directory / FILE_NAME} has no target to serve; add a table [targets.churn]")
    if find_spec("bentoml") is None:
        raise ModuleNotFoundError("No module named 'bentoml'", name="bentoml")
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


def check_reach(project: "Project", host: str) -> None:
    """KeyNeeded where other machines can reach `host` and the project has no API key to identify callers by."""
    from serving.database import keys

    if not _is_this_machine(host) and not keys.listed(project.engine()):
        raise keys.KeyNeeded(
            f"there is no API key yet, and others can reach {host}. Make a key first with `foresail keys create NAME "
            "--scope score`, or serve this machine alone on 127.0.0.1"
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"


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


def run_dispatcher(project: "Project", clock: Callable[[], datetime]) -> None:
    """Sweep and deliver until SIGTERM or SIGINT arrives; then finish what is under way."""
    from serving.runtime.sweeper import Keeping

    engine, stopped = project.engine(), threading.Event()
    for stop_signal in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stop_signal, lambda *_: stopped.set())
    _log_to_standard_error()
    keeping = Keeping(lambda: engine, project.interventions, os.environ, clock)
    keeping.start()
    stopped.wait()
    keeping.stop(STOP_SECONDS)


def _log_to_standard_error() -> None:
    """One JSON object per line, the form that process supervisors collect."""
    log = logging.getLogger("bentoml.foresail")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler(sys.stderr))
    log.propagate = False
