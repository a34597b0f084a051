"""KPIs of a project: computed, written as a table or a picture."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features.progress import StepProgress
from foresail.operations.features import write_table
from foresail.operations.progress import by_bucket

if TYPE_CHECKING:
    import pandas as pd

    from foresail.config.project import Project


def kpis(
    project: "Project",
    as_of: datetime,
    by: Sequence[str] = (),
    given: Mapping[str, Mapping[str, str]] | None = None,
    progress: StepProgress | None = None,
) -> "pd.DataFrame":
    """Every KPI as of a moment (docs/reference/published.md), of the company and of the members of each attribute `by`.

    `given` divides by what is no attribute: {"tier": {account_id: member}}. HistoryError where no month is closed.
    """
    from features.history.store import HistoryError
    from features.kpis import kpis

    found = kpis(
        project.history,
        as_of,
        timezone=project.timezone,
        churn_days=project.churn_days,
        by=by,
        labels=given,
        progress=by_bucket(progress, "KPIs"),
    )
    if found.empty:
        raise HistoryError(
            f"there is no KPI as of {as_of:%Y-%m-%d %H:%M} UTC: nothing is known from before the month that it lies in; "
            "ingest the sources, or take a later moment"
        )
    return found


def write_kpis(found: "pd.DataFrame", path: Path, currency: str) -> None:
    """Write KPIs as the path's suffix says: the published table as Parquet, CSV, or a picture of them over the months."""
    import pyarrow as pa

    if path.suffix == ".csv":
        write_table(found, path)
    elif path.suffix == ".parquet":
        from serving.publish.parquet import write_file
        from serving.publish.rows import in_key_order
        from serving.publish.tables import KPIS

        write_file(path, KPIS, in_key_order(KPIS, [pa.Table.from_pandas(found, preserve_index=False)]))
    else:
        from foresail.operations.plots import kpis

        kpis(found, path, currency)
