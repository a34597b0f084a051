"""The arm and the outcome of each account of a playbook: the data from which effects are measured."""

from typing import Any

import pandas as pd
import sqlalchemy as sa

from serving.database.tables import assignments, interventions
from serving.interventions.decide.experiments import CONTROL, TREATMENT


def experiment_outcomes(connection: sa.Connection) -> pd.DataFrame:
    """One row per assignment of a playbook to treatment or control, the first ones first.

    The columns of `assignments`, and of the intervention `status`, `closed_at` and `begun_cost`: absent without an intervention.
    """
    begun = assignments.outerjoin(interventions, interventions.c.intervention_id == assignments.c.intervention_id)
    columns: list[Any] = [
        *assignments.c,
        interventions.c.status,
        interventions.c.closed_at,
        interventions.c.cost.label("begun_cost"),
    ]
    query = sa.select(*columns).select_from(begun).where(assignments.c.arm.in_((TREATMENT, CONTROL)))
    order = assignments.c.assigned_at, assignments.c.playbook, assignments.c.account_id
    rows = connection.execute(query.order_by(*order)).mappings().all()
    return pd.DataFrame(rows, columns=[column.name for column in columns])
