"""Answers that take long: a few at a time, some more in a queue, and no more than can be given in time."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

from serving.errors import Busy

AT_ONCE = 4
WAITING = 60

P = ParamSpec("P")
T = TypeVar("T")


class Heavy:
    """Runs work in threads of its own, and refuses what would only wait."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="heavy")
        self._places = threading.BoundedSemaphore(at_once + waiting)

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns; Busy at once if too much is under way. A place is free when the work has ended."""
        if not self._places.acquire(blocking=False):
            raise Busy("too many requests are being answered; try again in a few seconds")
        # In a copy of the caller's context: what the work notes belongs to the caller's request.
        future = self._threads.submit(copy_context().run, partial(work, *args, **kwargs))
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
