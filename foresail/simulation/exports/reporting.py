"""Reporting as it is: rows come late, stand there twice, have lost their account, or a source fails for weeks."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.arrays import Array
from features.timestamps import DAY
from foresail.simulation.exports.exports import SECOND, Export
from foresail.simulation.world.randomness import uniforms
from foresail.simulation.world.settings import Settings

_LATE, _HOW_LATE, _TWICE, _MISSING = 1001, 1002, 1003, 1004
LATE_SOURCES = ("orders", "usage", "telemetry", "surveys")
"""Exports that note when a row was entered, which can be long after it happened."""
MISSING_IDS = ("orders", "visits")
THOUSANDFOLD = 1000.0


@dataclass(frozen=True)
class Reported:
    """An export as it lies there: its rows, when each was entered, and what reporting did to it."""

    name: str
    rows: pa.Table
    entered: Array
    """UTC microseconds."""
    late: int
    duplicates: int
    without_account: int


def reported(settings: Settings, export: Export) -> Reported:
    """The rows that had been entered by the end, by account and by when they were."""
    start = (settings.company.start - date(1970, 1, 1)).days * DAY
    end = start + settings.company.days * DAY
    entered = export.happened if export.entered is None else export.entered
    late = np.zeros(len(export), dtype=bool)
    if export.name in LATE_SOURCES:
        late = uniforms(export.keys, 0, _LATE) < settings.reporting.late_share
        days = -settings.reporting.late_days * np.log1p(-uniforms(export.keys, 0, _HOW_LATE))
        entered = np.where(late, entered + (days * 86_400).astype(np.int64) * SECOND, entered)
    rows = pa.table(export.columns)
    if export.entered_column is not None:
        rows = rows.append_column(export.entered_column, pa.array(entered, pa.timestamp("us", tz="UTC")))
    if export.happened_column is not None:
        rows = rows.append_column(export.happened_column, pa.array(export.happened, pa.timestamp("us", tz="UTC")))
    missing = np.zeros(len(export), dtype=bool)
    if export.name in MISSING_IDS:
        missing = uniforms(export.keys, 0, _MISSING) < settings.reporting.missing_id_share
        rows = _without(rows, missing)
    rows, twice = _broken(settings, export, rows, start)
    often = twice * (1 + (uniforms(export.keys, 0, _TWICE) < settings.reporting.duplicate_share))
    # By account and time, so that the files do not depend on how many accounts are simulated at once.
    order = np.lexsort((entered, export.columns["account_no"].indices.to_numpy()))
    place = np.repeat(order, np.where(entered < end, often, 0)[order])
    return Reported(
        export.name,
        rows.take(pa.array(place)),
        entered[place],
        int(late[np.unique(place)].sum()),
        int(len(place) - (entered < end)[twice > 0].sum()),
        int(missing[place].sum()),
    )


def _without(rows: pa.Table, missing: Array) -> pa.Table:
    place = rows.column_names.index("account_no")
    blank = pc.if_else(pa.array(missing), None, rows["account_no"].combine_chunks().dictionary_decode())
    return rows.set_column(place, "account_no", blank)


def _broken(settings: Settings, export: Export, rows: pa.Table, start: int) -> tuple[pa.Table, Array]:
    """The rows, and how often each is there: once, unless its source fails on that day."""
    broken, often = settings.broken, np.ones(len(export), dtype=np.int64)
    if broken.source != export.name:
        return rows, often
    day = (export.happened - start) // DAY
    hit = (day >= broken.from_day) & (day < broken.from_day + broken.days)
    if broken.how != "thousandfold":
        often[hit] = 0 if broken.how == "missing" else 2
        return rows, often
    for place, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            more = pc.if_else(pa.array(hit), pc.multiply(rows[field.name], THOUSANDFOLD), rows[field.name])
            rows = rows.set_column(place, field.name, more)
    return rows, often
