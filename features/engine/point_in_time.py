"""Features of chosen accounts, each as of a moment of its own: a table of every account at every moment would be too large.

An experiment assigns its accounts one by one, over months. The rows are bit for bit those of `features.engine.table`.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from features.arrays import Array
from features.definitions import Feature
from features.engine import kernel
from features.engine.events import Events
from features.engine.packing import Packed, pack
from features.engine.plan import FeatureSet, Program
from features.timestamps import microseconds

if TYPE_CHECKING:
    from features.history.store import History


def build_feature_rows(
    history: "History", pairs: pd.MultiIndex, features: Iterable[Feature], *, leak_until: datetime | None = None
) -> pd.DataFrame:
    """One row per pair (account_id, as_of in UTC), in their order; float64 columns in the order of `features`.

    A pair is left out if the account was not known by its as_of. ValueError if a pair occurs twice. `leak_until` is for
    labels alone: rows then see what became known up to that moment, after their as_of; no as_of may lie after it.
    """
    if not pairs.is_unique:
        raise ValueError(f"the pair {pairs[pairs.duplicated()][0]} occurs twice; ask for each once")
    wanted, moments = FeatureSet.of(features), _microseconds(pairs)
    until = None if leak_until is None else microseconds(leak_until)
    if until is not None and (moments > until).any():
        raise ValueError(f"leak_until {leak_until} lies before an as_of; labels are known only after their horizon")
    out, known = np.empty((len(pairs), len(wanted))), np.zeros(len(pairs), dtype=np.bool_)
    ids = pairs.get_level_values(0).to_numpy()
    pinned = history.at(history.versions())
    buckets = np.array([pinned.bucket_of(str(account)) for account in ids], dtype=np.int64)
    for bucket in np.unique(buckets):
        places = np.flatnonzero(buckets == bucket)
        events = Events.from_history(pinned, int(bucket), wanted.plan.streams)
        known[places] = _fill(events, wanted, ids[places], moments[places], until, places, out)
    names = pd.Index(wanted.names)
    return pd.DataFrame(out[known], index=pairs[known].set_names(["account_id", "as_of"]), columns=names)


def _fill(
    events: Events, features: FeatureSet, ids: Array, moments: Array, until: int | None, places: Array, out: Array
) -> Array:
    """Fill the rows of one bucket's accounts; which of them were known."""
    packed, program = pack(events, features.plan), features.plan.program
    position = {account_id: place for place, account_id in enumerate(events.accounts.to_pylist())}
    row_accounts = np.array([position.get(account, -1) for account in ids], dtype=np.int64)
    known = row_accounts >= 0
    known[known] = events.first_known[row_accounts[known]] <= moments[known]
    for account in np.unique(row_accounts[known]):
        rows = np.flatnonzero(known & (row_accounts == account))
        rows = rows[np.argsort(moments[rows])]
        _fill_account(packed, program, account, moments[rows], until, places[rows], out)
    return np.asarray(known)


def _fill_account(
    packed: Packed, program: Program, account: int, as_of: Array, until: int | None, rows: Array, out: Array
) -> None:
    alone = packed._replace(offsets=np.ascontiguousarray(packed.offsets[:, account : account + 2]))
    visible = as_of if until is None else np.full_like(as_of, until)
    kernel.fill(0, 1, alone, program, as_of, visible, rows.astype(np.int64), out)


def _microseconds(pairs: pd.MultiIndex) -> Array:
    moments = pd.DatetimeIndex(pairs.get_level_values(1))
    if moments.tz is None:
        raise ValueError("the moments of the pairs have no timezone; give them in UTC")
    return moments.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]").astype(np.int64)
