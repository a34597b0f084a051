"""What playbooks did, on the terminal."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, grid, without_nan

if TYPE_CHECKING:
    from foresail.operations.effect_report import EffectReport, PlaybookReport
    from training.experiments import Difference, PlaybookEffect

STYLES = {"works": "green", "harms": "red", "not yet known": "yellow"}
WHICH = (
    "Which interval: who looks again and again (and this command does at every call) may trust the one for any number of "
    "looks alone; the one for a single look is right only on a day that was set before the experiment began. Quadrants are "
    "many looks at once: take them as hints. Interventions begun for other reasons in either arm are part of both."
)


def effects(report: "EffectReport", currency: str, timezone: str) -> Shown:
    """A table for each playbook, and which of its intervals is to be believed."""
    if not report.playbooks:
        return Shown([f"nobody was assigned to a playbook by {day(report.known_by, timezone)}"], [])
    parts: list[RenderableType] = []
    for playbook in report.playbooks:
        parts += [_table(playbook, currency) if playbook.effect.avoided else _title(playbook), *_summary(playbook)]
    return Shown([*parts, Text(WHICH, style="dim")], without_nan([_facts(playbook) for playbook in report.playbooks]))


def _table(playbook: "PlaybookReport", currency: str) -> Table:
    effect = playbook.effect
    shown = grid("", "found", "95 %, one look", "95 %, any looks", "CUPED", numbers=(1, 2, 3, 4))
    shown.title = _title(playbook)
    for name, difference, form in _rows(playbook, currency):
        shown.add_row(name, *_cells(difference, form))
    shown.add_row(f"cost ({currency})", f"{effect.cost:,.0f}", "counted", "", "")
    for quadrant in effect.quadrants:
        size = f"{quadrant.treatment:,} / {quadrant.control:,}"
        shown.add_row(f"  {quadrant.quadrant or 'no quadrant'} ({size})", *_cells(quadrant.avoided, "{:+,.1f}"))
    return shown


def _title(playbook: "PlaybookReport") -> Text:
    verdict = playbook.effect.verdict
    return Text(f"{playbook.playbook} (for {playbook.target}): {verdict}", style=f"bold {STYLES[verdict]}")


def _rows(playbook: "PlaybookReport", currency: str) -> "Iterator[tuple[str, Difference | None, str]]":
    effect = playbook.effect
    yield ("churn avoided (accounts)" if playbook.is_risk else "won (accounts)"), effect.avoided, "{:+,.1f}"
    yield "share of what was at stake", effect.share, "{:+.1%}"
    yield f"of what was at stake ({currency})", effect.kept, "{:+,.0f}"
    yield f"the same less cost ({currency})", effect.kept_net, "{:+,.0f}"
    yield f"revenue gained within the horizon ({currency})", effect.revenue, "{:+,.0f}"
    yield f"net: that less cost ({currency})", effect.net, "{:+,.0f}"


def _cells(difference: "Difference | None", form: str) -> tuple[str, str, str, str]:
    if difference is None:
        return "not known", "", "", ""
    once, always = difference.once, difference.always
    removed = f"−{difference.removed:.0%}" if difference.removed else ""
    return (
        form.format(difference.value),
        _between(once.low, once.high, form),
        _between(always.low, always.high, form),
        removed,
    )


def _between(low: float, high: float, form: str) -> str:
    return f"{form.format(low)} to {form.format(high)}"


def _summary(playbook: "PlaybookReport") -> Iterator[str]:
    effect, assigned = playbook.effect, playbook.assigned
    out = "; ".join(f"{count:,} left out: {why}" for why, count in playbook.left_out.items())
    yield (
        f"assigned {assigned['treatment']:,} to treatment and {assigned['control']:,} to control; delivered {playbook.delivered:,}, "
        f"done {playbook.done:,}; measured {effect.treatment:,} and {effect.control:,}{'; ' + out if out else ''}"
    )
    yield from _power(playbook)
    if effect.is_harmful:
        yield "it loses accounts, or keeps less than it costs, beyond doubt: once learnt (--learn) it begins no more"
    if playbook.learnt_version is not None:
        yield f"registered as version {playbook.learnt_version}: decisions rest on it from now on"


def _power(playbook: "PlaybookReport") -> Iterator[str]:
    effect = playbook.effect
    if effect.avoided is None:
        yield "at least 30 measured accounts in each arm, some lost and some kept, are needed before anything can be said"
        return
    text = f"an effect of {effect.avoided.detectable:,.1f} accounts would be found by so many (80 % power)"
    needed = None if playbook.prior is None else effect.needed(playbook.prior)
    if needed is None or effect.verdict != "not yet known":
        yield text
        return
    yield f"{text}; an effect as assumed ({playbook.prior:.0%} of what is at stake) takes about {counted(round(needed), 'account')}"


def _facts(playbook: "PlaybookReport") -> dict[str, Any]:
    effect = playbook.effect
    return {
        "playbook": playbook.playbook, "target": playbook.target, "verdict": effect.verdict, "harmful": effect.is_harmful,
        "assigned": dict(playbook.assigned), "delivered": playbook.delivered, "done": playbook.done,
        "measured": {"treatment": effect.treatment, "control": effect.control}, "left_out": dict(playbook.left_out),
        "cost": effect.cost, **_figures(effect), "needed_for_prior": playbook.prior and effect.needed(playbook.prior),
        "learnt_version": playbook.learnt_version,
        "quadrants": [
            {**asdict(quadrant), "avoided": _figure(quadrant.avoided), "revenue": _figure(quadrant.revenue)}
            for quadrant in effect.quadrants
        ],
    }  # fmt: skip


def _figures(effect: "PlaybookEffect") -> dict[str, Any]:
    names = ("avoided", "share", "kept", "kept_net", "revenue", "net")
    return {name: _figure(getattr(effect, name)) for name in names}


def _figure(difference: "Difference | None") -> dict[str, float] | None:
    if difference is None:
        return None
    return {
        "value": difference.value, "low": difference.once.low, "high": difference.once.high, "always_low": difference.always.low,
        "always_high": difference.always.high, "standard_error": difference.once.standard_error,
        "detectable": difference.detectable, "cuped_removed": difference.removed,
    }  # fmt: skip
