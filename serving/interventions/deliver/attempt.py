"""What became of one attempt to deliver, and when the next one is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Between attempts, as Standard Webhooks proposes: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
LONGEST_WAIT = timedelta(days=1)
"""However long a receiver asks to be left alone."""


@dataclass(frozen=True)
class DeliveryResult:
    """Delivered if there is no problem."""

    problem: str | None = None
    is_gone: bool = False
    """The receiver wants nothing of this channel any more."""
    quiet: timedelta | None = None
    """How long the receiver asks the whole channel to be left alone."""


SUCCESS = DeliveryResult()


def next_attempt(attempts: int, now: datetime, chance: Callable[[], float]) -> datetime | None:
    """When to try again after so many attempts: the later half of the delay, by chance; None when it was tried often enough.

    By chance, so that what failed together does not come back together; no sooner than half, so that it is tried for days.
    `chance` gives a number from 0 to below 1.
    """
    if attempts > len(DELAYS):
        return None
    return now + DELAYS[attempts - 1] * (0.5 + 0.5 * chance())
