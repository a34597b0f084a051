"""The history at hand: one account's features in microseconds, from buckets kept ready in memory."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from features.history import History
from features.plan import FeatureSet
from features.prepared import PreparedBucket

Array = np.ndarray[Any, Any]


class Accounts:
    """Feature rows of single accounts at one version of the history.

    A bucket is read when one of its accounts is first asked for, and kept while all that are kept need no more than
    `cache_bytes`; the one used longest ago goes first. Safe to use from several threads.
    """

    def __init__(self, history: History, features: FeatureSet, cache_bytes: int) -> None:
        self.history = history
        self.features = features
        self.cache_bytes = cache_bytes
        self._buckets: OrderedDict[int, PreparedBucket] = OrderedDict()
        self._changing = threading.Lock()
        self._reading = threading.Lock()

    @property
    def has_history(self) -> bool:
        """Whether anything was ever ingested; without, no account can be known."""
        return bool(self.history.versions())

    def row(self, account_id: str, as_of: datetime) -> Array | None:
        """The account's features, shape (len(features),): bit for bit the feature table's row. None if not known by as_of."""
        return self._bucket(self.history.bucket_of(account_id)).row(account_id, as_of)

    def rows(self, account_ids: Sequence[str], as_of: datetime) -> list[Array | None]:
        """The row of each account, as `row`."""
        return [self.row(account, as_of) for account in account_ids]

    def is_at_hand(self, account_id: str) -> bool:
        """Whether a row can be had without reading the history."""
        return self.history.bucket_of(account_id) in self._buckets

    def buckets_at_hand(self) -> list[int]:
        """The buckets kept in memory, the one used longest ago first."""
        with self._changing:
            return list(self._buckets)

    def read_ahead(self, buckets: Iterable[int]) -> None:
        """Read these buckets before anybody asks for them, as many as may be kept."""
        for number in buckets:
            if self._bytes_kept() >= self.cache_bytes:
                return
            self._bucket(number)

    def _bucket(self, number: int) -> PreparedBucket:
        if found := self._kept(number):
            return found
        with self._reading:
            if found := self._kept(number):
                return found
            read = PreparedBucket.read(self.history, number, self.features)
            with self._changing:
                self._buckets[number] = read
                self._let_go()
            return read

    def _kept(self, number: int) -> PreparedBucket | None:
        with self._changing:
            if number in self._buckets:
                self._buckets.move_to_end(number)
            return self._buckets.get(number)

    def _let_go(self) -> None:
        while len(self._buckets) > 1 and self._bytes_kept() > self.cache_bytes:
            self._buckets.popitem(last=False)

    def _bytes_kept(self) -> int:
        return sum(bucket.size for bucket in list(self._buckets.values()))
