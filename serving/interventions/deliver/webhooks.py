"""Outgoing webhooks: one attempt to send a signed message, and the meaning of the receiver's answer."""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from serving.interventions.declare.settings import Channel
from serving.interventions.deliver.addresses import GuardedTransport, check_url
from serving.interventions.deliver.attempt import LONGEST_WAIT, SUCCESS, DeliveryResult
from serving.interventions.deliver.secrets import ChannelUnusable, Environment
from serving.interventions.deliver.webhook_signatures import sign_headers, signing_key

AT_ONCE = 64
"""Messages of one channel under way at the same time."""
CONNECT_SECONDS, READ_SECONDS, ALTOGETHER_SECONDS = 5.0, 10.0, 15.0
BODY_SECONDS, LONGEST_BODY = 1.0, 65_536
GONE, TOO_MANY, UNAVAILABLE = 410, 429, 503
USER_AGENT = "Foresail"


class WebhookChannel:
    """The sender of one webhook channel. ChannelUnusable where it cannot be used."""

    def __init__(self, channel: Channel, environment: Environment) -> None:
        self._url = check_url(environment.filled(channel.url), channel.allow_private)
        self._secrets = [signing_key(environment.filled(secret), secret) for secret in channel.secrets]
        self._client = httpx.AsyncClient(
            transport=GuardedTransport(channel.allow_private, AT_ONCE),
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            headers={"user-agent": USER_AGENT, "content-type": "application/json", "connection": "close"},
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message_id: str, payload: str, at: datetime) -> DeliveryResult:
        """One attempt and its result; raises nothing."""
        headers = sign_headers(self._secrets, message_id, payload, at)
        try:
            async with asyncio.timeout(ALTOGETHER_SECONDS):
                async with self._client.stream("POST", self._url, content=payload.encode(), headers=headers) as answer:
                    await _drain(answer)
                    return read_answer(answer.status_code, answer.headers, at)
        except ChannelUnusable as refused:
            return DeliveryResult(str(refused))
        except TimeoutError:
            return DeliveryResult(f"no answer within {ALTOGETHER_SECONDS:.0f} s")
        except httpx.TransportError as failed:
            return DeliveryResult(_words(failed))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _drain(answer: httpx.Response) -> None:
    """Read a short body, so that a receiver that is still writing does not fail. The body does not change the result."""
    read = 0
    with suppress(httpx.TransportError, TimeoutError):
        async with asyncio.timeout(BODY_SECONDS):
            async for part in answer.aiter_raw():
                read += len(part)
                if read > LONGEST_BODY:
                    return


def read_answer(status: int, headers: httpx.Headers, at: datetime) -> DeliveryResult:
    """The result that a receiver's status and headers mean."""
    if 200 <= status < 300:
        return SUCCESS
    if status == GONE:
        return DeliveryResult("the receiver answered 410: it wants no more of this channel", is_gone=True)
    if 300 <= status < 400:
        return DeliveryResult(
            f"the receiver answered {status}: redirects are not followed; declare the url that it names"
        )
    wait = _asked_to_wait(headers.get("retry-after"), at) if status in {TOO_MANY, UNAVAILABLE} else None
    return DeliveryResult(f"the receiver answered {status}", quiet=wait)


def _asked_to_wait(text: str | None, at: datetime) -> timedelta | None:
    """The wait that Retry-After asks for, in seconds or as a date, at most a day; None without it."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return min(timedelta(seconds=int(text)), LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(until - at, timedelta(0)), LONGEST_WAIT)


def _words(failed: httpx.TransportError) -> str:
    kinds = {
        httpx.ConnectTimeout: f"no connection within {CONNECT_SECONDS:.0f} s",
        httpx.ReadTimeout: f"no answer within {READ_SECONDS:.0f} s",
        httpx.ConnectError: "cannot connect",
        httpx.RemoteProtocolError: "the connection ended without an answer",
        httpx.ReadError: "the connection broke before the answer",
    }
    name = kinds.get(type(failed), type(failed).__name__)
    return f"{name} ({failed})" if str(failed) else name
