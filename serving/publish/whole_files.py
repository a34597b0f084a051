"""Files that appear under their names only when they are whole and on the disk."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A scratch file that takes the place of `path` at the end, on disk for good; not if an exception is raised."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.writing")
    try:
        yield scratch
        _to_disk(scratch)
        scratch.replace(path)
        _to_disk(path.parent)
    finally:
        scratch.unlink(missing_ok=True)


def _to_disk(path: Path) -> None:
    """What is in a file, or which files are in a folder, survives a power cut from here on."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
