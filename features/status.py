"""What a history holds, source by source."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from features import quarantine
from features.history import History
from features.moments import moment


@dataclass(frozen=True)
class SourceStatus:
    """One source of one stream: how many rows and accounts, between which occurred_at, and what was refused.

    `oldest` and `newest` are None where nothing is stored; `quarantined` counts refused rows by kind of reason.
    """

    stream: str
    source: str
    rows: int
    accounts: int
    oldest: datetime | None
    newest: datetime | None
    quarantined: Mapping[str, int]


@dataclass(frozen=True)
class HistoryStatus:
    """All sources, ordered by stream and name; `accounts` counts each account once over all streams."""

    accounts: int
    versions: Mapping[str, int]
    sources: tuple[SourceStatus, ...]


def status(history: History) -> HistoryStatus:
    """What the history holds now, read bucket by bucket; empty where nothing was ever ingested."""
    versions = history.versions()
    pinned = history.at(versions)
    accounts, found = 0, dict[tuple[str, str], list[_Span]]()
    for bucket in range(history.buckets):
        events = {stream: pinned.read(stream, bucket, ["account_id", "occurred_at", "source"]) for stream in versions}
        accounts += len(
            set().union(*(table["account_id"].chunk(0).dictionary.to_pylist() for table in events.values()))
        )
        for stream, table in events.items():
            for source, span in _spans(table):
                found.setdefault((stream, source), []).append(span)
    refused = quarantine.counts(history)
    keys = sorted(found.keys() | refused.keys())
    return HistoryStatus(
        accounts, versions, tuple(_source_status(*key, found.get(key, []), refused.get(key, {})) for key in keys)
    )


@dataclass(frozen=True)
class _Span:
    """The events of one source in one bucket; times in UTC microseconds."""

    rows: int
    accounts: int
    oldest: int
    newest: int


def _spans(events: pa.Table) -> Iterator[tuple[str, _Span]]:
    sources, accounts = events["source"].chunk(0), events["account_id"].chunk(0).indices.to_numpy()
    times, codes = events["occurred_at"].cast(pa.int64()).to_numpy(), sources.indices.to_numpy()
    for code, source in enumerate(sources.dictionary.to_pylist()):
        of_source = codes == code
        distinct = np.count_nonzero(np.bincount(accounts[of_source]))
        moments = times[of_source]
        yield source, _Span(len(moments), int(distinct), int(moments.min()), int(moments.max()))


def _source_status(stream: str, source: str, spans: Sequence[_Span], refused: Mapping[str, int]) -> SourceStatus:
    rows, accounts = sum(span.rows for span in spans), sum(span.accounts for span in spans)
    oldest = moment(min(span.oldest for span in spans)) if spans else None
    newest = moment(max(span.newest for span in spans)) if spans else None
    return SourceStatus(stream, source, rows, accounts, oldest, newest, refused)
