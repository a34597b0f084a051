"""Leak probes: rows in the future of accounts that no feature may notice, and the same rows where features must see them.

Probes are made for features, not at random: for every aggregate in a definition there are rows that pass its
conditions, have its value and lie in its window, so that a feature that looks too far cannot miss them. Their values are
taken from the account's own rows and from those of other accounts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from features.definitions import Aggregate, Bound, Condition, Definition, Derived, Feature, OneOf, Product, Weights
from features.history.streams import STREAMS, Column
from features.timestamps import microseconds

EDGE = timedelta(microseconds=1)
"""As little after as_of as there is."""

ATTRIBUTES = ("accounts", "contacts", "contracts")
"""Streams of states: a row known later must not change the state as it was known before."""

NEWCOMERS = 5
NEW_WORDS = 20
AROUND_DAYS = 400.0
LATEST_DAYS = 60.0
LONGEST_DAYS = 100_000.0
"""A window of more days is taken for one without an end: Python knows no moments before the year 1."""
SOON_DAYS = 1 / 24
"""All probes but those at the edges keep this far from as_of, so that each kind catches a mistake of its own."""

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""By stream, rows with account_id, occurred_at, known_at and the stream's own columns."""


@dataclass(frozen=True)
class LeakProbe:
    """Rows that must move no feature; `visible` are the same rows, moved to where they must be seen."""

    name: str
    hidden: Rows
    visible: Rows
    """Empty where no row can be seen."""
    at_as_of: Rows = field(default_factory=dict)
    """For the edge: the rows at as_of itself, the last moment that must be seen."""

    @property
    def rows(self) -> int:
        """How many rows are hidden."""
        return sum(map(len, self.hidden.values()))


@dataclass(frozen=True)
class Sample:
    """Some accounts with all their rows, those of the future too: by stream, as stored."""

    accounts: Sequence[str]
    rows: Mapping[str, pa.Table]

    @cached_property
    def by_account(self) -> Mapping[tuple[str, str], Sequence[Row]]:
        """Each account's rows by (stream, account_id)."""
        rows: dict[tuple[str, str], list[Row]] = {}
        for stream, table in self.rows.items():
            for row in table.to_pylist():
                rows.setdefault((stream, row["account_id"]), []).append(row)
        return rows

    @cached_property
    def values(self) -> Mapping[tuple[str, str], Sequence[Any]]:
        """The different values of each column of each stream."""
        return {
            (stream, column.name): table[column.name].drop_null().unique().to_pylist()
            for stream, table in self.rows.items()
            for column in STREAMS[stream].own_columns
        }


def leak_probes(sample: Sample, features: Iterable[Feature], as_of: datetime, seed: int) -> tuple[LeakProbe, ...]:
    """Every kind of probe for these accounts; the same seed makes the same rows."""
    maker = _RowMaker(sample, as_of, np.random.default_rng(seed))
    definitions = [feature.definition for feature in features]
    aggregates = tuple(
        dict.fromkeys(aggregate for definition in definitions for aggregate in aggregates_of(definition))
    )
    events = list(maker.rows(sample.accounts, aggregates))
    attributes = list(maker.attributes(sample.accounts))
    newcomers = [f"{name} (newcomer of the audit)" for name in sample.accounts[:NEWCOMERS]]
    edges = as_of + EDGE, as_of - EDGE, as_of
    return (
        LeakProbe("known late", maker.known_late(events), _as_it_occurred(events)),
        LeakProbe("at the edge", *(_all_at(events, moment) for moment in edges)),
        LeakProbe("known at the edge", *(_known_at(events, moment) for moment in edges)),
        LeakProbe("in the future", maker.in_future(events), _as_it_occurred(events)),
        LeakProbe("attributes known later", maker.known_late(attributes), _as_it_occurred(attributes)),
        LeakProbe("accounts first heard of later", maker.known_late(list(maker.rows(newcomers, aggregates))), {}),
    )


def aggregates_of(definition: Definition) -> Iterator[Aggregate]:
    """The aggregates that a definition rests on."""
    if isinstance(definition, Aggregate):
        yield definition
    elif isinstance(definition, Derived):
        yield from aggregates_of(definition.first)
        yield from aggregates_of(definition.second)


StreamRows = Sequence[tuple[str, Row]]
"""Rows with the stream each belongs to."""


def _by_stream(rows: StreamRows) -> Rows:
    by_stream: dict[str, list[Row]] = {}
    for stream, row in rows:
        by_stream.setdefault(stream, []).append(row)
    return by_stream


def _as_it_occurred(rows: StreamRows) -> Rows:
    return _by_stream([(stream, row | {"known_at": row["occurred_at"]}) for stream, row in rows])


def _all_at(rows: StreamRows, moment: datetime) -> Rows:
    return _by_stream([(stream, row | {"occurred_at": moment, "known_at": moment}) for stream, row in rows])


def _known_at(rows: StreamRows, moment: datetime) -> Rows:
    """The rows where they are, known at that moment, or as they occurred where that is later."""
    return _by_stream([(stream, row | {"known_at": max(moment, row["occurred_at"])}) for stream, row in rows])


@dataclass(frozen=True)
class _RowMaker:
    """Makes rows like those of the company."""

    sample: Sample
    as_of: datetime
    draw: np.random.Generator

    def rows(self, accounts: Sequence[str], aggregates: Sequence[Aggregate]) -> Iterator[tuple[str, Row]]:
        """For each account rows for some of the aggregates, for the first account for all: many rows may hide what few move."""
        for number, account in enumerate(accounts):
            most = len(aggregates) if number == 0 else int(self.draw.choice([3, 12, len(aggregates)]))
            for position in self.draw.permutation(len(aggregates))[:most]:
                aggregate = aggregates[position]
                yield aggregate.stream, self._for_aggregate(account, aggregate)

    def attributes(self, accounts: Sequence[str]) -> Iterator[tuple[str, Row]]:
        """For each account two rows of each stream of attributes, in which everything is different."""
        for account in accounts:
            for stream in (name for name in ATTRIBUTES if name in STREAMS):
                for days in self.draw.uniform(0.0, AROUND_DAYS, 2):
                    values = {column.name: self._fresh(stream, column) for column in STREAMS[stream].own_columns}
                    yield stream, self._row(account, self.as_of - timedelta(days=days), values)

    def known_late(self, rows: StreamRows) -> Rows:
        """The rows where they are, but known only after as_of."""
        return _by_stream([(stream, row | {"known_at": self._later()}) for stream, row in rows])

    def in_future(self, rows: StreamRows) -> Rows:
        """The rows moved behind as_of."""
        moments = [self._later() for _ in rows]
        moved = [row | {"occurred_at": at, "known_at": at} for (_, row), at in zip(rows, moments, strict=True)]
        return _by_stream([(stream, row) for (stream, _), row in zip(rows, moved, strict=True)])

    def _later(self) -> datetime:
        return self.as_of + timedelta(days=float(self.draw.uniform(SOON_DAYS, LATEST_DAYS)))

    def _for_aggregate(self, account: str, aggregate: Aggregate) -> Row:
        """A row that the aggregate counts, if it can see it."""
        stream, model = STREAMS[aggregate.stream], self._like(account, aggregate.stream)
        values = {
            column.name: self._varied(stream.name, column, model.get(column.name)) for column in stream.own_columns
        }
        for name in _must_be_there(aggregate):
            if values[name] is None:
                values[name] = self._fresh(stream.name, stream.column(name))
        if isinstance(aggregate.value, Weights):
            values[aggregate.value.column] = self._choice(aggregate.value.weights)[0]
        for condition in _conditions(aggregate):
            values[condition.column] = self._passing(condition, values[condition.column])
        return self._row(account, self._moment_in(account, aggregate), values)

    def _row(self, account: str, occurred_at: datetime, values: Row) -> Row:
        return {"account_id": account, "occurred_at": occurred_at, "known_at": occurred_at, **values}

    def _like(self, account: str, stream: str) -> Row:
        """A row to vary: as often the account's own as that of another account."""
        source = account if self.draw.random() < 0.5 else self._choice(self.sample.accounts)
        rows = self.sample.by_account.get((stream, source))
        return self._choice(rows) if rows else {}

    def _varied(self, stream: str, column: Column, value: Any) -> Any:
        """The value, or another one: of numbers often, of words and absent values now and then."""
        return self._fresh(stream, column) if self.draw.random() < (0.7 if column.type == "number" else 0.3) else value

    def _fresh(self, stream: str, column: Column) -> Any:
        """A value that the column might hold: one of other rows, or a new one."""
        seen = self.sample.values.get((stream, column.name))
        if column.type == "number":
            # A column with checks is a scale with ends; any other number may be smaller or larger than ever before.
            return self._choice(seen or (1.0, 2.0, 3.0)) * (
                1.0 if column.checks else float(self.draw.uniform(0.2, 5.0))
            )
        if column.type == "time":
            return self.as_of + timedelta(days=float(self.draw.uniform(-AROUND_DAYS, AROUND_DAYS)))
        if column.allowed:
            return self._choice(column.allowed)
        return self._choice(seen) if seen and self.draw.random() < 0.5 else f"audit {self.draw.integers(NEW_WORDS)}"

    def _passing(self, condition: Condition, value: Any) -> Any:
        """The value if it passes, else one that does."""
        if isinstance(condition.test, OneOf):
            return value if value in condition.test.allowed else self._choice(condition.test.allowed)
        if isinstance(condition.test, Bound):
            value = condition.test.bound if value is None else value
            return (min if condition.test.side == "at_most" else max)(value, condition.test.bound)
        return self.as_of + timedelta(days=float(self.draw.uniform(1.0, AROUND_DAYS)))

    def _moment_in(self, account: str, aggregate: Aggregate) -> datetime:
        """A moment inside the aggregate's window; of an endless window perhaps before the account's first event."""
        endless = aggregate.days > LONGEST_DAYS
        days = self._days_known(account, aggregate.stream) + 30.0 if endless else aggregate.days
        lag_days = min(aggregate.lag_days, LONGEST_DAYS)
        return self.as_of - timedelta(days=lag_days + days * float(self.draw.uniform(0.001, 0.999)))

    def _days_known(self, account: str, stream: str) -> float:
        rows = self.sample.by_account.get((stream, account), ())
        oldest = min((row["occurred_at"] for row in rows), default=self.as_of - timedelta(days=AROUND_DAYS))
        return max(0.0, (microseconds(self.as_of) - microseconds(oldest)) / 86_400_000_000)

    def _choice(self, values: Sequence[Any]) -> Any:
        return values[int(self.draw.integers(len(values)))]


def _conditions(aggregate: Aggregate) -> tuple[Condition, ...]:
    return (*aggregate.conditions, *(aggregate.newest.conditions if aggregate.newest else ()))


def _must_be_there(aggregate: Aggregate) -> Iterator[str]:
    """The columns without which a row does not take part."""
    value = aggregate.value
    if isinstance(value, Product):
        yield from (value.first, value.second)
    elif isinstance(value, str):
        yield value
    if aggregate.by:
        yield aggregate.by
    if aggregate.newest:
        yield aggregate.newest.key
