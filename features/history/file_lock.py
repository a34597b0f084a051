"""A lock on a file that dies with its owner."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def file_lock(
    path: Path, error: type[Exception], *, busy: type[Exception] | None = None, other: str = "another ingest"
) -> Iterator[None]:
    """Hold the lock for the length of a `with` block; raise `busy` at once if another process, `other`, holds it.

    `error` is raised where the file cannot be made, and where `busy` is not given. The operating system releases the
    lock when its owner ends, in whatever way, so a killed process never leaves a lock to be removed by hand. The
    file stays; only the lock on it counts.
    """
    # Imported here because only writers need it and readers may run where it does not exist (Windows).
    import fcntl

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as denied:
        raise error(
            f"{path.parent} cannot be written to ({denied.strerror}): check the disk and its permissions"
        ) from denied
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise (busy or error)(f"{path.parent} is being written by {other} (process {owner}): wait for it") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
