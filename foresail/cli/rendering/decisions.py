"""A plan on the terminal: who does what for whom by when, what it should bring, what is kept as control, and what more would be worth."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, grid, without_nan
from foresail.cli.rendering.interventions import NEVER, NOBODY

if TYPE_CHECKING:
    import pandas as pd

    from serving.interventions.decide.decisions import Decision
    from serving.interventions.declare.settings import InterventionSettings
    from serving.nightly import Planned

MOST_INTERVENTIONS, MOST_MISSED, MOST_MEMBERS, MOST_RESOURCES = 8, 3, 8, 8
"""So many are shown; the facts hold all."""
DIVISIONS = ("region", "industry", "owner")


def plan(planned: "Planned", told: "InterventionSettings", currency: str, timezone: str) -> Shown:
    """The plan, and the same as facts."""
    found = planned.found
    parts: list[RenderableType] = [_headline(planned, currency, timezone)]
    if found.interventions:
        parts += [_interventions(found, currency, timezone), *_more(len(found.interventions) - MOST_INTERVENTIONS)]
    if len(found.assignments):
        parts.append(_playbooks(found, currency))
    parts += [*_by_rules(found, currency), *_worth(found, told, currency)]
    for division in DIVISIONS:
        parts += _allocation(found, division, currency)
    parts += _missed(found)
    return Shown([*parts, *_remarks(planned)], _facts(planned, told))


def _headline(planned: "Planned", currency: str, timezone: str) -> str:
    value, (low, high) = planned.found.choice.plan.value, planned.found.choice.plan.interval
    count = counted(len(planned.found.interventions), "intervention")
    rests = f"by the scores of the night of {day(planned.night, timezone)}"
    if not planned.found.interventions:
        return f"nothing more to begin on {day(planned.at, timezone)} {rests}; `foresail interventions` shows what is begun"
    return (
        f"{count} for {day(planned.at, timezone)}, {rests}: "
        f"expected to bring {value:,.0f} {currency} after costs (95 %: {low:,.0f} to {high:,.0f})"
    )


def _interventions(found: "Decision", currency: str, timezone: str) -> RenderableType:
    names = found.choice.chosen.set_index("account_id")["name"]
    shown = grid("who", "does what", "for whom", "by when", "brings", "why", numbers=[4])
    shown.title = f"what is to be done first (amounts in {currency})"
    for one in found.interventions[:MOST_INTERVENTIONS]:
        first, due_at = one.steps[0] if one.steps else ("", one.due_at)
        does = f"{one.playbook}\n{first}".rstrip()
        name = names[one.account_id]
        whom = f"{name} ({one.account_id})" if isinstance(name, str) else one.account_id
        due = day(due_at, timezone) if due_at else NEVER
        who = f"{one.owner or NOBODY}\n{one.role}"
        shown.add_row(who, does, whom, due, f"{one.expected or 0.0:,.0f}", one.reason)
    return shown


def _more(others: int) -> list[RenderableType]:
    return [Text(f"and {others:,} more: --json has all", style="dim")] if others > 0 else []


def _playbooks(found: "Decision", currency: str) -> RenderableType:
    headings = ("playbook", "begun", "kept as control", "effect", f"cost, {currency}", f"brings, {currency}")
    shown = grid(*headings, numbers=[1, 2, 4, 5])
    shown.title = "by playbook"
    for name, row in _by_playbook(found).items():
        effect = _effect(row["effect"], row["effect_source"]) if row["begun"] else "–"
        cost, value = (f"{row[each]:,.0f}" for each in ("cost", "expected"))
        shown.add_row(name, f"{row['begun']:,}", f"{row['control']:,}", effect, cost, value)
    return shown


def _by_rules(found: "Decision", currency: str) -> Iterator[RenderableType]:
    """What rules begin comes first, whatever it brings: a plan should not hide what that costs."""
    own = found.choice.chosen[found.choice.chosen["must"].astype(bool)]
    if len(own):
        net, cost = float(own["net"].sum()), float(own["cost"].sum())
        said = f"of these, rules begin {len(own):,} whatever they bring: cost {cost:,.0f} {currency}, bring {net:,.0f} {currency}"
        yield Text(said, style="yellow" if net < 0 else "")


def _effect(effect: float, source: str) -> str:
    said = f"{effect * 100:.3g}%"
    return said if source == "learnt" else f"{said} {'assumed' if source == 'assumed' else 'assumed and learnt'}"


def _by_playbook(found: "Decision") -> dict[str, dict[str, Any]]:
    chosen, kept = found.choice.chosen, found.choice.kept
    control = kept.loc[kept["arm"] == "control", "playbook"].value_counts()
    return {
        str(name): {
            "begun": len(own),
            "control": int(control.get(name, 0)),
            "effect": float(own["effect"].mean()),
            "effect_source": None if own.empty else str(own["effect_source"].iloc[0]),
            "cost": float(own["cost"].sum()),
            "expected": float(own["net"].sum()),
        }
        for name in sorted({*chosen["playbook"], *control.index})
        for own in [chosen[chosen["playbook"] == name]]
    }


def _worth(found: "Decision", told: "InterventionSettings", currency: str) -> Iterator[RenderableType]:
    """What more capacity would be worth, of the resources that are used up."""
    scarce = sorted((row for row in _resources(found, told) if row["one_more"] > 0), key=lambda row: -row["one_more"])
    for row in scarce[:MOST_RESOURCES]:
        member = f"; one more {row['role']} is worth {row['one_more_member_a_month']:,.0f} {currency} a month"
        yield f"{row['resource']} is used up: one more place is worth {row['one_more']:,.0f} {currency}{member}"
    price = found.choice.plan.budget_price
    if price > 0:
        yield f"the budget is used up: one more {currency} is worth {price:,.2f} {currency} after costs"


def _resources(found: "Decision", told: "InterventionSettings") -> list[dict[str, Any]]:
    from serving.interventions.decide.resources import one_more_member

    own, choice = found.choice.resources, found.choice.plan
    return [
        {
            "resource": str(resource),
            "role": resource.role,
            "owner": resource.owner,
            "places": places,
            "left": left,
            "one_more": price,
            "one_more_member_a_month": one_more_member(resource, told, price),
        }
        for resource, places, left, price in zip(
            own.named, own.left.tolist(), choice.left.tolist(), choice.price.tolist(), strict=True
        )
    ]


def _allocation(found: "Decision", division: str, currency: str) -> list[RenderableType]:
    """Where the plan puts its interventions; nothing of a division that is not known of anybody."""
    rows = _divided(found, division)
    if len(rows) < 2:
        return []
    headings = (division, "interventions", f"cost, {currency}", f"brings, {currency}", f"one more, {currency}")
    shown = grid(*headings, numbers=[1, 2, 3, 4])
    shown.title = f"by {division}"
    for row in rows[:MOST_MEMBERS]:
        figures = (f"{row[name]:,.0f}" for name in ("interventions", "cost", "expected_value", "one_more"))
        shown.add_row(row["label"], *figures)
    return [shown, *_more(len(rows) - MOST_MEMBERS)]


def _divided(found: "Decision", division: str) -> list[dict[str, Any]]:
    if found.choice.offered.empty:
        return []
    rows = found.choice.by(division).reset_index(names="label").sort_values("expected_value", ascending=False)
    return _records(rows)


def _missed(found: "Decision") -> Iterator[RenderableType]:
    for row in _records(found.not_chosen.head(MOST_MISSED)):
        yield f"not chosen: {row['account_id']}, {row['playbook']} ({row['expected']:,.0f}): {row['why']}"


def _remarks(planned: "Planned") -> Iterator[RenderableType]:
    found = planned.found
    if found.interventions:
        yield f"within {found.choice.plan.gap:.2%} of the best possible plan"
    if any(one.effect_source != "learnt" for one in found.interventions):
        yield Text("effects are assumed until experiments speak: `foresail effects` tells", style="yellow")
    if planned.begun is None:
        yield Text("this is only shown: nothing is begun, and nobody is told", style="dim")
    else:
        yield f"begun: {planned.begun:,}; warnings: {len(found.warnings):,}"


def _facts(planned: "Planned", told: "InterventionSettings") -> Any:
    found, chosen = planned.found, planned.found.choice.plan
    facts: Mapping[str, Any] = {
        "as_of": planned.at,
        "night": planned.night,
        "begun": planned.begun,
        "expected_value": chosen.value,
        "interval": list(chosen.interval),
        "gap": chosen.gap,
        "budget_left": chosen.budget_left,
        "one_more_of_budget": chosen.budget_price,
        "interventions": [vars(one) | {"deadlines": list(map(vars, one.deadlines))} for one in found.interventions],
        "playbooks": _by_playbook(found),
        "resources": _resources(found, told),
        "assignments": _records(found.assignments),
        "not_chosen": _records(found.not_chosen),
        "warnings": _records(found.warnings),
        "allocation": {division: _divided(found, division) for division in DIVISIONS},
    }
    return without_nan(facts)


def _records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    from serving.interventions.run.write_decisions import records

    return records(rows)
