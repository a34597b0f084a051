"""Rows that broke a rule: kept apart, with the reason, and never twice."""

# ruff: noqa: S608  built from declared columns and quoted literals

import json

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.history.store import History

TABLE = "quarantine"

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("stream", pa.string()),
        ("kind", pa.string()),
        ("reason", pa.string()),
        ("row", pa.string()),
        ("row_id", pa.string()),
        ("as_of", pa.timestamp("us", tz="UTC")),
    ]
)
"""One refused row each. `kind` is the reason without the row's own value; `row` is the row that the select
returned, as JSON text; `row_id` identifies it among the rows of its source, equal rows being numbered; `as_of` is that
of the ingest that refused it first."""


def quarantined(history: History) -> pd.DataFrame:
    """Every refused row: source, stream, kind, reason, row (JSON text), row_id, as_of; ordered by the first five.

    Empty where nothing was ever refused. A row leaves when a later ingest accepts it, for example because it lay in
    the future then; all of a source's rows go when it is ingested under another mapping,
    but those that were posted, which no source brings again.
    """
    rows = stored(history, SCHEMA.names).sort_by([(name, "ascending") for name in SCHEMA.names[:6]])
    frame: pd.DataFrame = rows.to_pandas()
    return frame


def stored(history: History, columns: list[str]) -> pa.Table:
    """Columns of the quarantine table, in no particular order."""
    rows = history.rows_of(TABLE, columns)
    return pa.schema([SCHEMA.field(name) for name in columns]).empty_table() if rows is None else rows


def add(history: History, connection: duckdb.DuckDBPyConnection, refused: str) -> int:
    """Add the rows of the query `refused` (the columns of SCHEMA) that are not there yet, and give their number.

    One commit, or none where nothing is new.
    """
    connection.register("already_refused", stored(history, ["source", "stream", "row_id"]))
    known = "select 1 from already_refused a where (a.source, a.stream, a.row_id) = (r.source, r.stream, r.row_id)"
    query = f"select * from ({refused}) r where not exists ({known}) order by source, stream, kind, reason, row_id"
    new = connection.sql(query).to_arrow_table().cast(SCHEMA)
    connection.unregister("already_refused")
    if new.num_rows:
        history.append(TABLE, new)
    return int(new.num_rows)


def clear(history: History, source: str, stream: str) -> None:
    """Remove the rows of a source that were refused under an earlier mapping; nothing to do where there are none."""
    table = history.table(TABLE)
    if table is not None:
        quoted = [name.replace("'", "''") for name in (source, stream)]
        table.delete(f"source = '{quoted[0]}' and stream = '{quoted[1]}'")


def register_waiting(history: History, connection: duckdb.DuckDBPyConnection, source: str, stream: str) -> bool:
    """Create the table `foresail_waiting`, the account_ids of the refused rows of a source; whether there are any."""
    rows = _of_source(stored(history, ["source", "stream", "row"]), source, stream)["row"].to_pylist()
    accounts = {account for row in rows if (account := account_of(row)) is not None}
    connection.register("foresail_waiting", pa.table({"account_id": pa.array(sorted(accounts), pa.string())}))
    return bool(accounts)


def release(history: History, source: str, stream: str, accepted: frozenset[str]) -> int:
    """Take out of the quarantine the rows of a source that are accepted now; how many rows."""
    if not accepted:
        return 0
    rows = stored(history, SCHEMA.names)
    leaves = pc.and_(_is_of(rows, source, stream), pc.is_in(rows["row"], pa.array(sorted(accepted))))
    released = int(pc.sum(leaves).as_py() or 0)
    if released:
        history.rewrite(TABLE, rows.filter(pc.invert(leaves)))
    return released


def _of_source(rows: pa.Table, source: str, stream: str) -> pa.Table:
    return rows.filter(_is_of(rows, source, stream))


def _is_of(rows: pa.Table, source: str, stream: str) -> pa.ChunkedArray:
    return pc.and_(pc.equal(rows["source"], source), pc.equal(rows["stream"], stream))


def account_of(row: str) -> str | None:
    """The account_id as the select returned it; its name is written as the select writes it."""
    return {name.lower(): value for name, value in json.loads(row).items()}.get("account_id")


def counts(history: History) -> dict[tuple[str, str], dict[str, int]]:
    """Refused rows by (stream, source) and kind of reason."""
    keys = ["stream", "source", "kind"]
    rows = stored(history, keys)
    by_source: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows.group_by(keys).aggregate([([], "count_all")]).sort_by([(k, "ascending") for k in keys]).to_pylist():
        by_source.setdefault((row["stream"], row["source"]), {})[row["kind"]] = row["count_all"]
    return by_source
