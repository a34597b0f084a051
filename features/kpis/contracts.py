"""Figures of contracts: those in force as each month ended, by the same features that models see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from features.arrays import Array
from features.definitions import Feature
from features.engine import kernel
from features.engine.events import Events
from features.engine.packing import pack
from features.engine.plan import FeatureSet
from features.families.contracts import contracts_in_force, value_in_force
from features.history.store import History
from features.kpis.dimensions import Divisions, add_up
from features.kpis.periods import YEAR, Calendar
from features.timestamps import microseconds

FEATURES = FeatureSet.of(
    [
        Feature("kpi_contracts_in_force", contracts_in_force, "contracts in force", "contracts", "0: none"),
        Feature("kpi_contracts_value", value_in_force, "their value in a year", "currency a year", "0: none"),
    ]
)
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Contracts:
    """The part of one bucket: when its first contract event occurred (UTC µs), and sums by name, (groups, periods)."""

    first: int
    sums: Mapping[str, Array]


def contracts(
    history: History, bucket: int, as_of: datetime, calendar: Calendar, divisions: Divisions
) -> Contracts | None:
    """One bucket, each month's end as was known by then; None where no account has a contract."""
    events = Events.of_stream(history, bucket, "contracts", FEATURES.plan.streams["contracts"])
    stream = events.streams.get("contracts")
    if stream is None or not (known := stream.known_at <= microseconds(as_of)).any():
        return None
    count, value = _at_ends(events, calendar)
    groups = divisions.codes(bucket, events.accounts)
    sums = {}
    for name, values in _figures(count, value, calendar).items():
        sums[name] = np.zeros((len(divisions.groups), values.shape[0]))
        add_up(np.ascontiguousarray(values, dtype=np.float64), groups, sums[name])
    return Contracts(int(stream.occurred_at[known].min()), sums)


def _at_ends(events: Events, calendar: Calendar) -> tuple[Array, Array]:
    """Contracts in force and their value at the end of each slot but the last: (slots − 1, accounts)."""
    # The last moment of a month: a contract signed at midnight belongs to the next.
    ends = calendar.starts - 1
    out = np.empty((len(events.accounts) * ends.size, 2))
    packed = pack(events, FEATURES.plan)
    kernel.fill(0, len(events.accounts), packed, FEATURES.plan.program, ends, ends, np.arange(len(out)), out)
    count, value = out.T.reshape(2, len(events.accounts), ends.size)
    return count.T, value.T


def _figures(count: Array, value: Array, calendar: Calendar) -> dict[str, Array]:
    """The values of every account in every period, to be added up by group: (periods, accounts)."""
    periods = calendar.periods()
    began = [period.first - 1 for period in periods]
    ended = [period.last - 1 for period in periods]
    then = value[[end - YEAR for end in ended]]
    left = (count[began] > 0) & (count[ended] == 0)
    return {
        "value": value[ended],
        "holders": count[ended] > 0,
        "left": left,
        "left_value": np.where(left, value[began], 0),
        "then": then,
        "then_accounts": then > 0,
        "retained": np.where(then > 0, value[ended], 0),
        "retained_gross": np.where(then > 0, np.minimum(value[ended], then), 0),
    }
