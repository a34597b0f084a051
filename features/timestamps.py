"""Moments in UTC microseconds, and the one place where the clock is read."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = 86_400_000_000
"""Microseconds in a day of elapsed time; windows, horizons and ages are counted in these, never in calendar days."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """UTC microseconds since 1970 of an aware moment, exactly; a naive one is a ValueError, a text a TypeError."""
    if not isinstance(moment, datetime):
        raise TypeError(f"{moment!r} is no datetime; read_moment(text, timezone) makes one of a date or timestamp")
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no timezone; say which one it is meant in, for example with tzinfo=UTC")
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The aware UTC moment that many microseconds after 1970; the inverse of `microseconds`."""
    return _EPOCH + timedelta(microseconds=int(microseconds))


def read_moment(text: str, timezone: str) -> datetime:
    """The aware UTC moment that a date or an ISO 8601 timestamp names; without an offset it is read in `timezone`.

    A date is its midnight. Of an hour that occurs twice when clocks go back the later one is meant, as in ingest.
    ValueError, in words, for anything else.
    """
    try:
        read = datetime.fromisoformat(text.strip())
        return (read if read.tzinfo else read.replace(tzinfo=ZoneInfo(timezone), fold=1)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"'{text}' is no date and no ISO timestamp; write 2011-01-01 or 2011-01-01T09:30:00+00:00"
        ) from None


def now() -> datetime:
    """The present moment.

    The only reading of the clock in the project. Nothing but the outermost edge may call it, to
    fill in an as_of that a person or a CRM has left out.
    """
    return datetime.now(UTC)


def in_utc(when: datetime) -> datetime:
    """The same moment in UTC; ValueError if it is naive."""
    return moment(microseconds(when))
