"""Rows that a request brings along, checked by the rules and defaults of ingest.

They pass through the very query that `features.history.ingest.ingestion` checks files with, so that a row means the same in a request
and in a file.
"""

# ruff: noqa: S608  built from declared columns and quoted literals

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from features.history.ingest.validation import REFUSED, Bounds, accounts_query, staging_query
from features.history.store import TEXT, TIME, canonical_order
from features.history.streams import Stream
from features.locked_duckdb import locked_duckdb
from features.rows import Row

ARROW = {"text": pa.string(), "time": pa.string(), "number": pa.float64()}
POSITION = "position"
"""A column beside the stream's: where a row stands in the request, as text. It comes back in the JSON of a row."""


class Checks:
    """Checks rows in a DuckDB of its own, which can read nothing but them. Safe to use from several threads.

    Every answer is rows as `staging_query` gives them: the stream's columns in their types and with defaults filled, or
    `bucket` REFUSED with the reason. Times without an offset are in the timezone of the bounds.
    """

    def __init__(self) -> None:
        self._database = locked_duckdb(threads=1)

    def of_labels(
        self, stream: Stream, rows: Sequence[Row], labels: Sequence[str], bounds: Bounds
    ) -> list[dict[str, Any]]:
        """The refused rows, and of equal identities the first in canonical order.

        Account ids are labels, distinct, which must be such that ingest would neither change nor refuse them.
        """
        order = ", ".join(f"{name} nulls first" for name in canonical_order(stream))
        repetition = f"row_number() over (partition by account_id, event_id order by {order})"
        distinct = f"select * from ({{staged}}) qualify bucket = {REFUSED} or {repetition} = 1"
        return self._judged(stream, rows, bounds, {"foresail_accounts": _as_they_are(labels)}, distinct)

    def of_ids(self, stream: Stream, rows: Sequence[Row], bounds: Bounds) -> list[dict[str, Any]]:
        """Every row, good or refused, each with its JSON in `row`. Account ids are judged as ingest judges them."""
        # Who was merged or erased stands in the history, which the night knows.
        nobody = {
            "foresail_merged": pa.table({"absorbed": pa.nulls(0, TEXT), "survivor": pa.nulls(0, TEXT), "merged_at": pa.nulls(0, TIME)}),
            "foresail_forgotten": pa.table({"fingerprint": pa.nulls(0, TEXT)}),
        }  # fmt: skip
        everybody = {"foresail_waiting": pa.table({"account_id": pa.array({row["account_id"] for row in rows}, TEXT)})}
        return self._judged(stream, rows, bounds, nobody | everybody, "{staged}")

    def _judged(
        self, stream: Stream, rows: Sequence[Row], bounds: Bounds, tables: Mapping[str, pa.Table], query: str
    ) -> list[dict[str, Any]]:
        mapped = _mapped(stream, rows)
        given = {field.name: "DOUBLE" if pa.types.is_floating(field.type) else "VARCHAR" for field in mapped.schema}
        staged = staging_query(stream, given, bounds, awaited="foresail_waiting" in tables)
        with self._database.cursor() as connection:
            connection.execute(f"set TimeZone = '{bounds.timezone}'")
            for name, table in {"mapped": mapped, **tables}.items():
                connection.register(name, table)
            if "foresail_accounts" not in tables:
                accounts = accounts_query(stream, given, buckets=1)
                connection.execute(f"create temp table foresail_accounts as {accounts}")
            kept = f"select * replace ({_times_of_kept(stream)}) from ({query.format(staged=staged)})"
            judged: list[dict[str, Any]] = connection.sql(kept).to_arrow_table().to_pylist()
            return judged


def _as_they_are(labels: Sequence[str]) -> pa.Table:
    """What ingest works out of each account, for accounts that come with all their rows: none is merged or erased."""
    ids = pa.array(labels, pa.string())
    return pa.table(
        {
            "given": ids,
            "surviving": ids,
            "merged_at": pa.nulls(len(ids), TIME),
            "bucket": pa.repeat(pa.scalar(0, pa.int32()), len(ids)),
            "place": pa.array(range(len(ids)), pa.int32()),
        }
    )


def _times_of_kept(stream: Stream) -> str:
    """The times of refused rows as null: nobody asks for them, and they may lie where Python has no datetime."""
    times = [column.name for column in stream.columns if column.type == "time"]
    return ", ".join(f"case when bucket != {REFUSED} then {name} end as {name}" for name in times)


def _mapped(stream: Stream, rows: Sequence[Row]) -> pa.Table:
    named = {name for row in rows for name in row}
    columns = {
        column.name: pa.array([row.get(column.name) for row in rows], ARROW[column.type])
        for column in stream.columns
        if column.name in named
    }
    return pa.table({**columns, POSITION: pa.array([str(position) for position in range(len(rows))])})
