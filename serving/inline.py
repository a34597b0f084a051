"""Accounts that a request brings along: their event rows → checked events, by the rules and defaults of ingest.

An account sent inline scores bit for bit as it would from the history.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from features.checked_rows import REFUSED, Bounds
from features.events import Events
from features.streams import STREAMS, Stream
from serving.api.problems import MALFORMED_EVENT, pointer, problem_of_errors
from serving.checks import POSITION, Checks

FAR = datetime(9999, 1, 1, tzinfo=UTC)
"""Events after as_of are legal in a request: the score does not see them."""

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
"""By stream, rows by column; text and times as text, numbers as numbers."""


class InlineAccounts:
    """Times without an offset are in `timezone`; those before `earliest` (aware) are refused."""

    def __init__(self, timezone: str, earliest: datetime) -> None:
        self.bounds = Bounds(earliest, FAR, timezone)
        self.checks = Checks()

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
        # The account's number stands for its id, which is a label here: checking must not change or refuse it.
        rows = [{**accounts[number][1][stream.name][row], "account_id": str(number)} for number, row in places]
        kept: dict[str, list[dict[str, Any]]] = {}
        errors: list[tuple[int, dict[str, str]]] = []
        for row in self.checks.of_labels(stream, rows, len(accounts), self.bounds):
            if row["bucket"] == REFUSED:
                position = int(json.loads(row["row"])[POSITION])
                errors.append((position, _error(stream, row["refused_reason"], places[position])))
            else:
                kept.setdefault(row["account_id"], []).append(row)
        return kept, [error for _, error in sorted(errors, key=lambda error: error[0])]


def _error(stream: Stream, reason: str, place: tuple[int, int]) -> dict[str, str]:
    account, row = place
    return {
        "detail": f"row {row} of {stream.name}: {reason}",
        "pointer": pointer("accounts", account, "events", stream.name, row),
    }
