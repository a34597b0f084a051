"""Processes that tests kill: each a copy of one that has imported already what they work with."""

import multiprocessing
import os
import sys
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
