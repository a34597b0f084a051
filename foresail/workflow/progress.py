"""Steps told to whoever waits for them."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
"""Steps done, steps in all, and what they are."""


def silent(done: int, total: int, what: str) -> None:
    """No progress is wanted."""


def named(progress: Progress | None, source: str) -> Progress | None:
    return (lambda done, total, what: progress(done, total, f"{source}: {what}")) if progress else None


def by_bucket(progress: Progress | None, what: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(done, total, what)) if progress else None
