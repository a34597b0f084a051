"""Heavy work is bounded: what cannot be answered in time is refused at once."""

import asyncio
import threading

import pytest

from serving.errors import Busy
from serving.runtime.request_pool import Heavy


def test__heavy__all_places_taken__503_and_a_place_is_free_again_when_work_ends():
    """One under way and one waiting are let in, the third is told to come back; nothing leaks."""

    async def scenario():
        heavy, go_on = Heavy(at_once=1, waiting=1), threading.Event()
        first, second = (asyncio.create_task(heavy.run(go_on.wait, 60)) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="too many requests") as raised:
            await heavy.run(int)
        assert raised.value.answer().headers["retry-after"] == "5"
        second.cancel()
        go_on.set()
        assert await first
        assert await heavy.run(int) == 0

    asyncio.run(scenario())


def test__heavy__caller_no_longer_waits__the_place_is_taken_until_the_work_ends():
    """A request that timed out still keeps a thread busy."""

    async def scenario():
        heavy, go_on = Heavy(at_once=1, waiting=0), threading.Event()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(heavy.run(go_on.wait, 60), 0.05)
        with pytest.raises(Busy, match="too many requests"):
            await heavy.run(int)
        go_on.set()

    asyncio.run(scenario())
