"""Decisions and interventions: a plan with its expected value, its control group and its shadow prices; the open interventions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from foresail.cli.rendering.answers import Shown, counted, day, grid, without_nan

if TYPE_CHECKING:
    import pandas as pd

    from serving.interventions.decide.decisions import Decision
    from serving.interventions.declare.settings import InterventionSettings
    from serving.nightly import Planned

MOST_INTERVENTIONS, MOST_MISSED, MOST_MEMBERS, MOST_RESOURCES = 8, 3, 8, 8
"""So many are shown; the facts hold all."""
NOBODY, NEVER = "anybody", "–"
DIVISIONS = ("region", "industry", "owner")


def plan(planned: "Planned", settings: "InterventionSettings", currency: str, timezone: str) -> Shown:
    """The plan, and the same as facts."""
    decided = planned.found
    parts: list[RenderableType] = [_headline(planned, currency, timezone)]
    if decided.interventions:
        parts += [_interventions(decided, currency, timezone), *_more(len(decided.interventions) - MOST_INTERVENTIONS)]
    if len(decided.assignments):
        parts.append(_playbooks(decided, currency))
    parts += [*_by_rules(decided, currency), *_worth(decided, settings, currency)]
    for division in DIVISIONS:
        parts += _allocation(decided, division, currency)
    parts += _missed(decided)
    return Shown([*parts, *_remarks(planned)], _facts(planned, settings))


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


def _interventions(decided: "Decision", currency: str, timezone: str) -> RenderableType:
    names = decided.choice.chosen.set_index("account_id")["name"]
    shown = grid("who", "does what", "for whom", "by when", "brings", "why", numbers=[4])
    shown.title = f"what is to be done first (amounts in {currency})"
    for intervention in decided.interventions[:MOST_INTERVENTIONS]:
        first, due_at = intervention.steps[0] if intervention.steps else ("", intervention.due_at)
        does = f"{intervention.playbook}\n{first}".rstrip()
        name = names[intervention.account_id]
        whom = f"{name} ({intervention.account_id})" if isinstance(name, str) else intervention.account_id
        due = day(due_at, timezone) if due_at else NEVER
        who = f"{intervention.owner or NOBODY}\n{intervention.role}"
        shown.add_row(who, does, whom, due, f"{intervention.expected or 0.0:,.0f}", intervention.reason)
    return shown


def _more(others: int) -> list[RenderableType]:
    return [Text(f"and {others:,} more: --json has all", style="dim")] if others > 0 else []


def _playbooks(decided: "Decision", currency: str) -> RenderableType:
    headings = ("playbook", "begun", "kept as control", "effect", f"cost, {currency}", f"brings, {currency}")
    shown = grid(*headings, numbers=[1, 2, 4, 5])
    shown.title = "by playbook"
    for name, row in _by_playbook(decided).items():
        effect = _effect(row["effect"], row["effect_source"]) if row["begun"] else "–"
        cost, value = (f"{row[amount]:,.0f}" for amount in ("cost", "expected"))
        shown.add_row(name, f"{row['begun']:,}", f"{row['control']:,}", effect, cost, value)
    return shown


def _by_rules(decided: "Decision", currency: str) -> Iterator[RenderableType]:
    """What rules begin comes first, whatever it brings: a plan should not hide what that costs."""
    rows = decided.choice.chosen[decided.choice.chosen["must"].astype(bool)]
    if len(rows):
        net, cost = float(rows["net"].sum()), float(rows["cost"].sum())
        text = f"of these, rules begin {len(rows):,} whatever they bring: cost {cost:,.0f} {currency}, bring {net:,.0f} {currency}"
        yield Text(text, style="yellow" if net < 0 else "")


def _effect(effect: float, source: str) -> str:
    text = f"{effect * 100:.3g}%"
    return text if source == "learnt" else f"{text} {'assumed' if source == 'assumed' else 'assumed and learnt'}"


def _by_playbook(decided: "Decision") -> dict[str, dict[str, Any]]:
    chosen, kept = decided.choice.chosen, decided.choice.kept
    control = kept.loc[kept["arm"] == "control", "playbook"].value_counts()
    return {
        str(name): {
            "begun": len(rows),
            "control": int(control.get(name, 0)),
            "effect": float(rows["effect"].mean()),
            "effect_source": None if rows.empty else str(rows["effect_source"].iloc[0]),
            "cost": float(rows["cost"].sum()),
            "expected": float(rows["net"].sum()),
        }
        for name in sorted({*chosen["playbook"], *control.index})
        for rows in [chosen[chosen["playbook"] == name]]
    }


def _worth(decided: "Decision", settings: "InterventionSettings", currency: str) -> Iterator[RenderableType]:
    """What more capacity would be worth, of the resources that are used up."""
    scarce = sorted(
        (row for row in _resources(decided, settings) if row["one_more"] > 0), key=lambda row: -row["one_more"]
    )
    for row in scarce[:MOST_RESOURCES]:
        member = f"; one more {row['role']} is worth {row['one_more_member_a_month']:,.0f} {currency} a month"
        yield f"{row['resource']} is used up: one more place is worth {row['one_more']:,.0f} {currency}{member}"
    price = decided.choice.plan.budget_price
    if price > 0:
        yield f"the budget is used up: one more {currency} is worth {price:,.2f} {currency} after costs"


def _resources(decided: "Decision", settings: "InterventionSettings") -> list[dict[str, Any]]:
    from serving.interventions.decide.resources import one_more_member

    resources, choice = decided.choice.resources, decided.choice.plan
    return [
        {
            "resource": str(resource),
            "role": resource.role,
            "owner": resource.owner,
            "places": places,
            "left": left,
            "one_more": price,
            "one_more_member_a_month": one_more_member(resource, settings, price),
        }
        for resource, places, left, price in zip(
            resources.named, resources.left.tolist(), choice.left.tolist(), choice.price.tolist(), strict=True
        )
    ]


def _allocation(decided: "Decision", division: str, currency: str) -> list[RenderableType]:
    """Where the plan puts its interventions; nothing of a division that is not known of anybody."""
    rows = _divided(decided, division)
    if len(rows) < 2:
        return []
    headings = (division, "interventions", f"cost, {currency}", f"brings, {currency}", f"one more, {currency}")
    shown = grid(*headings, numbers=[1, 2, 3, 4])
    shown.title = f"by {division}"
    for row in rows[:MOST_MEMBERS]:
        figures = (f"{row[name]:,.0f}" for name in ("interventions", "cost", "expected_value", "one_more"))
        shown.add_row(row["label"], *figures)
    return [shown, *_more(len(rows) - MOST_MEMBERS)]


def _divided(decided: "Decision", division: str) -> list[dict[str, Any]]:
    if decided.choice.offered.empty:
        return []
    rows = decided.choice.by(division).reset_index(names="label").sort_values("expected_value", ascending=False)
    return _records(rows)


def _missed(decided: "Decision") -> Iterator[RenderableType]:
    for row in _records(decided.not_chosen.head(MOST_MISSED)):
        yield f"not chosen: {row['account_id']}, {row['playbook']} ({row['expected']:,.0f}): {row['why']}"


def _remarks(planned: "Planned") -> Iterator[RenderableType]:
    decided = planned.found
    if decided.interventions:
        yield f"within {decided.choice.plan.gap:.2%} of the best possible plan"
    if any(intervention.effect_source != "learnt" for intervention in decided.interventions):
        yield Text("effects are assumed until experiments speak: `foresail effects` tells", style="yellow")
    if planned.begun is None:
        yield Text("this is only shown: nothing is begun, and nobody is told", style="dim")
    else:
        yield f"begun: {planned.begun:,}; warnings: {len(decided.warnings):,}"


def _facts(planned: "Planned", settings: "InterventionSettings") -> Any:
    decided, chosen = planned.found, planned.found.choice.plan
    facts: Mapping[str, Any] = {
        "as_of": planned.at,
        "night": planned.night,
        "begun": planned.begun,
        "expected_value": chosen.value,
        "interval": list(chosen.interval),
        "gap": chosen.gap,
        "budget_left": chosen.budget_left,
        "one_more_of_budget": chosen.budget_price,
        "interventions": [
            vars(intervention) | {"deadlines": list(map(vars, intervention.deadlines))}
            for intervention in decided.interventions
        ],
        "playbooks": _by_playbook(decided),
        "resources": _resources(decided, settings),
        "assignments": _records(decided.assignments),
        "not_chosen": _records(decided.not_chosen),
        "warnings": _records(decided.warnings),
        "allocation": {division: _divided(decided, division) for division in DIVISIONS},
    }
    return without_nan(facts)


def _records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    from serving.interventions.run.write_decisions import records

    return records(rows)


def intervention_list(rows: Sequence[Any], has_others: bool, currency: str, timezone: str) -> Shown:
    """One line for each intervention."""
    facts = [dict(row._mapping) for row in rows]  # noqa: SLF001  SQLAlchemy's own name for a row as a mapping
    if not rows:
        return Shown(["nothing is to be done"], facts)
    table = grid("who", "does what", "for whom", "state", "all done by", f"brings, {currency}", "why", numbers=[5])
    for row in rows:
        brings = NEVER if row.expected is None else f"{row.expected:,.0f}"
        due = NEVER if row.due_at is None else day(row.due_at, timezone)
        who = f"{row.owner or NOBODY}\n{row.role}"
        state = f"{row.status}\n{row.outcome}" if row.outcome else row.status
        table.add_row(who, f"{row.playbook}\n{row.intervention_id}", row.account_id, state, due, brings, row.reason)
    more = [Text("and more: ask for more with --limit", style="dim")] if has_others else []
    return Shown([table, *more], facts)
