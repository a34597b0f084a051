"""How long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total)."""
StepProgress = Callable[[int, int, str], None]
"""Called with (done, total, step)."""
