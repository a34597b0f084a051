"""The status of a history, source by source: its size, its freshness, its gaps and its refused rows."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.history import quarantine
from features.history.arrivals import Arrival, last_arrivals
from features.history.store import History
from features.history.streams import STREAMS
from features.timestamps import moment

ATTRIBUTES = frozenset(name for name, stream in STREAMS.items() if not stream.column("occurred_at").required)
"""The streams of attributes: their rows describe an account and are no events."""

Days = NDArray[np.int64]


@dataclass(frozen=True)
class Gaps:
    """Days between a source's first and last on which nothing happened: how many, and the longest run of them."""

    days: int
    longest: int
    first: date | None
    last: date | None


@dataclass(frozen=True)
class SourceStatus:
    """One source of one stream: how many rows and accounts, between which occurred_at, and the refused rows.

    `oldest`, `newest` and `gaps` are None where nothing is stored, `last_ingest` where none was noted. `quarantined`
    counts refused rows by kind of reason, `share_quarantined` is theirs among the rows stored or refused (0 to 1).
    Attributes have no gaps: they hold until others do.
    """

    stream: str
    source: str
    rows: int
    accounts: int
    oldest: datetime | None
    newest: datetime | None
    last_ingest: Arrival | None
    quarantined: Mapping[str, int]
    share_quarantined: float
    gaps: Gaps | None


@dataclass(frozen=True)
class HistoryStatus:
    """All sources, ordered by stream and name.

    `accounts` counts each account once over all streams; `without_events` those known by their attributes alone.
    """

    accounts: int
    without_events: int
    versions: Mapping[str, int]
    sources: tuple[SourceStatus, ...]


def status(
    history: History, timezone: str = "UTC", progress: Callable[[int, int], None] | None = None
) -> HistoryStatus:
    """The status of the history now, read bucket by bucket; empty where nothing was ever ingested.

    Days are those of the calendar of `timezone`.
    """
    versions = history.versions()
    pinned = history.at(versions)
    accounts, without_events, parts = 0, 0, dict[tuple[str, str], list[_Part]]()
    for bucket in range(history.buckets):
        events = {stream: pinned.read(stream, bucket, ["account_id", "occurred_at", "source"]) for stream in versions}
        ids = {stream: set(table["account_id"].chunk(0).dictionary.to_pylist()) for stream, table in events.items()}
        known, active = _union(ids.values()), _union(ids[stream] for stream in ids.keys() - ATTRIBUTES)
        accounts += len(known)
        without_events += len(known - active)
        for stream, table in events.items():
            for source, part in _parts(table, timezone):
                parts.setdefault((stream, source), []).append(part)
        if progress:
            progress(bucket + 1, history.buckets)
    refused, arrivals = quarantine.counts(history), last_arrivals(history)
    keys = sorted(parts.keys() | refused.keys() | arrivals.keys())
    sources = (_source_status(*key, parts.get(key, []), refused.get(key, {}), arrivals.get(key)) for key in keys)
    return HistoryStatus(accounts, without_events, versions, tuple(sources))


def _union(ids: Iterable[set[str]]) -> set[str]:
    return set[str]().union(*ids)


@dataclass(frozen=True)
class _Part:
    """The events of one source in one bucket; times in UTC microseconds, days counted from 1970."""

    rows: int
    accounts: int
    oldest: int
    newest: int
    days: Days


def _parts(events: pa.Table, timezone: str) -> Iterator[tuple[str, _Part]]:
    sources, accounts = events["source"].chunk(0), events["account_id"].chunk(0).indices.to_numpy()
    times, codes, days = (
        events["occurred_at"].cast(pa.int64()).to_numpy(),
        sources.indices.to_numpy(),
        _days(events, timezone),
    )
    for code, source in enumerate(sources.dictionary.to_pylist()):
        of_source = codes == code
        distinct = np.count_nonzero(np.bincount(accounts[of_source]))
        moments = times[of_source]
        yield (
            source,
            _Part(len(moments), int(distinct), int(moments.min()), int(moments.max()), np.unique(days[of_source])),
        )


def _days(events: pa.Table, timezone: str) -> Days:
    """The calendar day of each event."""
    local = pc.local_timestamp(events["occurred_at"].cast(pa.timestamp("us", tz=timezone)))
    days: Days = local.cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _source_status(
    stream: str, source: str, parts: Sequence[_Part], refused: Mapping[str, int], arrival: Arrival | None
) -> SourceStatus:
    rows, accounts = sum(part.rows for part in parts), sum(part.accounts for part in parts)
    oldest = moment(min(part.oldest for part in parts)) if parts else None
    newest = moment(max(part.newest for part in parts)) if parts else None
    count = sum(refused.values())
    share = count / (rows + count) if count else 0.0
    days = np.unique(np.concatenate([part.days for part in parts])) if parts and stream not in ATTRIBUTES else None
    gaps = None if days is None else gaps_between(days)
    return SourceStatus(stream, source, rows, accounts, oldest, newest, arrival, refused, share, gaps)


def gaps_between(days: Days) -> Gaps:
    """The days that are missing between the first and the last of these (distinct, ascending, counted from 1970)."""
    missing = np.diff(days) - 1
    if not missing.any():
        return Gaps(0, 0, None, None)
    place = int(missing.argmax())
    first = date(1970, 1, 1) + timedelta(days=int(days[place]) + 1)
    return Gaps(int(missing.sum()), int(missing[place]), first, first + timedelta(days=int(missing[place]) - 1))
