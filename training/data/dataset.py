"""Features of eligible accounts beside what happened to them next."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.arrays import Floats
from features.definitions import Feature
from features.engine.digest import digest
from features.engine.table import build_feature_table
from features.history.store import History
from features.progress import Progress
from features.timestamps import in_utc
from training.data.targets import Target


@dataclass(frozen=True)
class Dataset:
    """One row per eligible (account_id, as_of). An account appears at several as_of dates: bootstrap it whole."""

    features: tuple[str, ...]
    matrix: Floats
    """(n, len(features)); NaN is absent."""
    labels: Floats
    """1.0 happened, 0.0 did not, (n,); NaN in a dataset without labels."""
    account_id: NDArray[np.object_]
    account: NDArray[np.int64]
    """A number for each account_id: the unit of the bootstrap."""
    as_of: NDArray[np.datetime64]
    """UTC, microseconds."""
    half_life_days: float | None = None
    """After so long a row counts half as much in what is learnt; None: all alike."""

    def __len__(self) -> int:
        return len(self.matrix)

    @property
    def rarer_accounts(self) -> int:
        """How many different accounts show the rarer of the two labels: what a model can really learn from."""
        return rarer_accounts(self.labels, self.account)

    @property
    def weights(self) -> Floats:
        """How much each row counts in a fit, (n,): 1 at the newest date, half of it a half-life earlier."""
        if self.half_life_days is None or not len(self):
            return np.ones(len(self))
        age = (self.as_of.max() - self.as_of) / np.timedelta64(1, "D")
        return np.asarray(2.0 ** (-age / self.half_life_days))

    def at(self, dates: Collection[datetime]) -> "Dataset":
        """The rows of these as_of dates."""
        wanted = np.isin(self.as_of, [naive_utc(date) for date in dates])
        return Dataset(
            self.features,
            self.matrix[wanted],
            self.labels[wanted],
            self.account_id[wanted],
            self.account[wanted],
            self.as_of[wanted],
            self.half_life_days,
        )

    def only(self, names: Sequence[str]) -> "Dataset":
        """The same rows with these features alone, in this order; ValueError if one is not there."""
        return replace(self, features=tuple(names), matrix=self.columns(names))

    def columns(self, names: Sequence[str]) -> Floats:
        """The matrix of these features, in this order; ValueError if one is not there."""
        return self.matrix[:, [self.features.index(name) for name in names]]


def rarer_accounts(labels: Floats, accounts: NDArray[Any]) -> int:
    """How many different accounts show the rarer of the two labels."""
    churned = labels == 1.0
    return min(len(np.unique(accounts[churned])), len(np.unique(accounts[~churned])))


def digest_of(data: Dataset) -> str:
    """The digest of `eligible_table`, had it been kept: see `features.engine.digest`."""
    return digest(data.features, data.account_id, data.as_of.astype(np.int64), data.matrix)


def naive_utc(moment: datetime) -> np.datetime64:
    """An aware moment the way numpy holds it."""
    return np.datetime64(in_utc(moment).replace(tzinfo=None), "us")


def labelled(
    history: History,
    target: Target,
    dates: Sequence[datetime],
    features: Sequence[Feature],
    known_by: datetime,
    progress: Progress | None = None,
    half_life_days: float | None = None,
) -> Dataset:
    """Features as of each date, and labels from horizons that had closed by `known_by` (HorizonOpen if one had not).

    Every eligible account has a label then; ValueError if one has not.
    """
    churned = target.labels(history, dates, known_by)
    table = eligible_table(history, target, dates, features, progress)
    labels = np.asarray(churned.reindex(table.index), dtype=np.float64)
    _refuse_missing(labels, table.index, target)
    return replace(_dataset(table, features, labels), half_life_days=half_life_days)


def unlabelled(
    history: History,
    target: Target,
    as_of: datetime,
    features: Sequence[Feature],
    progress: Progress | None = None,
) -> Dataset:
    """Features of the population that would be scored at as_of; the labels are NaN."""
    table = eligible_table(history, target, [as_of], features, progress)
    return _dataset(table, features, np.full(len(table), np.nan))


def _refuse_missing(labels: Floats, index: pd.Index, target: Target) -> None:
    missing = np.flatnonzero(np.isnan(labels))
    if len(missing):
        account, as_of = index[missing[0]]
        raise ValueError(
            f"target '{target.name}': {len(missing)} of {len(labels)} eligible accounts have no label though the horizon has "
            f"closed, for example '{account}' at {as_of.isoformat()}; the target must label every account that is eligible"
        )


def eligible_table(
    history: History,
    target: Target,
    dates: Sequence[datetime],
    features: Sequence[Feature],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """The feature table of eligible accounts, one date after another so that the ineligible never pile up.

    With the versions, dates and features of a card it is the table that the model's run learnt from, bit for bit.
    """
    needed = tuple({feature.name: feature for feature in (*features, *target.population.features)}.values())
    names = [feature.name for feature in features]
    parts = []
    for done, date in enumerate(dates):
        table = build_feature_table(history, date, needed)
        parts.append(table.loc[target.population.eligible(table), names])
        if progress:
            progress(done + 1, len(dates))
    return pd.concat(parts)


def _dataset(table: pd.DataFrame, features: Sequence[Feature], labels: Floats) -> Dataset:
    account_id = table.index.get_level_values("account_id")
    codes, _ = pd.factorize(account_id)
    as_of = pd.DatetimeIndex(table.index.get_level_values("as_of")).tz_convert("UTC").tz_localize(None)
    return Dataset(
        tuple(feature.name for feature in features),
        table.to_numpy(dtype=np.float64),
        labels,
        account_id.to_numpy(dtype=object),
        codes.astype(np.int64),
        as_of.to_numpy().astype("datetime64[us]"),
    )
