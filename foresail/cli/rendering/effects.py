"""What playbooks did, on the terminal."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, grid, without_nan

if TYPE_CHECKING:
    from foresail.operations import EffectReport, PlaybookReport
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
    for one in report.playbooks:
        parts += [_table(one, currency) if one.effect.avoided else _title(one), *_said(one)]
    return Shown([*parts, Text(WHICH, style="dim")], without_nan([_facts(one) for one in report.playbooks]))


def _table(one: "PlaybookReport", currency: str) -> Table:
    effect = one.effect
    shown = grid("", "found", "95 %, one look", "95 %, any looks", "CUPED", numbers=(1, 2, 3, 4))
    shown.title = _title(one)
    for name, found, form in _rows(one, currency):
        shown.add_row(name, *_cells(found, form))
    shown.add_row(f"cost ({currency})", f"{effect.cost:,.0f}", "counted", "", "")
    for quadrant in effect.quadrants:
        size = f"{quadrant.treatment:,} / {quadrant.control:,}"
        shown.add_row(f"  {quadrant.quadrant or 'no quadrant'} ({size})", *_cells(quadrant.avoided, "{:+,.1f}"))
    return shown


def _title(one: "PlaybookReport") -> Text:
    verdict = one.effect.verdict
    return Text(f"{one.playbook} (for {one.target}): {verdict}", style=f"bold {STYLES[verdict]}")


def _rows(one: "PlaybookReport", currency: str) -> "Iterator[tuple[str, Difference | None, str]]":
    effect = one.effect
    yield ("churn avoided (accounts)" if one.is_risk else "won (accounts)"), effect.avoided, "{:+,.1f}"
    yield "share of what was at stake", effect.share, "{:+.1%}"
    yield f"of what was at stake ({currency})", effect.kept, "{:+,.0f}"
    yield f"the same less cost ({currency})", effect.kept_net, "{:+,.0f}"
    yield f"revenue gained within the horizon ({currency})", effect.revenue, "{:+,.0f}"
    yield f"net: that less cost ({currency})", effect.net, "{:+,.0f}"


def _cells(found: "Difference | None", form: str) -> tuple[str, str, str, str]:
    if found is None:
        return "not known", "", "", ""
    once, always = found.once, found.always
    removed = f"−{found.removed:.0%}" if found.removed else ""
    return (
        form.format(found.value),
        _between(once.low, once.high, form),
        _between(always.low, always.high, form),
        removed,
    )


def _between(low: float, high: float, form: str) -> str:
    return f"{form.format(low)} to {form.format(high)}"


def _said(one: "PlaybookReport") -> Iterator[str]:
    effect, assigned = one.effect, one.assigned
    out = "; ".join(f"{count:,} left out: {why}" for why, count in one.left_out.items())
    yield (
        f"assigned {assigned['treatment']:,} to treatment and {assigned['control']:,} to control; delivered {one.delivered:,}, "
        f"done {one.done:,}; measured {effect.treatment:,} and {effect.control:,}{'; ' + out if out else ''}"
    )
    yield from _power(one)
    if effect.is_harmful:
        yield "it loses accounts, or keeps less than it costs, beyond doubt: once learnt (--learn) it begins no more"
    if one.learnt_version is not None:
        yield f"registered as version {one.learnt_version}: decisions rest on it from now on"


def _power(one: "PlaybookReport") -> Iterator[str]:
    effect = one.effect
    if effect.avoided is None:
        yield "at least 30 measured accounts in each arm, some lost and some kept, are needed before anything can be said"
        return
    found = f"an effect of {effect.avoided.detectable:,.1f} accounts would be found by so many (80 % power)"
    needed = None if one.prior is None else effect.needed(one.prior)
    if needed is None or effect.verdict != "not yet known":
        yield found
        return
    yield f"{found}; an effect as assumed ({one.prior:.0%} of what is at stake) takes about {counted(round(needed), 'account')}"


def _facts(one: "PlaybookReport") -> dict[str, Any]:
    effect = one.effect
    return {
        "playbook": one.playbook, "target": one.target, "verdict": effect.verdict, "harmful": effect.is_harmful,
        "assigned": dict(one.assigned), "delivered": one.delivered, "done": one.done,
        "measured": {"treatment": effect.treatment, "control": effect.control}, "left_out": dict(one.left_out),
        "cost": effect.cost, **_figures(effect), "needed_for_prior": one.prior and effect.needed(one.prior),
        "learnt_version": one.learnt_version,
        "quadrants": [
            {**asdict(each), "avoided": _figure(each.avoided), "revenue": _figure(each.revenue)}
            for each in effect.quadrants
        ],
    }  # fmt: skip


def _figures(effect: "PlaybookEffect") -> dict[str, Any]:
    names = ("avoided", "share", "kept", "kept_net", "revenue", "net")
    return {name: _figure(getattr(effect, name)) for name in names}


def _figure(found: "Difference | None") -> dict[str, float] | None:
    if found is None:
        return None
    return {
        "value": found.value, "low": found.once.low, "high": found.once.high, "always_low": found.always.low,
        "always_high": found.always.high, "standard_error": found.once.standard_error,
        "detectable": found.detectable, "cuped_removed": found.removed,
    }  # fmt: skip
