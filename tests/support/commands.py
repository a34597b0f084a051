"""Our command line, as a page or a terminal writes it, without the four seconds in which it imports its libraries.

Each command is a process of its own, with its own folder, environment, output and exit code. It is a copy of one that
has imported already what commands import (`forking.py`), made when the first command of a worker asks for it.
"""

import atexit
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]


def run(command, folder):
    """Run `foresail …` in a folder, with no store of the caller's."""
    return foresail(*shlex.split(command.removeprefix("foresail ")), cwd=folder, columns=120)


def foresail(*arguments, cwd=None, columns=200):
    """The exit code, standard output and standard error of a command."""
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryFile("w+b") as out, tempfile.TemporaryFile("w+b") as err:
        code = _forked(words, str(cwd or Path.cwd()), _environment(columns), out, err)
        return subprocess.CompletedProcess(["foresail", *words], code, _text(out), _text(err))


def started(*arguments, cwd, columns=110):
    """The same of a process that begins with Python, as a person's does."""
    command = [sys.executable, "-m", "foresail.cli.main", *arguments]
    environment = _environment(columns)
    return subprocess.run(command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)


@contextmanager
def begun(command, folder):
    """The same, while it goes on: its process, and the log of what it says. Whatever is left of it in the end is ended."""
    words = shlex.split(command.removeprefix("foresail "))
    log = folder / f"{words[0]}.log"
    with log.open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "foresail.cli.main", *words],
            cwd=folder,
            env=_environment(120),
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        yield SimpleNamespace(process=process, log=log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _environment(columns):
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_TR", "FORESAIL"))}
    return kept | {"COLUMNS": str(columns)}


def _forked(words, folder, environment, out, err):
    server = _server()
    files = [f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (out, err)]
    server.stdin.write(json.dumps([words, folder, environment, *files]) + "\n")
    server.stdin.flush()
    return int(server.stdout.readline())


@cache
def _server():
    """Ends with its standard input, which is at the latest when this process ends."""
    program = [sys.executable, str(ROOT / "tests" / "support" / "forking.py")]
    server = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.stdin.close)
    return server


def _text(file):
    file.seek(0)
    return file.read().decode()
