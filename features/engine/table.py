"""The feature table: one row of features per (account_id, as_of)."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from os import cpu_count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.definitions import Feature
from features.engine import kernel
from features.engine.events import Events, KnownAccounts
from features.engine.packing import Packed, pack
from features.engine.plan import FeatureSet, Program
from features.progress import Progress
from features.timestamps import microseconds

if TYPE_CHECKING:
    from features.history.store import History


def build_feature_table(
    history: "History",
    as_of: datetime | Sequence[datetime],
    features: Iterable[Feature],
    *,
    leak_until: datetime | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The features of every account known at each as_of.

    Grain: one row per (account_id, as_of), sorted, as a MultiIndex (str, datetime64[us, UTC]); float64
    columns in the order of `features`, NaN where a feature is absent. An account is known from the first
    known_at among its attributes and events on; it keeps its row when a stream, or all, have nothing for it.
    Memory: the table itself and, at any time, the events of as many buckets as there are threads.

    `leak_until` is for labels alone: rows then see everything that became known up to that moment, after their
    as_of. No input of a model may be computed with it. It may not lie before the last as_of.

    `threads` (default: the cores at hand) and the number of buckets do not change a bit of the result.
    `progress(done, total)` is called after each bucket.
    """
    wanted = FeatureSet.of(features)
    dates = _dates(as_of)
    visible_until = dates if leak_until is None else np.full_like(dates, microseconds(leak_until))
    if (visible_until < dates).any():
        raise ValueError(f"leak_until {leak_until} lies before an as_of; labels are known only after their horizon")
    pinned = history.at(history.versions())
    workers = min(threads or cpu_count() or 1, pinned.buckets)
    with ThreadPoolExecutor(workers) as pool:
        known_accounts = list(pool.map(lambda bucket: KnownAccounts.of_bucket(pinned, bucket), range(pinned.buckets)))
        blank = _Blank.of(known_accounts, dates, len(wanted))
        jobs = [
            pool.submit(_fill_bucket, pinned, bucket, wanted, dates, visible_until, blank)
            for bucket in range(pinned.buckets)
        ]
        _wait(jobs, progress)
    return blank.table(wanted.names)


def build_bucket_table(history: "History", bucket: int, as_of: datetime, features: Iterable[Feature]) -> pd.DataFrame:
    """The rows that `build_feature_table` has for the accounts of one bucket, bit for bit, in their order.

    For work that goes through the history bucket by bucket and shall hold one at a time. `history` should be pinned:
    buckets that are read one after another would otherwise not speak of the same versions. Computed in the calling thread.
    """
    wanted, dates = FeatureSet.of(features), _dates(as_of)
    events = Events.from_history(history, bucket, wanted.plan.streams)
    blank = _Blank.of([KnownAccounts(events.accounts, events.first_known)], dates, len(wanted))
    _fill(events, wanted, dates, dates, blank.rows[0], blank.matrix)
    return blank.table(wanted.names)


def build_feature_row(events: Events, as_of: datetime, features: Iterable[Feature]) -> Array:
    """The features of one account, in their order, shape (len(features),): bit for bit the table's row."""
    plan = FeatureSet.of(features).plan
    return one_row(pack(events, plan), plan.program, as_of)


def one_row(packed: Packed, program: Program, as_of: datetime) -> Array:
    """The row of the one account that is laid out."""
    dates = np.array([microseconds(as_of)], dtype=np.int64)
    out = np.empty((1, program.columns.size), dtype=np.float64)
    kernel.fill(0, 1, packed, program, dates, dates, _FIRST_ROW, out)
    row: Array = out[0]
    return row


_FIRST_ROW = np.zeros(1, dtype=np.int64)


def _dates(as_of: datetime | Sequence[datetime]) -> Array:
    """Distinct as_of moments in UTC µs, ascending."""
    moments = [as_of] if isinstance(as_of, datetime | str) else as_of
    return np.array(sorted({microseconds(moment) for moment in moments}), dtype=np.int64)


@dataclass(frozen=True)
class _Blank:
    """The table before it is filled. `rows[bucket]` names each of its accounts' rows, date by date, −1 where unknown."""

    matrix: Array
    rows: list[Array]
    index: pd.MultiIndex

    @classmethod
    def of(cls, known_accounts: Sequence[KnownAccounts], dates: Array, columns: int) -> "_Blank":
        """Rows in the order of account ids, whatever bucket they are in. Nothing is written into the matrix yet."""
        accounts = pa.chunked_array([part.accounts for part in known_accounts], type=pa.string()).combine_chunks()
        order = _order(accounts)
        known = np.concatenate([part.first_known for part in known_accounts])[order, None] <= dates[None, :]
        row_in_order = np.where(known, np.cumsum(known.ravel()).reshape(known.shape) - 1, -1)
        rows = np.empty_like(row_in_order)
        rows[order] = row_in_order
        ends = np.cumsum([len(part.accounts) for part in known_accounts])[:-1]
        return cls(
            np.empty((int(known.sum()), columns), dtype=np.float64),
            [part.ravel() for part in np.split(rows, ends)],
            _index(accounts.take(pa.array(order)), known, dates),
        )

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """The matrix with its rows and columns named; not a copy."""
        return pd.DataFrame(self.matrix, index=self.index, columns=pd.Index(names), copy=False)


def _order(accounts: pa.Array) -> Array:
    order: Array = pc.sort_indices(accounts).to_numpy()
    return order


def _fill_bucket(
    history: "History", bucket: int, features: FeatureSet, dates: Array, visible_until: Array, blank: _Blank
) -> None:
    events = Events.from_history(history, bucket, features.plan.streams)
    _fill(events, features, dates, visible_until, blank.rows[bucket], blank.matrix)


def _fill(events: Events, features: FeatureSet, dates: Array, visible_until: Array, rows: Array, matrix: Array) -> None:
    plan = features.plan
    kernel.fill(0, len(events.accounts), pack(events, plan), plan.program, dates, visible_until, rows, matrix)


def _wait(jobs: Sequence["Future[None]"], progress: Progress | None) -> None:
    """Wait until all jobs are done; the first failure is raised, and jobs that have not begun are cancelled."""
    try:
        for done, job in enumerate(as_completed(jobs), start=1):
            job.result()
            if progress:
                progress(done, len(jobs))
    finally:
        for job in jobs:
            job.cancel()


def _index(accounts: pa.Array, known: Array, dates: Array) -> pd.MultiIndex:
    account, date = np.nonzero(known)
    levels: list[Any] = [
        pd.Index(accounts.to_pandas(), dtype="str"),
        pd.DatetimeIndex(dates.astype("datetime64[us]"), tz="UTC"),
    ]
    codes: list[Any] = [account, date]
    return pd.MultiIndex(levels=levels, codes=codes, names=["account_id", "as_of"], verify_integrity=False)
