"""What a night did, in a few lines that fit into a mail from cron."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown

if TYPE_CHECKING:
    from serving.nightly import NightResult


def night(result: "NightResult", timezone: str) -> Shown:
    """Accounts, scores, moves, events and failures, and what each step took."""
    facts = {**result.summary, "was_complete": result.was_complete, "seconds": dict(result.seconds)}
    return Shown(list(_lines(result, timezone)), facts)


def _lines(result: "NightResult", timezone: str) -> Iterator[RenderableType]:
    done = result.summary
    state = "was complete already; nothing was done" if result.was_complete else "is complete"
    yield f"the night of {_moment(done['as_of'], timezone)} {state}: {done['accounts']:,} accounts"
    yield "scored: " + ", ".join(f"{target} {count:,}" for target, count in done["scored"].items())
    moves = ", ".join(f"{scheme} {count:,}" for scheme, count in done["moves"].items()) or "none"
    yield f"moved: {moves}; with reasons: {done['explained']:,}; posted events folded in: {done['folded']:,}"
    for reason, count in done.get("refused", {}).items():
        yield Text(f"posted and refused: {count:,} of {reason}; `foresail quarantine` shows them", style="yellow")
    yield from _decided(done.get("decided"))
    yield from _age(result, timezone)
    if result.seconds:
        taken = ", ".join(f"{step} {seconds:.1f}" for step, seconds in result.seconds.items() if seconds >= 0.05)
        yield f"seconds: {taken}"


def _decided(decisions: Mapping[str, Any] | None) -> Iterator[str]:
    """What was begun, what was kept as control, and what it should bring; nothing where nothing is decided."""
    if decisions is None:
        return
    begun = ", ".join(f"{playbook} {count:,}" for playbook, count in decisions["interventions"].items()) or "nothing"
    yield f"begun: {begun}; kept as control: {decisions['control']:,}; warnings: {decisions['warnings']:,}"
    if decisions["interventions"]:
        yield f"expected to bring {decisions['expected_value']:,.0f} ({decisions['low']:,.0f} to {decisions['high']:,.0f})"


def _age(result: "NightResult", timezone: str) -> Iterator[RenderableType]:
    """How old the data is, where that is worth a word."""
    for source, problem in result.failures.items():
        yield Text(f"source {source} failed: {problem}", style="red")
    if result.failures:
        known = result.summary["data_as_of"]
        until = f"every source was read up to {_moment(known, timezone)}" if known else "a source was never read"
        yield Text(f"scores rest on what there is: {until}", style="yellow")


def _moment(text: str, timezone: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M}"
