"""Earlier decisions, as a new decision reads them: read from the database once, in frames that a night can keep.

Only rows that can still matter: open interventions, and rows no older than a quarter or the longest cooldown.
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
"""The resolution of moments."""
QUARTER_DAYS = 90
"""The days over which contacts are counted."""
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
    """Interventions, assignments and warnings before a decision; the columns are those of the schemas above."""

    interventions: pd.DataFrame
    assignments: pd.DataFrame
    warnings: pd.DataFrame

    @classmethod
    def of(cls, tables: Mapping[str, pa.Table]) -> "EarlierDecisions":
        """From the tables by the names of `SCHEMAS`."""
        return cls(*(tables[name].to_pandas() for name in SCHEMAS))

    def open_at(self, moment: datetime) -> pd.DataFrame:
        """The interventions that were open at a moment; one that was closed later was still open."""
        return self.interventions[self.interventions["closed_at"].isna() | (self.interventions["closed_at"] > moment)]

    def since(self, moment: datetime) -> pd.DataFrame:
        """The interventions that were decided from a moment on."""
        return self.interventions[self.interventions["decided_at"] >= moment]


NO_DECISIONS = EarlierDecisions.of({name: schema.empty_table() for name, schema in SCHEMAS.items()})
"""The state of a company before its first decision."""


def read_earlier_decisions(
    engine: sa.Engine, settings: InterventionSettings, at: datetime, until: datetime
) -> dict[str, pa.Table]:
    """The tables of `SCHEMAS` for a decision at a moment, with decisions before `until`. DatabaseUnavailable.

    A resumed night must not see its own decisions, which are dated `at`.
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
