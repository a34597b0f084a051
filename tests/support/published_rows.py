"""A few rows of every published table, and the files that hold them for good: python tests/support/published_rows.py writes new versions."""

import json
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).parents[2]))

from serving.publish.parquet import publish_parquet
from serving.publish.tables import TABLES

GOLDEN = Path(__file__).parents[1] / "integration" / "serving" / "golden"
AS_OF = datetime(2026, 1, 31, 23, 0, tzinfo=UTC)
REASON = {"feature": "f", "value": 61.5, "direction": "raises", "size": 0.7, "words": 'no "order", for 60 days\n'}

ROWS = {
    "accounts": [
        {"account_id": "b", "as_of": AS_OF, "opted_out": "yes"},
        {"account_id": "a", "as_of": AS_OF, "name": "", "region": "north, far", "opted_out": "no", "value": 1e-17, "tier": "growth",
         "founded_at": datetime(1066, 10, 14, tzinfo=UTC)},
    ],
    "scores": [
        {"account_id": "ä", "target": "churn", "as_of": AS_OF, "horizon_days": 90, "probability": 0.1 + 0.2, "percentile": 1.0,
         "band": "high", "model_version": "3", "reasons": [REASON], "data_as_of": AS_OF},
        {"account_id": "a", "target": "value", "as_of": AS_OF, "horizon_days": 365, "model_version": "1", "why_not": "too young"},
        {"account_id": "a", "target": "churn", "as_of": AS_OF, "horizon_days": 90, "probability": 0.0, "model_version": "3", "reasons": []},
    ],
    "score_history": [
        {"account_id": "a", "target": "churn", "as_of": AS_OF, "answer": 0.25, "percentile": 0.5, "band": "low", "model_version": "3"}
    ],
    "tier_moves": [
        {"account_id": "a", "scheme": "tier", "as_of": AS_OF, "before": None, "after": "growth", "why": "first segmentation"}
    ],
    "health": [{"account_id": "a", "as_of": AS_OF, "health": 61.0, "satisfaction": None, "contribution": 50.0, "exposure": 72.0}],
    "kpis": [
        {"as_of": AS_OF, "kpi": "nps", "period": "month", "period_start": date(2025, 12, 1), "period_end": date(2026, 1, 1),
         "dimension": "all", "member": "all", "value": -12.5, "unit": "points", "n": 8}
    ],
}  # fmt: skip


def rows(name, given=None):
    """The rows of a table, as Arrow; columns that no row gives are left out."""
    given = ROWS[name] if given is None else given
    columns = [column for column in TABLES[name].schema.names if any(column in row for row in given)]
    return pa.table(
        {
            column: pa.array([row.get(column) for row in given], TABLES[name].schema.field(column).type)
            for column in columns
        }
    )


def described(table):
    """A table's schema, as a golden file holds it: everything that a reader relies on."""
    columns = [{"name": one.name, "type": one.type, "unit": one.unit, "null": bool(one.null)} for one in table.columns]
    return {
        "table": table.name,
        "version": table.version,
        "key": list(table.key),
        "grows": table.grows,
        "columns": columns,
    }


def golden(table):
    """Where the schema and the content of the present version are kept."""
    return GOLDEN / f"{table.name}-{table.version}.json", GOLDEN / f"{table.name}-{table.version}.parquet"


if __name__ == "__main__":
    for name, table in TABLES.items():
        schema, content = golden(table)
        if not schema.exists():
            schema.write_text(json.dumps(described(table), indent=1) + "\n", encoding="utf-8")
            publish_parquet(GOLDEN, table, [rows(name)], AS_OF).path.rename(content)
    for folder in (GOLDEN / "score_history", GOLDEN / "tier_moves"):
        folder.rmdir()
