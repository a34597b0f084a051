"""Dimensions that divide a company's accounts: region, industry, owner, and labels that a caller gives (tier)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.engine.compilation import compiled
from features.history.attributes import attributes_of_bucket
from features.history.store import History

ALL = "all"
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Division:
    """One dimension: its members in order, and the member of each account that has one, bucket by bucket.

    Of attributes the accounts are those of the bucket; labels of the caller are not split by bucket and are looked up account by account.
    """

    dimension: str
    members: tuple[str, ...]
    words: Sequence[tuple[pa.Array, pa.Array]] | Mapping[str, str]

    @classmethod
    def of_attribute(cls, dimension: str, words: Sequence[tuple[pa.Array, pa.Array]]) -> "Division":
        """Of the accounts of each bucket, and the word for each."""
        members = pc.unique(pa.chunked_array([bucket_words for _, bucket_words in words], pa.string()))
        return cls(dimension, tuple(sorted(set(members.drop_null().to_pylist()) - {NOT_RECORDED})), words)

    @classmethod
    def of_labels(cls, dimension: str, words: Mapping[str, str]) -> "Division":
        return cls(dimension, tuple(sorted(set(words.values()) - {NOT_RECORDED})), words)

    def codes(self, bucket: int, accounts: pa.Array) -> Array:
        """The place of each account's member; of one that has none, the place behind the last."""
        members = pa.array(self.members, pa.string())
        places = pc.index_in(self._words(bucket, accounts), value_set=members, skip_nulls=True)
        codes: Array = places.fill_null(len(self.members)).to_numpy(zero_copy_only=False)
        return codes.astype(np.int64)

    def _words(self, bucket: int, accounts: pa.Array) -> pa.Array:
        if isinstance(self.words, Mapping):
            return pa.array([self.words.get(account) for account in accounts.to_pylist()], pa.string())
        known, words = self.words[bucket]
        return words.take(pc.index_in(accounts, value_set=known))


@dataclass(frozen=True)
class Divisions:
    """All dimensions side by side: every (dimension, member) is a group, the whole company the first of them."""

    divisions: tuple[Division, ...]

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        named = (
            (division.dimension, member) for division in self.divisions for member in (*division.members, NOT_RECORDED)
        )
        return ((ALL, ALL), *named)

    def codes(self, bucket: int, accounts: pa.Array) -> Array:
        """The groups that each account of a bucket belongs to: (accounts, 1 + dimensions), the company always the first."""
        columns = [np.zeros(len(accounts), dtype=np.int64)]
        begin = 1
        for division in self.divisions:
            columns.append(begin + division.codes(bucket, accounts))
            begin += len(division.members) + 1
        return np.column_stack(columns)


def divided(
    history: History, as_of: datetime, by: Sequence[str], labels: Mapping[str, Mapping[str, str]] | None = None
) -> Divisions:
    """By attributes as they were known at as_of, then by the labels of the caller: for each dimension the member of each account."""
    parts = [attributes_of_bucket(history, bucket, as_of, by) for bucket in range(history.buckets)] if by else []
    attributes = (Division.of_attribute(name, [_column(part, name) for part in parts]) for name in by)
    return Divisions((*attributes, *(Division.of_labels(name, words) for name, words in (labels or {}).items())))


def _column(attributes: pa.Table, name: str) -> tuple[pa.Array, pa.Array]:
    ids, words = (attributes[column].cast(pa.string()).combine_chunks() for column in ("account_id", name))
    return ids, words


@compiled
def add_up(values: Array, groups: Array, out: Array) -> None:
    """Add each account's values, (rows, accounts), to all the groups that it belongs to: out (groups, rows)."""
    for row in range(values.shape[0]):
        for account in range(values.shape[1]):
            value = values[row, account]
            if value != 0.0:
                for division in range(groups.shape[1]):
                    out[groups[account, division], row] += value
