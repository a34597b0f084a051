"""Moments in UTC: a zone's own arithmetic adds calendar days, and horizons are elapsed time."""

from datetime import datetime

from features.moments import microseconds, moment


def in_utc(when: datetime) -> datetime:
    """The same moment in UTC; ValueError if it is naive."""
    return moment(microseconds(when))
