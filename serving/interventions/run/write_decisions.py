"""What was decided, into the database: assignments, interventions and all that goes with them, a portion in a transaction.

Whatever is repeated is there already and stays as it is, so that a portion may be written any number of times.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd
import sqlalchemy as sa

from serving.database.engine import insert_missing
from serving.database.tables import assignments, not_chosen, warnings
from serving.interventions.declare.settings import InterventionSettings
from serving.interventions.run.lifecycle import NewIntervention, begin

AT_ONCE = 300
"""Interventions in one transaction. While it lasts nobody else can write to SQLite, and the service must be able to post events."""
ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Portion:
    """Interventions that are begun together, and the assignments that are written with them."""

    begun: Sequence[NewIntervention]
    assignments: Sequence[Mapping[str, Any]]


def portions(begun: Sequence[NewIntervention], assigned: pd.DataFrame) -> Iterator[Portion]:
    """All of it, in parts: control and holdout first, then interventions, each beside its assignment."""
    kept = records(assigned[assigned["intervention_id"].isna()])
    for start in range(0, len(kept), ROWS_AT_ONCE):
        yield Portion((), kept[start : start + ROWS_AT_ONCE])
    by_id = {row["intervention_id"]: row for row in records(assigned[assigned["intervention_id"].notna()])}
    for start in range(0, len(begun), AT_ONCE):
        own = begun[start : start + AT_ONCE]
        yield Portion(own, [by_id[one.intervention_id] for one in own])


def write_portion(
    connection: sa.Connection, portion: Portion, actor: str, at: datetime, settings: InterventionSettings
) -> int:
    """Log the assignments, then begin the interventions, in the transaction of the connection; how many were new."""
    if portion.assignments:
        connection.execute(insert_missing(connection, assignments), list(portion.assignments))
    return begin(connection, portion.begun, actor, at, settings)


def replace_warnings_and_not_chosen(connection: sa.Connection, warned: pd.DataFrame, missed: pd.DataFrame) -> None:
    """Put the warnings and near misses of this decision in the place of those before it."""
    for table, rows in ((warnings, warned), (not_chosen, missed)):
        connection.execute(sa.delete(table))
        found = records(rows)
        for start in range(0, len(found), ROWS_AT_ONCE):
            connection.execute(sa.insert(table), found[start : start + ROWS_AT_ONCE])


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a driver takes them: moments of the standard library, None for what is absent."""
    plain = rows.astype(object).where(rows.notna(), None)
    moments = [name for name in rows.columns if isinstance(rows[name].dtype, pd.DatetimeTZDtype)]
    for name in moments:
        plain[name] = pd.Series(rows[name].dt.to_pydatetime(), index=rows.index, dtype=object)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.itertuples(index=False, name=None)]
