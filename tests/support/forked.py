"""Processes that tests kill: each a copy of one that has imported already what they work with."""

import multiprocessing
import os
import signal
import sys
import time
from contextlib import contextmanager
from functools import cache
from multiprocessing import forkserver

import pytest

IMPORTED = [
    "crashing",
    "interventions_at_work",
    "lightgbm",
    "mlflow.pyfunc",
    "mlflow.store.model_registry.sqlalchemy_store",
    "mlflow.store.tracking.sqlalchemy_store",
]
"""What they work with, and what that imports late."""


@cache
def processes():
    """Where they come from: the time until a kill is then time spent at work, and not at importing."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with pytest.MonkeyPatch.context() as changed:
        # Python 3.11 does not tell it where modules are, and it leaves out without a word those that it cannot find.
        changed.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        forkserver.ensure_running()
    return context


@contextmanager
def at_work(kill_after=None):
    """Around the work of this process. Yields a function that tells how long it has worked, in seconds of processor time.

    Once it has worked for `kill_after` seconds it is killed.
    """
    begin = time.process_time()
    kill_this_process(kill_after)
    yield lambda: time.process_time() - begin
    signal.setitimer(signal.ITIMER_PROF, 0)


def kill_this_process(after):
    """As `kill -9` would, when it has worked for so many more seconds of processor time; never if None.

    By then it has done the same on an idle machine and on a busy one, which seconds of a clock cannot say. Nobody handles
    the signal, so the system ends the process wherever it is, in the middle of a write too.
    """
    if after is not None:
        signal.setitimer(signal.ITIMER_PROF, max(after, 1e-4))  # 0 would be never


def was_killed(process):
    """Wait for a process to end; whether it was killed at work."""
    process.join()
    assert process.exitcode in {0, -signal.SIGPROF}
    return process.exitcode == -signal.SIGPROF
