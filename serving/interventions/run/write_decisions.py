"""A decision into the database: assignments, then interventions with their steps, deadlines and messages, a portion in a transaction.

Rows that exist already stay as they are, so that a portion may be written any number of times.
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
"""Interventions in one transaction. SQLite has one writer at a time, and the service must be able to post events between."""
ROWS_AT_ONCE = 5_000


@dataclass(frozen=True)
class Portion:
    """Interventions that begin together, and the assignments written with them."""

    interventions: Sequence[NewIntervention]
    assignments: Sequence[Mapping[str, Any]]


def portions(new: Sequence[NewIntervention], assigned: pd.DataFrame) -> Iterator[Portion]:
    """A decision in parts: control and holdout first, then interventions, each with its assignment."""
    kept = records(assigned[assigned["intervention_id"].isna()])
    for start in range(0, len(kept), ROWS_AT_ONCE):
        yield Portion((), kept[start : start + ROWS_AT_ONCE])
    by_id = {row["intervention_id"]: row for row in records(assigned[assigned["intervention_id"].notna()])}
    for start in range(0, len(new), AT_ONCE):
        part = new[start : start + AT_ONCE]
        yield Portion(part, [by_id[intervention.intervention_id] for intervention in part])


def write_portion(
    connection: sa.Connection, portion: Portion, actor: str, at: datetime, settings: InterventionSettings
) -> int:
    """Write the assignments, then begin the interventions, in the transaction of the connection; the number of new ones."""
    if portion.assignments:
        connection.execute(insert_missing(connection, assignments), list(portion.assignments))
    return begin(connection, portion.interventions, actor, at, settings)


def replace_warnings_and_not_chosen(
    connection: sa.Connection, warnings_now: pd.DataFrame, not_chosen_now: pd.DataFrame
) -> None:
    """Replace the warnings and the accounts not chosen by those of this decision."""
    for table, rows in ((warnings, warnings_now), (not_chosen, not_chosen_now)):
        connection.execute(sa.delete(table))
        new_rows = records(rows)
        for start in range(0, len(new_rows), ROWS_AT_ONCE):
            connection.execute(sa.insert(table), new_rows[start : start + ROWS_AT_ONCE])


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as a driver takes them: moments of the standard library, None for what is absent."""
    plain = rows.astype(object).where(rows.notna(), None)
    moments = [name for name in rows.columns if isinstance(rows[name].dtype, pd.DatetimeTZDtype)]
    for name in moments:
        plain[name] = pd.Series(rows[name].dt.to_pydatetime(), index=rows.index, dtype=object)
    return [dict(zip(plain.columns, row, strict=True)) for row in plain.itertuples(index=False, name=None)]
