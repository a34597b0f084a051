"""Our command line, as a page or a terminal writes it."""

import os
import shlex
import signal
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace


def run(command, folder):
    """Run `foresail …` in a folder, with this environment's programs and no store of the caller's."""
    return subprocess.run(_words(command), cwd=folder, env=_environment(), capture_output=True, text=True)


@contextmanager
def begun(command, folder):
    """The same, while it goes on: its process, and the log of what it says. Whatever is left of it in the end is ended."""
    log = folder / f"{shlex.split(command)[1]}.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            _words(command), cwd=folder, env=_environment(), stdout=said, stderr=said, start_new_session=True
        )
    try:
        yield SimpleNamespace(process=process, log=log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _words(command):
    return [sys.executable, "-m", "foresail.cli", *shlex.split(command.removeprefix("foresail "))]


def _environment():
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TR")}
    return kept | {"COLUMNS": "120"}
