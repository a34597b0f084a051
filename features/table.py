"""The only door out of the features room: one row of features per (account_id, as_of)."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from os import cpu_count
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features import kernel
from features.catalog import CATALOG
from features.definitions import Feature
from features.events import Events
from features.moments import microseconds
from features.packing import Packed, pack
from features.plan import FeatureSet, Plan

if TYPE_CHECKING:
    from features.history import History

Array = np.ndarray[Any, Any]
Progress = Callable[[int, int], None]


def build_feature_table(
    history: "History",
    as_of: datetime | Sequence[datetime],
    features: Iterable[Feature] = CATALOG,
    *,
    leak_until: datetime | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The features of every account known at each as_of.

    Grain: one row per (account_id, as_of), sorted, as a MultiIndex (str, datetime64[us, UTC]); float64
    columns in the order of `features`, NaN where a feature is absent. An account is known from the first
    known_at among its attributes and events on; it keeps its row when a stream, or all, have nothing for it.

    `leak_until` is for labels alone: rows then see what became known up to that moment, after their
    as_of. Nothing that a model is fed may be computed with it. It may not lie before the last as_of.

    `threads` (default: the cores at hand) and the number of buckets do not change a bit of the result.
    `progress(done, total)` is called after each bucket.
    """
    wanted = FeatureSet.of(features)
    dates = _dates(as_of)
    visible_until = dates if leak_until is None else np.full_like(dates, microseconds(leak_until))
    if (visible_until < dates).any():
        raise ValueError(f"leak_until {leak_until} lies before an as_of; labels are known only after their horizon")
    pinned = history.at(history.versions())
    parts = _each_bucket(pinned, wanted.plan, dates, visible_until, threads or cpu_count() or 1, progress)
    return _assemble(parts, dates, wanted.names)


def build_feature_row(events: Events, as_of: datetime, features: Iterable[Feature] = CATALOG) -> Array:
    """The features of one account, in their order, shape (len(features),): bit for bit the table's row."""
    dates = _dates(as_of)
    row: Array = compute(events, FeatureSet.of(features).plan, dates, dates)[0]
    return row


def compute(events: Events, plan: Plan, as_of: Array, visible_until: Array, threads: int = 1) -> Array:
    """The kernel over some accounts: shape (accounts × dates, features), account after account.

    as_of and visible_until are UTC µs, as_of ascending. With several threads the accounts are shared out
    in ranges of about equal numbers of events; with one, nothing but the kernel itself runs.
    """
    packed = pack(events, plan)
    out = np.empty((len(events.accounts) * as_of.size, plan.columns.size), dtype=np.float64)
    ranges = _account_ranges(packed, len(events.accounts), threads)
    if len(ranges) == 1:
        fill_rows(ranges[0], packed, plan, as_of, visible_until, out)
        return out
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda one: fill_rows(one, packed, plan, as_of, visible_until, out), ranges))
    return out


def fill_rows(
    accounts: tuple[int, int], packed: Packed, plan: Plan, as_of: Array, visible_until: Array, out: Array
) -> None:
    """Hand packed events to the kernel: the rows of accounts [first, last) are written into `out`, nobody else's."""
    kernel.fill(
        *accounts, packed.moments, packed.known, packed.values, packed.offsets, packed.codes,
        as_of, visible_until, plan.edges, plan.selection_edges, plan.selection_requests,
        plan.stats, plan.windows, plan.restarts, plan.parameters, plan.empty,
        plan.formulas, plan.slots, plan.columns, out,
    )  # fmt: skip


def _account_ranges(packed: Packed, accounts: int, threads: int) -> list[tuple[int, int]]:
    """Ranges of accounts with about the same number of selected events each."""
    if threads <= 1 or accounts <= 1:
        return [(0, accounts)]
    events_before = (packed.offsets - packed.offsets[:, :1]).sum(axis=0) + np.arange(accounts + 1)
    cuts = np.searchsorted(events_before, np.linspace(0, events_before[-1], threads + 1))
    bounds = np.unique(np.concatenate([[0], cuts, [accounts]])).tolist()
    return list(itertools.pairwise(bounds))


def _dates(as_of: datetime | Sequence[datetime]) -> Array:
    """Distinct as_of moments in UTC µs, ascending."""
    given = [as_of] if isinstance(as_of, datetime | str) else as_of
    return np.array(sorted({microseconds(one) for one in given}), dtype=np.int64)


@dataclass(frozen=True)
class _Part:
    """One bucket's rows: of `matrix`, those where `known` holds (accounts × dates)."""

    accounts: Sequence[str]
    known: Array
    matrix: Array


def _each_bucket(
    history: "History", plan: Plan, dates: Array, visible_until: Array, threads: int, progress: Progress | None
) -> list[_Part]:
    parts = []
    workers = min(threads, history.buckets)
    with ThreadPoolExecutor(workers) as pool:
        jobs = [
            pool.submit(_one_bucket, history, bucket, plan, dates, visible_until, threads // workers)
            for bucket in range(history.buckets)
        ]
        for done, job in enumerate(jobs, start=1):
            parts.append(job.result())
            if progress:
                progress(done, len(jobs))
    return parts


def _one_bucket(history: "History", bucket: int, plan: Plan, dates: Array, visible_until: Array, threads: int) -> _Part:
    events = Events.from_history(history, bucket, plan.streams)
    known = events.first_known[:, None] <= dates[None, :]
    matrix = compute(events, plan, dates, visible_until, threads)
    return _Part(events.accounts, known, matrix if known.all() else matrix[known.ravel()])


def _assemble(parts: list[_Part], dates: Array, names: list[str]) -> pd.DataFrame:
    """One frame in account order. Each bucket's matrix is let go as soon as it is copied."""
    accounts = pa.array([account for part in parts for account in part.accounts], type=pa.string())
    rank = np.empty(len(accounts), dtype=np.int64)
    order = pc.sort_indices(accounts).to_numpy()
    rank[order] = np.arange(len(accounts))
    known = np.concatenate([part.known for part in parts]) if parts else np.empty((0, dates.size), dtype=np.bool_)
    row_of = np.cumsum(known[order].ravel()).reshape(known.shape) - 1
    matrix = np.empty((int(known.sum()), len(names)), dtype=np.float64)
    begin = 0
    while parts:
        part = parts.pop(0)
        own = slice(begin, begin + len(part.accounts))
        matrix[row_of[rank[own]][part.known]] = part.matrix
        begin = own.stop
    index = _index(accounts.take(pa.array(order)), known[order], dates)
    return pd.DataFrame(matrix, index=index, columns=pd.Index(names), copy=False)


def _index(accounts: pa.Array, known: Array, dates: Array) -> pd.MultiIndex:
    account, date = np.nonzero(known)
    levels: list[Any] = [
        pd.Index(accounts.to_pandas(), dtype="str"),
        pd.DatetimeIndex(dates.astype("datetime64[us]"), tz="UTC"),
    ]
    codes: list[Any] = [account, date]
    return pd.MultiIndex(levels=levels, codes=codes, names=["account_id", "as_of"], verify_integrity=False)
