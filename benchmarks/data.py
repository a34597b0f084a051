"""The public data sets that a benchmark reads and that no package brings: a file of a folder, or a word that it is absent.

The folder is FORESAIL_BENCH_DATA of the environment, else ../shared/data beside the clone. docs/benchmarks.md says where
the data comes from. A benchmark leaves an absent data set out and says so.
"""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("FORESAIL_BENCH_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")


class Absent(Exception):
    """The data is not here; the message says which file is missing, and how to name another folder."""


def data_file(path: str) -> Path:
    """A file of the folder; Absent if it is not there."""
    file = FOLDER / path
    if not file.is_file():
        raise Absent(f"{path} is not in {FOLDER}; FORESAIL_BENCH_DATA names another folder")
    return file
