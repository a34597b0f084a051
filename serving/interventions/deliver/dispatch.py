"""The dispatcher: each channel on its own, so that a slow channel holds up no other. Any number of dispatchers may run."""

import asyncio
import json
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from serving.interventions.declare.settings import Channel, InterventionSettings
from serving.interventions.deliver import people, webhooks
from serving.interventions.deliver.attempt import DeliveryResult
from serving.interventions.deliver.channel_rate_limit import per_minute
from serving.interventions.deliver.leases import (
    ChannelTerms,
    DispatchCounts,
    LeasedMessage,
    hold,
    is_due,
    lease,
    record_results,
)
from serving.interventions.deliver.message_texts import text_together
from serving.interventions.deliver.people import PeopleChannel
from serving.interventions.deliver.secrets import ChannelUnusable, Environment
from serving.interventions.deliver.webhooks import WebhookChannel

EVERY_SECONDS = 0.5
"""How often the outbox is read."""

log = logging.getLogger("bentoml.foresail")


def dispatch_once(
    engine: sa.Engine,
    settings: InterventionSettings,
    variables: Mapping[str, str],
    clock: Callable[[], datetime],
    chance: Callable[[], float] = random.random,
) -> DispatchCounts:
    """Deliver all due messages that may be sent now. DatabaseUnavailable."""
    return asyncio.run(_Dispatcher(engine, settings, variables, clock, chance).once())


def dispatch_until(
    stopped: threading.Event,
    engine: sa.Engine,
    settings: InterventionSettings,
    variables: Mapping[str, str],
    clock: Callable[[], datetime],
    chance: Callable[[], float] = random.random,
) -> None:
    """Deliver due messages until stopped, finishing those under way. Failures are logged and tried again."""
    asyncio.run(_Dispatcher(engine, settings, variables, clock, chance).until(stopped))


class _Dispatcher:
    def __init__(
        self,
        engine: sa.Engine,
        settings: InterventionSettings,
        variables: Mapping[str, str],
        clock: Callable[[], datetime],
        chance: Callable[[], float],
    ) -> None:
        self._engine, self._settings, self._clock, self._chance = engine, settings, clock, chance
        self._environment = Environment(variables)
        self._senders: dict[str, _ChannelSender] = {}

    async def once(self) -> DispatchCounts:
        try:
            found = await asyncio.gather(*map(self._deliver_all, self._settings.channels))
        finally:
            await self._close()
        return sum(found, DispatchCounts())

    async def until(self, stopped: threading.Event) -> None:
        try:
            await asyncio.gather(*(self._deliver_until(name, stopped) for name in self._settings.channels))
        finally:
            await self._close()

    async def _deliver_all(self, channel: str) -> DispatchCounts:
        altogether = DispatchCounts()
        while found := await self._deliver_once(channel):
            altogether += found
        return altogether

    async def _deliver_until(self, channel: str, stopped: threading.Event) -> None:
        logged = ""
        while not stopped.is_set():
            found = None
            try:
                found = await self._deliver_once(channel)
                logged = ""
            except Exception as error:  # noqa: BLE001  the next round may succeed, whatever this one met
                if logged != (logged := self._environment.hidden(str(error))):
                    log.warning(log_entry("dispatch failed", channel=channel, problem=logged))
            if found is None:
                await asyncio.sleep(EVERY_SECONDS)

    async def _deliver_once(self, channel: str) -> DispatchCounts | None:
        """Lease due messages, send them, record the results; None where nothing could be done."""
        if not await asyncio.to_thread(is_due, self._engine, channel, self._clock()):
            return None
        try:
            line = self._senders.get(channel) or self._open_sender(channel)
        except ChannelUnusable as problem:
            said = self._environment.hidden(f"[channels.{channel}]: {problem}")
            log.warning(log_entry("channel cannot be used", channel=channel, problem=said))
            return await asyncio.to_thread(hold, self._engine, channel, said, self._clock())
        texts = await asyncio.to_thread(lease, self._engine, channel, line.terms, self._clock())
        if not texts:
            return None
        answers = await asyncio.gather(*(self._send(line, text) for text in texts))
        found = [(message, answer) for text, answer in zip(texts, answers, strict=True) for message in text]
        for message, answer in found:
            _log_result(channel, message, answer)
        return await asyncio.to_thread(record_results, self._engine, channel, found, self._clock(), self._chance)

    async def _send(self, line: "_ChannelSender", text: tuple[LeasedMessage, ...]) -> DeliveryResult:
        """The result of one text. An exception of a plugin concerns this text alone: the others were sent, and must not be repeated."""
        try:
            return await line.send(text, self._clock())
        except Exception as error:  # noqa: BLE001  libraries for a hundred services
            return DeliveryResult(self._environment.hidden(f"{type(error).__name__}: {error}"))

    def _open_sender(self, name: str) -> "_ChannelSender":
        channel = self._settings.channels[name]
        kind = _WebhookSender if channel.kind == "webhook" else _PeopleSender
        self._senders[name] = kind(channel, self._environment, self._settings.calendar.timezone or "UTC")
        return self._senders[name]

    async def _close(self) -> None:
        for line in self._senders.values():
            await line.close()


class _WebhookSender:
    """A webhook channel and its terms."""

    def __init__(self, channel: Channel, environment: Environment, _: str) -> None:
        self._receiver = WebhookChannel(channel, environment)
        self.terms = ChannelTerms(webhooks.AT_ONCE, per_minute=per_minute(channel, channel.url))
        self.close: Callable[[], Awaitable[None]] = self._receiver.close

    async def send(self, text: tuple[LeasedMessage, ...], at: datetime) -> DeliveryResult:
        (message,) = text
        return await self._receiver.send(message.message_id, message.payload, at)


class _PeopleSender:
    """A channel of people and its terms."""

    def __init__(self, channel: Channel, environment: Environment, timezone: str) -> None:
        self._readers, self._timezone = PeopleChannel(channel, environment), timezone
        digest = None if channel.digest is None else channel.digest.elapsed
        limit = per_minute(channel, environment.filled(channel.url))
        self.terms = ChannelTerms(people.AT_ONCE, self._readers.together, digest, limit)
        self.close: Callable[[], Awaitable[None]] = self._readers.close

    async def send(self, text: tuple[LeasedMessage, ...], _: datetime) -> DeliveryResult:
        messages = [(json.loads(message.payload), message.name) for message in text]
        return await self._readers.send(text_together(messages, self._timezone))


_ChannelSender = _WebhookSender | _PeopleSender


def _log_result(channel: str, message: LeasedMessage, answer: DeliveryResult) -> None:
    facts = {"channel": channel, "message_id": message.message_id, "attempt": message.attempts}
    if answer.problem is None:
        log.info(log_entry("delivered", **facts))
    else:
        log.warning(log_entry("not delivered", **facts, problem=answer.problem))


def log_entry(event: str, **facts: object) -> str:
    """A log line as JSON: ids and problems, nothing of accounts or people."""
    return json.dumps({"event": event, **facts}, ensure_ascii=False)
