"""What a company's accounts are divided by: region, industry, owner, and what a caller says of them (tier)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.history import History
from features.layout import compiled

Array = np.ndarray[Any, Any]

ALL = "all"
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Division:
    """One dimension: its members, and the member that each account it knows belongs to (a code, −1 for none)."""

    dimension: str
    members: tuple[str, ...]
    accounts: pa.Array
    codes: Array

    @classmethod
    def of(cls, dimension: str, accounts: pa.Array, words: pa.Array) -> "Division":
        """Of the word for each account; accounts without one have no member."""
        members = sorted(pc.unique(words.drop_null()).to_pylist())
        codes = pc.index_in(words, value_set=pa.array(members, pa.string()), skip_nulls=True).fill_null(-1)
        return cls(dimension, tuple(members), accounts, codes.to_numpy(zero_copy_only=False).astype(np.int64))


@dataclass(frozen=True)
class Divisions:
    """All dimensions side by side: every (dimension, member) is a group, the whole company the first of them."""

    divisions: tuple[Division, ...]

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        named = ((one.dimension, member) for one in self.divisions for member in (*one.members, NOT_RECORDED))
        return ((ALL, ALL), *named)

    def codes(self, accounts: pa.Array) -> Array:
        """The groups that each account belongs to: (accounts, 1 + dimensions), the company always the first."""
        columns = [np.zeros(len(accounts), dtype=np.int64)]
        begin = 1
        for one in self.divisions:
            place = pc.index_in(accounts, value_set=one.accounts).to_numpy(zero_copy_only=False)
            known = np.append(one.codes, -1)[np.nan_to_num(place, nan=-1).astype(np.int64)]
            columns.append(begin + np.where(known < 0, len(one.members), known))
            begin += len(one.members) + 1
        return np.column_stack(columns)


def divided(
    history: History, as_of: datetime, by: Sequence[str], given: Mapping[str, Mapping[str, str]] | None = None
) -> Divisions:
    """By attributes as they were known at as_of, then by what is given: for each dimension the member of each account."""
    parts = [_attributes(history, bucket, as_of, by) for bucket in range(history.buckets)] if by else []
    accounts = pa.chunked_array([ids for ids, _ in parts], pa.string()).combine_chunks()
    found = [
        Division.of(name, accounts, pa.chunked_array([words[name] for _, words in parts], pa.string()).combine_chunks())
        for name in by
    ]
    for name, members in (given or {}).items():
        found.append(Division.of(name, pa.array(members.keys(), pa.string()), pa.array(members.values(), pa.string())))
    return Divisions(tuple(found))


def _attributes(
    history: History, bucket: int, as_of: datetime, columns: Sequence[str]
) -> tuple[pa.Array, dict[str, pa.Array]]:
    """The accounts of a bucket that have attributes, and the newest word of each column; null where there is none."""
    rows = history.read("accounts", bucket, ["account_id", "known_at", "occurred_at", *columns])
    rows = rows.filter(pc.and_(pc.less_equal(rows["known_at"], as_of), pc.less_equal(rows["occurred_at"], as_of)))
    order = [("account_id", "ascending"), ("occurred_at", "ascending"), ("known_at", "ascending")]
    # Rows of an account stand together already, and text would be compared letter by letter.
    plain = rows.set_column(0, "account_id", rows["account_id"].combine_chunks().indices)
    rows = rows.take(pc.sort_indices(plain, sort_keys=order)).combine_chunks()
    codes = rows["account_id"].combine_chunks().indices.to_numpy(zero_copy_only=False)
    firsts = np.flatnonzero(np.diff(codes, prepend=-1))
    accounts = rows["account_id"].take(pa.array(firsts)).cast(pa.string()).combine_chunks()
    return accounts, {name: _newest(rows[name], firsts) for name in columns}


def _newest(column: pa.ChunkedArray, firsts: Array) -> pa.Array:
    """Of each account the last value that is there."""
    if not len(firsts):
        return pa.array([], pa.string())
    there = column.is_valid().to_numpy(zero_copy_only=False)
    last = np.maximum.reduceat(np.where(there, np.arange(len(there)), -1), firsts)
    place = pa.array(last, mask=last < firsts)
    return column.take(place).cast(pa.string()).combine_chunks()


@compiled
def add_up(values: Array, groups: Array, out: Array) -> None:
    """Add each account's values, (accounts, columns), to all the groups it belongs to: out (groups, columns)."""
    for account in range(values.shape[0]):
        for column in range(values.shape[1]):
            value = values[account, column]
            if value != 0.0:
                for group in groups[account]:
                    out[group, column] += value
