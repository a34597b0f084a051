"""How fast a channel may be used: a bucket of tokens that is a row of the database, so that all dispatchers share it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from serving.interventions.declare.settings import Channel

USUAL_PER_MINUTE = {"dingtalk": 20.0, "wecombot": 20.0, "feishu": 100.0, "lark": 100.0, "slack": 60.0, "discord": 30.0}
"""Messages a minute that these take, by the scheme of their URL, as their makers document it."""
_MINUTE = timedelta(minutes=1)
_ROUNDING = 1e-9
"""What arithmetic may lose of a token."""


def per_minute(channel: Channel, url: str) -> float | None:
    """Messages a minute that a channel takes: as declared, else as usual for its kind; None for any."""
    if channel.per_minute is not None:
        return channel.per_minute
    return USUAL_PER_MINUTE.get(url.partition("://")[0].lower()) if channel.kind == "people" else None


@dataclass(frozen=True)
class TokenBucket:
    """So many tokens were there at a moment. A quarter of a minute's messages may go at once, the others follow evenly.

    Together they are never more than the limit within any minute: DingTalk answers the 21st with ten minutes of silence.
    """

    limit: float
    tokens: float
    at: datetime

    @classmethod
    def full(cls, limit: float, at: datetime) -> "TokenBucket":
        """One that was not used for long."""
        return cls(limit, _size(limit), at)

    def refilled(self, now: datetime) -> "TokenBucket":
        """At a later moment. A clock that goes back fills nothing, and one that was far ahead stops nothing for as long."""
        gained = max(now - self.at, timedelta(0)) / _MINUTE * (self.limit - _size(self.limit) + 1)
        since = now if self.at - now > _MINUTE else max(now, self.at)
        return TokenBucket(self.limit, min(_size(self.limit), self.tokens + gained), since)

    @property
    def whole(self) -> int:
        """Messages that may go now."""
        return int(self.tokens + _ROUNDING)

    def without(self, sent: int) -> "TokenBucket":
        """After so many messages."""
        return TokenBucket(self.limit, self.tokens - sent, self.at)


def _size(limit: float) -> float:
    return max(1.0, limit // 4)
