"""The rate limit of a channel: a token bucket that is a row of the database, so that all dispatchers share it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from serving.interventions.declare.settings import Channel

USUAL_PER_MINUTE = {"dingtalk": 20.0, "wecombot": 20.0, "feishu": 100.0, "lark": 100.0, "slack": 60.0, "discord": 30.0}
"""Messages per minute by the scheme of the URL, as the services document them."""
_MINUTE = timedelta(minutes=1)
_ROUNDING = 1e-9
"""Rounding of a token by arithmetic."""


def per_minute(channel: Channel, url: str) -> float | None:
    """The rate limit of a channel in messages per minute: as declared, else as usual for its service; None for no limit."""
    if channel.per_minute is not None:
        return channel.per_minute
    return USUAL_PER_MINUTE.get(url.partition("://")[0].lower()) if channel.kind == "people" else None


@dataclass(frozen=True)
class TokenBucket:
    """The tokens at a moment. A quarter of a minute's messages may go at once, the others follow evenly.

    Together they are never more than the limit within any minute: DingTalk answers the 21st with ten minutes of silence.
    """

    limit: float
    tokens: float
    at: datetime

    @classmethod
    def full(cls, limit: float, at: datetime) -> "TokenBucket":
        """A full bucket."""
        return cls(limit, _size(limit), at)

    def refilled(self, now: datetime) -> "TokenBucket":
        """The bucket at a later moment. A clock that goes back adds no tokens; one that was far ahead does not block the channel."""
        gained = max(now - self.at, timedelta(0)) / _MINUTE * (self.limit - _size(self.limit) + 1)
        since = now if self.at - now > _MINUTE else max(now, self.at)
        return TokenBucket(self.limit, min(_size(self.limit), self.tokens + gained), since)

    @property
    def whole(self) -> int:
        """Messages that may be sent now."""
        return int(self.tokens + _ROUNDING)

    def without(self, sent: int) -> "TokenBucket":
        """The bucket after `sent` messages."""
        return TokenBucket(self.limit, self.tokens - sent, self.at)


def _size(limit: float) -> float:
    return max(1.0, limit // 4)
