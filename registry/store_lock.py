"""One writer at a time for a model store that is a file: others wait for their turn."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn_at(database: Path) -> Iterator[None]:
    """Hold the lock beside a database for the length of a `with` block, waiting as long as another process holds it.

    It dies with its owner, so a killed training blocks nobody. Not to be nested: it would wait for itself.
    """
    import fcntl  # where it does not exist (Windows), importing this file must still work

    database.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = database.with_name(f"{database.name}.lock").open("a")
    except OSError:  # a process that cannot write here (a read-only disk) has nothing to take turns for
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
