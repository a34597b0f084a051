"""A worker whose server was killed must not go on: it would keep the port, and answer with what nobody looks after."""

import logging
import os
import signal
import threading
from collections.abc import Callable

EVERY_SECONDS = 1.0

log = logging.getLogger("bentoml.foresail")


def end_with_parent(stopped: threading.Event) -> None:
    """From now on, end this process as soon as its parent is another than now; until `stopped` is set."""
    parent = os.getppid()
    threading.Thread(target=_go_on, args=(parent, stopped, _end), name="parent-watchdog", daemon=True).start()


def _go_on(parent: int, stopped: threading.Event, end: Callable[[], None]) -> None:
    while not stopped.wait(EVERY_SECONDS):
        if os.getppid() != parent:
            log.warning("the server that started this worker (process %d) is gone; the worker ends", parent)
            end()
            return


def _end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
