"""Playbooks, rules and SLAs on the terminal, and whom they mean."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, grid

if TYPE_CHECKING:
    from foresail.operations.rules import Entry, Match, Tested

TITLES = {"playbook": "playbooks", "rule": "rules", "sla": "SLAs"}


def rule_list(entries: "Sequence[Entry]", left_out: Mapping[str, str]) -> Shown:
    """What is in use, kind by kind, and what the library has that this project cannot use."""
    parts: list[RenderableType] = []
    for kind, title in TITLES.items():
        rows = [entry for entry in entries if entry.kind == kind]
        if rows:
            shown = grid("name", "from", "when", "then")
            shown.title = title
            for entry in rows:
                shown.add_row(entry.name, entry.origin, entry.when, entry.does)
            parts.append(shown)
    nothing = "nothing is declared; docs/reference/playbooks.md lists what [library] can bring"
    parts = parts or [nothing]
    parts += [Text(f"left out: {name}: {why}", style="dim") for name, why in left_out.items()]
    return Shown(parts, {"entries": [vars(entry) for entry in entries], "left_out": dict(left_out)})


def rule_tests(tested: "Tested", left_out: Mapping[str, str], timezone: str) -> Shown:
    """Of each condition how many it holds for, and who the first of them are."""
    facts = {
        "as_of": tested.as_of,
        "accounts": tested.accounts,
        "events": tested.events,
        "matches": [_facts(match) for match in tested.matches],
        "left_out": dict(left_out),
    }
    return Shown(list(_tested(tested, left_out, timezone)), facts)


def _tested(tested: "Tested", left_out: Mapping[str, str], timezone: str) -> Iterator[RenderableType]:
    yield f"as of the night of {day(tested.as_of, timezone)}: {counted(tested.accounts, 'account')}"
    for kind, title in TITLES.items():
        matches = [match for match in tested.matches if match.entry.kind == kind]
        if matches:
            shown = grid(title, "accounts", "share", "first, by value at stake", numbers=(1, 2))
            for match in matches:
                share = f"{match.accounts / tested.accounts:.1%}"
                shown.add_row(match.entry.name, f"{match.accounts:,}", share, ", ".join(_names(match)) or "–")
            yield shown
    if any(match.entry.kind == "sla" for match in tested.matches):
        yield Text(f"SLAs were asked of {counted(tested.events, 'event')} of the 30 days before", style="dim")
    yield from (Text(f"left out: {name}: {why}", style="dim") for name, why in left_out.items())


def _names(match: "Match") -> Iterator[str]:
    yield from (name or account_id for account_id, name in match.first)
    more = match.accounts - len(match.first)
    if more > 0 and match.first:
        yield f"and {more:,} more"


def _facts(match: "Match") -> dict[str, Any]:
    first = [{"account_id": account_id, "name": name} for account_id, name in match.first]
    return {**vars(match.entry), "held": match.held, "accounts": match.accounts, "first": first}
