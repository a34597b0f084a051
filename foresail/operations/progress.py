"""Progress of the steps of an operation, in the form that each room reports it."""

from collections.abc import Callable

from features.progress import StepProgress


def silent(done: int, total: int, what: str) -> None:
    """Progress that is not shown."""


def named(progress: StepProgress | None, source: str) -> StepProgress | None:
    return (lambda done, total, what: progress(done, total, f"{source}: {what}")) if progress else None


def by_bucket(progress: StepProgress | None, what: str) -> Callable[[int, int], None] | None:
    return (lambda done, total: progress(done, total, what)) if progress else None
