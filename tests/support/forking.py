"""Imports what commands import, then runs each command that it is told as a copy of itself; answers with its exit code.

A request is a line of JSON: the words after `foresail`, the folder, the environment, the files for the two outputs.
"""

import importlib
import json
import os
import pkgutil
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

PACKAGES = ("features", "registry", "training", "serving", "foresail")
RUN_BY_OTHERS = ("serving.service", "serving.database.migrations.")
LATE = ("lightgbm", "mlflow.pyfunc", "mlflow.tracking", "matplotlib.pyplot", "sklearn.linear_model")
"""What commands import where they first need it."""


def import_all():
    """Every module of ours that is imported rather than run by another program, and what they import late."""
    for package in map(importlib.import_module, PACKAGES):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.startswith(RUN_BY_OTHERS):
                importlib.import_module(found.name)
    for name in LATE:
        importlib.import_module(name)


def load_compiled_code():
    from features.catalog import CATALOG
    from features.engine.events import Events
    from features.engine.table import build_feature_row

    build_feature_row(Events.from_rows({}), datetime(2024, 1, 1, tzinfo=UTC), CATALOG)


def become(words, folder, environment, out, err):
    """In the copy: the command itself, which ends the process."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for place, file, how in ((0, os.devnull, os.O_RDONLY), (1, out, os.O_WRONLY), (2, err, os.O_WRONLY)):
        os.dup2(os.open(file, how), place)
    sys.argv = ["foresail", *words]
    from foresail.cli.main import main

    try:
        main()
    except BaseException:  # noqa: BLE001  # whatever it is, the copy must not go on as the original
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(1)


def answer(line):
    child = os.fork()
    if child == 0:
        become(*json.loads(line))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    import_all()
    load_compiled_code()
    for line in sys.stdin:
        sys.stdout.write(f"{answer(line)}\n")
        sys.stdout.flush()
