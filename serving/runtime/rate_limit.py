"""How fast one caller may ask: a bucket of tokens each, filled again at a steady rate."""

import time
from collections.abc import Callable


class RateLimit:
    """Of each caller at most `burst` requests at once, and in the long run `per_second`. `clock` counts seconds.

    Callers are keys and addresses of this machine, so that their number is bounded. Each worker has buckets of its own.
    """

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.per_second = per_second
        self.burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """By caller: the tokens it had, and when."""

    def wait_seconds(self, caller: str) -> float:
        """0 if the caller may ask now, which takes a token; else how long until it may."""
        moment = self._clock()
        had, at = self._buckets.get(caller, (float(self.burst), moment))
        tokens = min(self.burst, had + (moment - at) * self.per_second)
        may = tokens >= 1
        self._buckets[caller] = (tokens - may, moment)
        return 0.0 if may else (1 - tokens) / self.per_second
