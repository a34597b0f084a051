"""Our command line, as a page or a terminal writes it."""

import os
import shlex
import subprocess
import sys


def run(command, folder):
    """Run `foresail …` in a folder, with this environment's programs and no store of the caller's."""
    words = shlex.split(command.removeprefix("foresail "))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TR")}
    command = [sys.executable, "-m", "foresail.cli", *words]
    return subprocess.run(command, cwd=folder, env=environment | {"COLUMNS": "120"}, capture_output=True, text=True)
