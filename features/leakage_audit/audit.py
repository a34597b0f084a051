"""The leakage audit: put probes into the future of some accounts, build their features again, and see whether one moved.

It works on a real history, a copy of the sampled accounts in a temporary folder, and through the public function
`build_feature_table`, so that it judges the table that is built and not the intention. A company that builds its table in
another way gives its own `builder`, which is judged alike.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.catalog import CATALOG
from features.definitions import Feature
from features.engine.plan import FeatureSet
from features.engine.table import build_feature_table
from features.errors import ExitCode, ForesailError
from features.history.store import History, in_canonical_order, one_batch, stored_schema
from features.history.streams import STREAMS
from features.leakage_audit.probes import LeakProbe, Rows, Sample, leak_probes
from features.progress import Progress

Builder = Callable[[History, datetime], pd.DataFrame]
"""Makes a table with one row per account, known as of that moment: indexed by account_id, or by (account_id, as_of)."""

THE_ROW = "(the row itself)"
"""In the place of a feature where an account appears in the table, or vanishes from it."""
NOTHING = "nothing: built twice from the same history"
REMOVED = "what is known later removed"
SOURCE = "audit"


class AuditError(ForesailError, ValueError):
    """There is nothing to audit, or the builder's table cannot be compared; the message says why."""

    exit_code = ExitCode.DATA


@dataclass(frozen=True)
class MovedFeature:
    """A feature that noticed a probe: in how many of the sampled accounts, and one of them."""

    feature: str
    probe: str
    accounts: int
    account_id: str
    as_of: datetime
    before: Any
    after: Any
    """None where the feature is absent."""


@dataclass(frozen=True)
class AuditReport:
    """Which features moved, and which could have. Zero moved is the only passing number."""

    as_of: datetime
    seed: int
    accounts: int
    """How many accounts were sampled."""
    probes: Mapping[str, int]
    """Rows by kind of probe; for REMOVED, the rows removed."""
    features: tuple[str, ...]
    moved: tuple[MovedFeature, ...]
    exercised: tuple[str, ...]
    """Features that moved when the same probe was put where it must be seen: only for these does standing still prove something."""
    blind: tuple[str, ...]
    """Features that see an event one microsecond before as_of, but none at as_of itself, which is known by then."""

    @property
    def leaking(self) -> tuple[str, ...]:
        """The features that moved, each once."""
        return tuple(dict.fromkeys(moved.feature for moved in self.moved))

    @property
    def unexercised(self) -> tuple[str, ...]:
        """Features that no probe could have moved here: nothing is proved of them."""
        return tuple(name for name in self.features if name not in set(self.exercised))

    @property
    def passed(self) -> bool:
        """Whether no feature moved, and none overlooked the moment itself."""
        return not self.moved and not self.blind

    def to_json(self) -> dict[str, Any]:
        """The same facts for machines."""
        return {
            "passed": self.passed, "as_of": self.as_of.isoformat(), "seed": self.seed, "accounts": self.accounts,
            "features": len(self.features), "exercised": len(self.exercised), "unexercised": list(self.unexercised),
            "probes": dict(self.probes), "blind": list(self.blind), "leaking": list(self.leaking),
            "moved": [vars(moved) | {"as_of": moved.as_of.isoformat()} for moved in self.moved],
        }  # fmt: skip


def audit(
    history: History,
    as_of: datetime,
    features: Iterable[Feature] = CATALOG,
    *,
    accounts: int = 200,
    seed: int = 0,
    progress: Progress | None = None,
    builder: Builder | None = None,
) -> AuditReport:
    """Put probes into the future of up to `accounts` accounts known at as_of, and report every feature that noticed.

    `builder` is judged; by default `build_feature_table` of these features. With another builder,
    `features` still decide which probes are made. The same history, moment and seed give the same report. Rows of the
    sampled accounts are kept in a temporary folder meanwhile. AuditError if no account is known at as_of.
    """
    wanted = FeatureSet.of(features)
    build = builder or partial(build_feature_table, features=wanted)
    sample = take_sample(history.at(history.versions()), as_of, accounts, seed)
    probes = leak_probes(sample, wanted, as_of, seed)
    with TemporaryDirectory(prefix="foresail-audit-") as folder:
        tables = 3 + sum(1 + bool(probe.visible) + bool(probe.at_as_of) for probe in probes)
        trial = _Trial(Path(folder), sample, build, as_of, tables, progress)
        return _report(trial, probes, seed)


def take_sample(history: History, as_of: datetime, accounts: int, seed: int) -> Sample:
    """Up to so many of the accounts known at as_of, drawn by the seed, with all their rows."""
    known = build_feature_table(history, as_of, ()).index.get_level_values("account_id").to_numpy(dtype=object)
    if not known.size:
        raise AuditError(f"no account is known as of {as_of.isoformat()}; ingest the sources, or take a later moment")
    drawn = np.random.default_rng(seed).choice(known, min(accounts, known.size), replace=False)
    names = sorted(map(str, drawn))
    return Sample(names, {stream: _rows_of(history, stream, names) for stream in STREAMS})


def _rows_of(history: History, stream: str, accounts: Sequence[str]) -> pa.Table:
    schema = stored_schema(STREAMS[stream])
    columns = [name for name in schema.names if name != "bucket"]
    wanted, parts = pa.array(accounts, pa.string()), []
    for bucket in sorted({history.bucket_of(account) for account in accounts}):
        rows = history.read(stream, bucket, columns)
        parts.append(rows.filter(pc.is_in(rows["account_id"].cast(pa.string()), wanted)))
    plain = pa.schema([schema.field(name) for name in columns])
    return pa.concat_tables([part.cast(plain) for part in parts]) if parts else plain.empty_table()


@dataclass
class _Trial:
    """Builds tables from the sample, with or without the rows of a probe."""

    folder: Path
    sample: Sample
    build: Builder
    as_of: datetime
    total: int
    progress: Progress | None
    done: int = field(default=0)

    def table(self, rows: Rows | None = None, *, without_future: bool = False) -> pd.DataFrame:
        """The builder's table of the sample and these rows; `without_future` leaves out the sample's rows known after as_of."""
        history = History(self.folder / str(self.done), buckets=1)
        for stream in STREAMS:
            stored = self.sample.rows[stream]
            stored = stored.filter(pc.less_equal(stored["known_at"], self.as_of)) if without_future else stored
            added = _stored_rows((rows or {}).get(stream, ()), stored.schema)
            _store(history, stream, pa.concat_tables([stored, added]))
        table = _checked(self.build(history, self.as_of))
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total)
        return table

    @property
    def future(self) -> int:
        """How many rows of the sample are known only after as_of."""
        return sum(
            int(pc.sum(pc.greater(rows["known_at"], self.as_of)).as_py() or 0) for rows in self.sample.rows.values()
        )


def _store(history: History, stream: str, rows: pa.Table) -> None:
    if rows.num_rows:
        ordered = in_canonical_order(rows, STREAMS[stream])
        ordered = ordered.append_column("bucket", pa.array(np.zeros(len(ordered), dtype=np.int32)))
        history.replace(stream, [0], [one_batch(ordered.select(stored_schema(STREAMS[stream]).names))])


def _stored_rows(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    named = [{"event_id": f"{SOURCE} {number}", "source": SOURCE, **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in named], schema=schema)


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    """The builder's table by account."""
    if "account_id" not in table.index.names:
        raise AuditError("the builder's table has no index level account_id; set it with table.set_index('account_id')")
    accounts = table.index.get_level_values("account_id")
    if accounts.has_duplicates:
        twice = accounts[accounts.duplicated()][0]
        raise AuditError(
            f"the builder's table has several rows for account '{twice}'; it must have one row per account"
        )
    return table.set_axis(pd.Index(accounts, dtype="str", name="account_id"), axis=0)


def _report(trial: _Trial, probes: Sequence[LeakProbe], seed: int) -> AuditReport:
    before = trial.table()
    moved = [*_moved(before, trial.table(), NOTHING, trial.as_of)]
    exercised: set[str] = set()
    blind: set[str] = set()
    for probe in probes:
        moved += _moved(before, trial.table(probe.hidden), probe.name, trial.as_of)
        if probe.visible:
            noticed = _noticed(before, trial.table(probe.visible))
            exercised |= noticed
        if probe.at_as_of:
            blind |= noticed - _noticed(before, trial.table(probe.at_as_of))
    moved += _moved(before, trial.table(without_future=True), REMOVED, trial.as_of)
    names = tuple(map(str, before.columns))
    return AuditReport(
        as_of=trial.as_of,
        seed=seed,
        accounts=len(trial.sample.accounts),
        probes={probe.name: probe.rows for probe in probes} | {REMOVED: trial.future},
        features=names,
        moved=tuple(moved),
        exercised=tuple(name for name in names if name in exercised),
        blind=tuple(name for name in names if name in blind),
    )


def _noticed(before: pd.DataFrame, after: pd.DataFrame) -> set[str]:
    """The features that differ in any account."""
    return {feature for feature, differs in _differences(before, after) if differs.any()}


def _moved(before: pd.DataFrame, after: pd.DataFrame, probe: str, as_of: datetime) -> Iterator[MovedFeature]:
    unshared = before.index.symmetric_difference(after.index)
    for account in unshared[:1]:
        presence = ("there", "absent") if account in before.index else ("absent", "there")
        yield MovedFeature(THE_ROW, probe, len(unshared), str(account), as_of, *presence)
    for feature, differs in _differences(before, after):
        rows = np.flatnonzero(differs)
        if rows.size:
            account = before.index.intersection(after.index)[rows[0]]
            values = (_value(table, account, feature) for table in (before, after))
            yield MovedFeature(feature, probe, rows.size, str(account), as_of, *values)


def _value(table: pd.DataFrame, account: str, feature: str) -> Any:
    if feature not in table.columns:
        return "no such column"
    value: Any = table.loc[account, feature]
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _differences(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[tuple[str, Array]]:
    """For each column of either table: for which of the shared accounts it is not the same to the last bit."""
    shared = before.index.intersection(after.index)
    first, second = before.reindex(shared), after.reindex(shared)
    for name in dict.fromkeys([*before.columns, *after.columns]):
        if name in first.columns and name in second.columns:
            yield str(name), _differ(first[name], second[name])
        else:
            yield str(name), np.ones(len(shared), dtype=np.bool_)


def _differ(first: "pd.Series[Any]", second: "pd.Series[Any]") -> Array:
    """Absent equals absent, whatever its bits."""
    absent = first.isna().to_numpy() & second.isna().to_numpy()
    if pd.api.types.is_numeric_dtype(first) and pd.api.types.is_numeric_dtype(second):
        first_bits, second_bits = (
            column.to_numpy(dtype=np.float64, na_value=np.nan).view(np.int64) for column in (first, second)
        )
        return np.asarray((first_bits != second_bits) & ~absent)
    return np.asarray((first.astype(object).to_numpy() != second.astype(object).to_numpy()) & ~absent)
