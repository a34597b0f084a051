"""Accounts that a request brings along: their event rows → checked events, by the rules and defaults of ingest.

An account sent inline scores bit for bit as it would from the history.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from features.engine.events import Events
from features.history.ingest.validation import REFUSED, Bounds
from features.history.streams import STREAMS, Stream
from features.rows import Rows
from serving.accounts.checks import POSITION, Checks
from serving.errors import MalformedEvent, pointer

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Events after as_of are legal in a request: the score does not see them."""


class Brought(NamedTuple):
    """An account's rows by stream, and where in the request they stand."""

    account_id: str
    rows: Rows
    """Text and times as text, numbers as numbers."""
    place: tuple[str | int, ...]


class InlineAccounts:
    """Times without an offset are in `timezone`; those before `earliest` (aware) are refused."""

    def __init__(self, timezone: str, earliest: datetime) -> None:
        self.earliest, self.timezone = earliest, timezone
        self.checks = Checks()

    def events(self, accounts: Sequence[tuple[str, Rows]]) -> list[Events]:
        """The events of each (account_id, rows). MalformedEvent lists every row that breaks a rule, and where it stands."""
        brought = [
            Brought(account, rows, ("accounts", number, "events")) for number, (account, rows) in enumerate(accounts)
        ]
        return [
            Events.from_rows(rows, account) for rows, (account, _) in zip(self.checked(brought), accounts, strict=True)
        ]

    def checked(
        self, brought: Sequence[Brought], until: datetime = FAR, *, as_known: bool = False
    ) -> list[dict[str, list[dict[str, Any]]]]:
        """The rows of each account by stream, in their types and with defaults filled; times after `until` break a rule too.

        `as_known`: the accounts are known ones, each once, and an event without an event_id has that of the history.
        MalformedEvent lists every row that breaks one, and where it stands.
        """
        bounds = Bounds(self.earliest, until, self.timezone)
        # Else a number stands for the id: checking must not change or refuse it.
        labels = [one.account_id if as_known else str(number) for number, one in enumerate(brought)]
        by_stream = {name: self._of_stream(stream, brought, labels, bounds) for name, stream in STREAMS.items()}
        refused = [error for _, errors in by_stream.values() for error in errors]
        if refused:
            raise MalformedEvent.of_items(refused)
        return [{name: kept.get(label, []) for name, (kept, _) in by_stream.items()} for label in labels]

    def _of_stream(
        self, stream: Stream, brought: Sequence[Brought], labels: Sequence[str], bounds: Bounds
    ) -> tuple[dict[str, list[dict[str, Any]]], list[dict[str, str]]]:
        """One stream's good rows by the account's label, and what is wrong with the others."""
        places = [
            (number, row) for number, one in enumerate(brought) for row in range(len(one.rows.get(stream.name, ())))
        ]
        if not places:
            return {}, []
        rows = [{**brought[number].rows[stream.name][row], "account_id": labels[number]} for number, row in places]
        kept: dict[str, list[dict[str, Any]]] = {}
        errors: list[tuple[int, dict[str, str]]] = []
        for row in self.checks.of_labels(stream, rows, labels, bounds):
            if row["bucket"] == REFUSED:
                position = int(json.loads(row["row"])[POSITION])
                number, in_stream = places[position]
                errors.append((position, _error(stream, row["refused_reason"], brought[number].place, in_stream)))
            else:
                kept.setdefault(row["account_id"], []).append(row)
        return kept, [error for _, error in sorted(errors, key=lambda error: error[0])]


def _error(stream: Stream, reason: str, place: tuple[str | int, ...], row: int) -> dict[str, str]:
    return {"detail": f"row {row} of {stream.name}: {reason}", "pointer": pointer(*place, stream.name, row)}
