"""Accounts that a request brings along: their event rows → checked events, by the rules and defaults of ingest.

The rows pass through the very query that `features.ingest` checks files with, so that an account sent
inline scores bit for bit as it would from the history.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from features.checked_rows import REFUSED, Bounds, staging_query
from features.events import Events
from features.history import canonical_order
from features.streams import STREAMS, Stream
from serving.api.problems import MALFORMED_EVENT, pointer, problem_of_errors

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Events after as_of are legal in a request: the score does not see them."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""By stream, rows by column; text and times as text, numbers as numbers."""

_ARROW = {"text": pa.string(), "time": pa.string(), "number": pa.float64()}


class InlineAccounts:
    """Checks rows in a DuckDB of its own, which can read nothing but them.

    Times without an offset are in `timezone`; those before `earliest` (aware) are refused.
    """

    def __init__(self, timezone: str, earliest: datetime) -> None:
        self.bounds = Bounds(earliest, FAR, timezone)
        self._database = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "enable_external_access": False,
                "threads": 1,
            }
        )

    def events(self, accounts: Sequence[tuple[str, Rows]]) -> list[Events]:
        """The events of each (account_id, rows). A Problem lists every row that breaks a rule, and where it stands."""
        checked = {name: self._checked(STREAMS[name], accounts) for name in STREAMS}
        refused = [error for _, errors in checked.values() for error in errors]
        if refused:
            raise problem_of_errors(MALFORMED_EVENT, refused)
        return [
            Events.from_rows({name: kept.get(str(number), []) for name, (kept, _) in checked.items()}, account)
            for number, (account, _) in enumerate(accounts)
        ]

    def _checked(
        self, stream: Stream, accounts: Sequence[tuple[str, Rows]]
    ) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, str]]]:
        """One stream's good rows by the account's number in the request, and what is wrong with the others."""
        places = [
            (number, row) for number, (_, rows) in enumerate(accounts) for row in range(len(rows.get(stream.name, ())))
        ]
        if not places:
            return {}, []
        kept: dict[str, list[dict[str, Any]]] = {}
        errors: list[tuple[int, dict[str, str]]] = []
        for row in self._judged(stream, _mapped(stream, accounts, places), _as_they_are(len(accounts))):
            if row["bucket"] == REFUSED:
                position = int(json.loads(row["row"])["position"])
                errors.append((position, _error(stream, row["refused_reason"], places[position])))
            else:
                kept.setdefault(row["account_id"], []).append(row)
        return kept, [error for _, error in sorted(errors, key=lambda error: error[0])]

    def _judged(self, stream: Stream, mapped: pa.Table, accounts: pa.Table) -> list[dict[str, Any]]:
        given = {field.name: "DOUBLE" if pa.types.is_floating(field.type) else "VARCHAR" for field in mapped.schema}
        staged = staging_query(stream, given, self.bounds)
        order = ", ".join(f"{name} nulls first" for name in canonical_order(stream))
        with self._database.cursor() as connection:
            connection.execute(f"set TimeZone = '{self.bounds.timezone}'")
            connection.register("mapped", mapped)
            connection.register("foresail_accounts", accounts)
            # As ingest: of equal identities, the first in canonical order stays.
            repetition = f"row_number() over (partition by account_id, event_id order by {order})"
            distinct = f"select * from ({staged}) qualify bucket = {REFUSED} or {repetition} = 1"  # noqa: S608 - ours
            query = f"select * replace ({_times_of_kept(stream)}) from ({distinct})"  # noqa: S608 - ours alone
            rows: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
            return rows


def _as_they_are(accounts: int) -> pa.Table:
    """What ingest works out of each account, for accounts that come with all their rows: none is merged or erased."""
    numbers = pa.array(range(accounts), pa.int32())
    ids = numbers.cast(pa.string())
    unmerged = pa.nulls(accounts, pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "given": ids,
            "surviving": ids,
            "merged_at": unmerged,
            "bucket": pa.repeat(pa.scalar(0, pa.int32()), accounts),
            "place": numbers,
        }
    )


def _times_of_kept(stream: Stream) -> str:
    """The times of refused rows as null: nobody asks for them, and they may lie where Python has no datetime."""
    times = [column.name for column in stream.columns if column.type == "time"]
    return ", ".join(f"case when bucket != {REFUSED} then {name} end as {name}" for name in times)


def _mapped(stream: Stream, accounts: Sequence[tuple[str, Rows]], places: Sequence[tuple[int, int]]) -> pa.Table:
    # The account's number stands for its id, which is a label here: checking must not change or refuse it.
    rows = [{**accounts[number][1][stream.name][row], "account_id": str(number)} for number, row in places]
    named = {name for row in rows for name in row}
    columns = {
        column.name: pa.array([row.get(column.name) for row in rows], _ARROW[column.type])
        for column in stream.columns
        if column.name in named
    }
    return pa.table({**columns, "position": pa.array([str(position) for position in range(len(rows))])})


def _error(stream: Stream, reason: str, place: tuple[int, int]) -> dict[str, str]:
    account, row = place
    return {
        "detail": f"row {row} of {stream.name}: {reason}",
        "pointer": pointer("accounts", account, "events", stream.name, row),
    }
