"""Deliveries of a project: the dispatcher as a process of its own, and what the outbox holds."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlalchemy as sa

    from foresail.config.project import Project
    from serving.interventions.deliver.leases import DispatchCounts
    from serving.interventions.deliver.outbox_admin import OutboxMessage
    from serving.interventions.run.deadlines import SweepResult

STOP_SECONDS = 30.0
"""How long a dispatcher that is told to stop may finish what is under way."""
COMMAND = "foresail outbox"


def dispatch_once(project: "Project", clock: Callable[[], datetime]) -> "tuple[SweepResult, DispatchCounts]":
    """Sweep the deadlines that are due, and deliver what may go now. DatabaseUnavailable."""
    from serving.interventions.deliver import dispatch
    from serving.interventions.run import deadlines

    engine = _database(project)
    swept = deadlines.sweep(engine, project.interventions, clock())
    return swept, dispatch.dispatch_once(engine, project.interventions, os.environ, clock)


def dispatch(project: "Project", clock: Callable[[], datetime]) -> None:
    """Sweep and deliver until the process is told to stop by SIGTERM or SIGINT; then finish what is under way."""
    from serving.runtime.sweeper import Keeping

    engine, stopped = _database(project), threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stopped.set())
    _log_to_standard_error()
    keeping = Keeping(lambda: engine, project.interventions, os.environ, clock)
    keeping.start()
    stopped.wait()
    keeping.stop(STOP_SECONDS)


def outbox(
    project: "Project", state: str | None, channel: str | None, most: int
) -> "tuple[dict[tuple[str, str], int], list[OutboxMessage]]":
    """How many messages by channel and state, and the newest of them. DatabaseUnavailable."""
    from serving.interventions.deliver import outbox_admin

    engine = _database(project)
    return outbox_admin.count_by_state(engine), outbox_admin.list_messages(
        engine, state=state, channel=channel, most=most
    )


def replay(project: "Project", ids: Sequence[str], at: datetime) -> int:
    """Have these messages sent again. NoMessage."""
    from serving.interventions.deliver import outbox_admin

    return outbox_admin.replay(_database(project), ids, COMMAND, at)


def replay_dead(project: "Project", at: datetime) -> int:
    """Have all dead messages sent again."""
    from serving.interventions.deliver import outbox_admin

    return outbox_admin.replay_dead(_database(project), COMMAND, at)


def reopen(project: "Project", channel: str, at: datetime) -> int:
    """Use a channel again that wanted no more. ProjectError if none of that name is declared."""
    from foresail.config.project import FILE_NAME, ProjectError
    from serving.interventions.deliver import outbox_admin

    if channel not in project.interventions.channels:
        known = ", ".join(project.interventions.channels) or "none"
        raise ProjectError(f"{project.directory / FILE_NAME} has no channel '{channel}'; it has {known}")
    return outbox_admin.reopen(_database(project), channel, COMMAND, at)


def _database(project: "Project") -> "sa.Engine":
    """The project's database with today's tables."""
    from serving.database.engine import opened
    from serving.database.upgrade import upgrade

    engine = opened(project.database)
    upgrade(engine)
    return engine


def _log_to_standard_error() -> None:
    """A JSON object a line, as whatever runs the process collects them."""
    log = logging.getLogger("bentoml.foresail")
    log.setLevel(logging.INFO)
    log.addHandler(logging.StreamHandler(sys.stderr))
    log.propagate = False
