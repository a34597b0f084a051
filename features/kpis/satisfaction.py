"""Figures of satisfaction and of the time to resolve cases: one bucket's answers and resolutions."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.families.surveys import DETRACTOR, PROMOTER
from features.history.store import History
from features.kpis.definitions import SATISFIED
from features.kpis.dimensions import Divisions
from features.kpis.periods import Calendar


@dataclass(frozen=True)
class Answers:
    """Values on one scale, or durations: the slot of each, the groups of its account, the number."""

    slots: Array
    groups: Array
    numbers: Array

    @classmethod
    def together(cls, parts: "list[Answers]") -> "Answers":
        arrays = ([getattr(part, name) for part in parts] for name in ("slots", "groups", "numbers"))
        return cls(*map(np.concatenate, arrays))

    def counted(self, calendar: Calendar, groups: int) -> Array:
        """How many there are: (groups, slots)."""
        return self.summed(np.ones(self.numbers.size), calendar, groups)

    def summed(self, weights: Array, calendar: Calendar, groups: int) -> Array:
        """The weights added up: (groups, slots)."""
        cells = self.groups * calendar.slots + self.slots[:, None]
        every = np.broadcast_to(weights[:, None], cells.shape).ravel()
        return np.bincount(cells.ravel(), every, minlength=groups * calendar.slots).reshape(groups, calendar.slots)


def score_of(scale: str, values: Array) -> Array:
    """The contribution of an answer to the mean that is its KPI: NPS −100, 0 or 100; CSAT 0 or 1; CES itself."""
    if scale == "nps":
        return 100.0 * (values >= PROMOTER) - 100.0 * (values <= DETRACTOR)
    return (values >= SATISFIED).astype(np.float64) if scale == "csat" else values


def answers(
    history: History, bucket: int, as_of: datetime, calendar: Calendar, divisions: Divisions
) -> dict[str, Answers]:
    """The answers of a bucket's accounts by scale, as was known by as_of, and the hours that resolutions took."""
    surveys = _known(history, "engagement", bucket, as_of, ["scale", "score"])
    cases = _known(history, "service", bucket, as_of, ["kind", "satisfaction", "effort", "hours_to_resolve"])
    scales, kinds = surveys["scale"].cast(pa.string()), cases["kind"].cast(pa.string())
    places = {scale: [(surveys.filter(pc.equal(scales, scale)), "score")] for scale in ("nps", "csat", "ces")}
    places["csat"].append((cases, "satisfaction"))
    places["ces"].append((cases, "effort"))
    places["hours"] = [(cases.filter(pc.equal(kinds, "resolved")), "hours_to_resolve")]
    return {
        name: Answers.together([_answers(rows, column, bucket, calendar, divisions) for rows, column in tables])
        for name, tables in places.items()
    }


def _known(history: History, stream: str, bucket: int, as_of: datetime, columns: list[str]) -> pa.Table:
    rows = history.read(stream, bucket, ["account_id", "known_at", "occurred_at", *columns])
    return rows.filter(pc.less_equal(rows["known_at"], as_of))


def _answers(rows: pa.Table, column: str, bucket: int, calendar: Calendar, divisions: Divisions) -> Answers:
    rows = rows.filter(rows[column].is_valid()).combine_chunks()
    accounts = rows["account_id"].cast(pa.string()).combine_chunks().dictionary_encode()
    groups = divisions.codes(bucket, accounts.dictionary)
    moments = rows["occurred_at"].cast(pa.int64()).to_numpy()
    return Answers(calendar.slot_of(moments), groups[accounts.indices.to_numpy()], rows[column].to_numpy())
