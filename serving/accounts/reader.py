"""Accounts at hand: their state from the operational database, and what was posted since, as rows of features or of events."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from features.arrays import Array
from features.engine.account_state import CompactError, State, numbered
from features.engine.events import Events, StreamEvents, in_time_order
from features.engine.plan import FeatureSet
from features.engine.state_packing import Layout, layout_of, pack_state
from features.engine.table import build_feature_row, one_row
from features.history.streams import STREAMS
from features.timestamps import microseconds, moment
from serving.database.engine import DatabaseUnavailable
from serving.database.lookups import Lookups
from serving.observability.metrics import stage

Row = dict[str, Any]

FEW_POSTED = 100
"""So many posted rows of an account are read and sorted in about a millisecond."""
_TIMES = {name: [one.name for one in numbered(stream) if one.type == "time"] for name, stream in STREAMS.items()}


@dataclass(frozen=True)
class KnownAccount:
    """One account: its state, and the events that were posted and are not in it yet. Either may be missing, not both."""

    account_id: str
    state: State | None
    posted: Mapping[str, Sequence[Row]]
    """By stream, as `State.events` gives rows."""

    @cached_property
    def first_known(self) -> datetime:
        """When the account was first heard of."""
        heard: list[datetime] = [row["known_at"] for rows in self.posted.values() for row in rows]
        return min([*heard, moment(self.state.first_known)] if self.state else heard)

    def events(self, stream: str) -> list[Row]:
        """All rows of one stream in time order: every column but account_id and `source`, which is None of posted ones.

        Times are aware datetimes, numbers floats; what is missing is None.
        """
        rows = self.state.events(stream) if self.state else []
        posted = self.posted.get(stream, ())
        return in_time_order(STREAMS[stream], [*rows, *posted]) if posted else rows

    def row(self, features: FeatureSet, layout: Layout, as_of: datetime) -> Array:
        """The account's features, shape (len(features),): bit for bit the feature table's row, if it is known by as_of."""
        if self.state and not self.posted:
            return one_row(pack_state(self.state, layout), features.plan.program, as_of)
        found = {name: self._stream(name, columns) for name, columns in features.plan.streams.items()}
        streams = {name: events for name, events in found.items() if events}
        first_known = np.array([microseconds(self.first_known)], np.int64)
        return build_feature_row(Events(pa.array([self.account_id]), first_known, streams), as_of, features)

    def _stream(self, name: str, columns: Collection[str]) -> StreamEvents | None:
        """One stream's events with these columns, posted ones included."""
        stored = self.state.stream(name, columns) if self.state else None
        posted = self.posted.get(name)
        if not posted:
            return stored
        if stored and stored.occurred_at[-1] < min(microseconds(row["occurred_at"]) for row in posted):
            return stored.followed_by(Events.from_rows({name: posted}).streams[name])
        # Among older ones the order of events of the same moment hangs on all that they say.
        return Events.from_rows({name: self.events(name)}).streams[name]


class AccountReader:
    """Single accounts as the operational database has them at the moment of asking. Safe to use from several threads.

    Whatever is asked, DatabaseUnavailable says that the database cannot answer, or that what it holds is damaged.
    """

    def __init__(self, engine: sa.Engine, features: FeatureSet) -> None:
        self.features = features
        self.lookups = Lookups(engine)

    def with_features(self, features: FeatureSet) -> "AccountReader":
        """The same accounts, and the same connections, for other features."""
        other = AccountReader(self.lookups.engine, features)
        other.lookups = self.lookups
        return other

    @property
    def is_local(self) -> bool:
        """Whether the database is a file of this machine: asking it takes less than handing the question to a thread."""
        return self.lookups.engine.dialect.name == "sqlite"

    def has_few_posted(self, account_ids: Sequence[str]) -> bool:
        """Whether what was posted of each of these accounts is soon read: thousands of rows take as long as thousands of scores."""
        asked = "select 1 from event_inbox where account_id = ? limit 1 offset ?"
        return not any(self.lookups.rows(asked, (account, FEW_POSTED)) for account in account_ids)

    def is_empty(self) -> bool:
        """Whether no account has a state: none was ever built."""
        return not self.lookups.rows("select 1 from account_states limit 1", ())

    def warm_up(self) -> None:
        """Compute the features of some stored account: the compiler takes half a minute when it first reads a state."""
        found = self.lookups.rows("select account_id from account_states limit 1", ())
        for account in self.known([account_id for (account_id,) in found]).values():
            account.row(self.features, self._layout, account.first_known)

    def rows(self, account_ids: Sequence[str], as_of: datetime) -> list[Array | None]:
        """The features of each account, shape (len(features),): bit for bit the feature table's row. None if not known by as_of."""
        with stage("lookup"):
            known, latest = self.known(account_ids), microseconds(as_of)
        found = map(known.get, account_ids)
        with stage("features"):
            return [
                account.row(self.features, self._layout, as_of)
                if account and microseconds(account.first_known) <= latest
                else None
                for account in found
            ]

    def known(self, account_ids: Sequence[str]) -> dict[str, KnownAccount]:
        """Those of the accounts that are known, by id: all from one state of the database."""
        # No account is called so, and PostgreSQL refuses to be asked for it.
        asked = [account for account in dict.fromkeys(account_ids) if "\0" not in account]
        if not asked:
            return {}
        states: dict[str, State | None] = {}
        inbox: dict[str, list[tuple[str, str, str]]] = {}
        for account, state, stream, event_id, row, _ in self.lookups.rows(*self._question(asked)):
            if stream is None:
                states[account] = _state(state)
            else:
                inbox.setdefault(account, []).append((stream, event_id, row))
        return {
            account: KnownAccount(account, states.get(account), _posted(inbox.get(account, ()), states.get(account)))
            for account in asked
            if account in states or account in inbox
        }

    def _question(self, asked: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
        """The statement that finds states and posted events of these accounts, and its parameters."""
        if len(asked) == 1:
            return (_ONE if self.is_local else _ONE_OF_SERVER), (asked[0], asked[0])
        if self.is_local:
            return _MANY, (json.dumps(asked),) * 2
        return _MANY_OF_SERVER, (list(asked),) * 2

    @cached_property
    def _layout(self) -> Layout:
        return layout_of(self.features.plan)


def _statement(those: str) -> str:
    return f"""select account_id, state, null as stream, null as event_id, null as "row", 0 as position
        from account_states where account_id {those}
        union all select account_id, null, stream, event_id, "row", position from event_inbox where account_id {those}
        order by position"""  # noqa: S608  ours alone


_ONE, _MANY = _statement("= ?"), _statement("in (select value from json_each(?))")
_ONE_OF_SERVER, _MANY_OF_SERVER = _statement("= %s"), _statement("= any(%s::text[])")


def _state(state: bytes) -> State:
    try:
        return State(state)
    except CompactError as error:
        # Without the account: what is unavailable is told in the log, which names nobody.
        raise DatabaseUnavailable(f"account_states holds {error}") from error


def _posted(inbox: Sequence[tuple[str, str, str]], state: State | None) -> dict[str, list[Row]]:
    """Posted rows by stream, without those that the state has already."""
    stored = {stream: state.event_ids(stream) if state else set() for stream, _, _ in inbox}
    posted: dict[str, list[Row]] = {}
    for stream, event_id, row in inbox:
        if event_id not in stored[stream]:
            posted.setdefault(stream, []).append(_read(stream, event_id, json.loads(row)))
    return posted


def _read(stream: str, event_id: str, told: Mapping[str, Any]) -> Row:
    """A posted row as a state gives its rows."""
    row: Row = {column.name: told.get(column.name) for column in numbered(STREAMS[stream])} | {"event_id": event_id}
    return row | {name: datetime.fromisoformat(row[name]) for name in _TIMES[stream] if row[name] is not None}
