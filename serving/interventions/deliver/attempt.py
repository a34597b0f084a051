"""The result of one attempt to deliver, and the moment of the next attempt."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

DELAYS = tuple(timedelta(seconds=seconds) for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Between attempts, as Standard Webhooks proposes: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
LONGEST_WAIT = timedelta(days=1)
"""The longest wait, whatever a receiver asks for."""


@dataclass(frozen=True)
class DeliveryResult:
    """The result of an attempt: delivered if there is no problem."""

    problem: str | None = None
    is_gone: bool = False
    """The receiver accepts no more messages of this channel."""
    quiet: timedelta | None = None
    """How long the channel must wait, as the receiver asks."""


SUCCESS = DeliveryResult()


def next_attempt(attempts: int, now: datetime, chance: Callable[[], float]) -> datetime | None:
    """The moment of the next attempt: randomised in the later half of the delay; None after the last attempt.

    Randomised, so that messages that failed together are not repeated together; at least half, so that attempts go on for days.
    `chance` gives a number from 0 to below 1.
    """
    if attempts > len(DELAYS):
        return None
    return now + DELAYS[attempts - 1] * (0.5 + 0.5 * chance())
