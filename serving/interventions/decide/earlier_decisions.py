"""What was decided before, as a decision must see it: read from the database once, in frames that a night can keep.

Only what can still matter: what is open, and what is no older than a quarter or the longest cooldown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from serving.database.engine import reading
from serving.database.tables import assignments, interventions, warnings
from serving.interventions.declare.settings import InterventionSettings

INSTANT = timedelta(microseconds=1)
"""As fine as moments are told apart."""
QUARTER_DAYS = 90
"""Over so many days contacts are counted."""
TIME = pa.timestamp("us", tz="UTC")
INTERVENTIONS = pa.schema(
    [
        *((name, pa.string()) for name in ("intervention_id", "account_id", "playbook", "origin", "role", "owner")),
        ("cost", pa.float64()), ("decided_at", TIME), ("closed_at", TIME),
    ]
)  # fmt: skip
"""Grain: one intervention."""
ASSIGNMENTS = pa.schema(
    [("playbook", pa.string()), ("account_id", pa.string()), ("assigned_at", TIME), ("arm", pa.string())]
)
"""Grain: one assignment to an arm."""
WARNINGS = pa.schema([("account_id", pa.string()), ("rule", pa.string()), ("since", TIME)])
"""Grain: one rule that held for one account in the night before."""
SCHEMAS: Mapping[str, pa.Schema] = {"begun": INTERVENTIONS, "assigned": ASSIGNMENTS, "warned": WARNINGS}


@dataclass(frozen=True)
class EarlierDecisions:
    """What there was before a decision; the columns are those of the schemas above."""

    begun: pd.DataFrame
    assigned: pd.DataFrame
    warned: pd.DataFrame

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> "EarlierDecisions":
        """Of the tables by the names of `SCHEMAS`."""
        return cls(**{name: tables[name].to_pandas() for name in SCHEMAS})

    def open_at(self, moment: datetime) -> pd.DataFrame:
        """The interventions that were not closed by a moment: what was closed later was still open then."""
        return self.begun[self.begun["closed_at"].isna() | (self.begun["closed_at"] > moment)]

    def since(self, moment: datetime) -> pd.DataFrame:
        """The interventions that were decided from a moment on."""
        return self.begun[self.begun["decided_at"] >= moment]


NO_DECISIONS = EarlierDecisions.of({name: schema.empty_table() for name, schema in SCHEMAS.items()})
"""The state of a company that has decided nothing yet."""


def read_earlier_decisions(
    engine: sa.Engine, settings: InterventionSettings, at: datetime, until: datetime
) -> dict[str, pa.Table]:
    """By the names of `SCHEMAS` what matters to a decision at a moment, of what was decided before `until`. DatabaseUnavailable.

    A night that is resumed finds what it did itself, which is dated `at`, and must not see it.
    """
    oldest = at - timedelta(days=_days_that_matter(settings))
    with reading(engine) as connection:
        return {
            "begun": _read_table(connection, _select_interventions(oldest, until), INTERVENTIONS),
            "assigned": _read_table(connection, _select_assignments(oldest, until), ASSIGNMENTS),
            "warned": _read_table(connection, _select_warnings(until), WARNINGS),
        }


def _days_that_matter(settings: InterventionSettings) -> int:
    return max([QUARTER_DAYS, *(playbook.cooldown_days for playbook in settings.playbooks.values())])


def _select_interventions(oldest: datetime, until: datetime) -> sa.Select[Any]:
    matters = sa.or_(interventions.c.closed_at.is_(None), interventions.c.decided_at >= oldest)
    query = sa.select(*(interventions.c[name] for name in INTERVENTIONS.names))
    return query.where(interventions.c.decided_at < until, matters).order_by(interventions.c.intervention_id)


def _select_assignments(oldest: datetime, until: datetime) -> sa.Select[Any]:
    of_then = assignments.c.assigned_at >= oldest, assignments.c.assigned_at < until
    order = assignments.c.account_id, assignments.c.playbook, assignments.c.assigned_at
    return sa.select(*(assignments.c[name] for name in ASSIGNMENTS.names)).where(*of_then).order_by(*order)


def _select_warnings(until: datetime) -> sa.Select[Any]:
    order = warnings.c.account_id, warnings.c.rule
    return sa.select(*(warnings.c[name] for name in WARNINGS.names)).where(warnings.c.since < until).order_by(*order)


def _read_table(connection: sa.Connection, query: sa.Select[Any], schema: pa.Schema) -> pa.Table:
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return pa.Table.from_pylist(rows, schema=schema)
