"""docs/reference/playbooks.md: the ready library, written from its declarations."""

from collections.abc import Iterator

from serving.interventions.declare.library import TARGET_KINDS, library
from serving.interventions.declare.settings import Playbook, Sla, Step


def playbooks_page() -> str:
    """How to choose from the library, then its playbooks, rules, SLAs and roles."""
    return "\n".join(
        [
            "# Playbooks",
            "",
            "A library of playbooks, rules and SLAs to begin with. Choose by name, or all:",
            "",
            "```toml",
            "[library]",
            'playbooks = ["win_back_offer", "quarterly_review"]',
            'rules     = "all"',
            'sla       = ["strategic_urgent"]',
            "```",
            "",
            *_promises(),
            "",
            *_playbooks(),
            *_rules(),
            *_slas(),
            *_tiers(),
            "",
        ]
    )


def _promises() -> Iterator[str]:
    growth, risk = " or ".join(TARGET_KINDS["growth"]), ", ".join(TARGET_KINDS["risk"])
    roles = ", ".join(f"`{name}`" for name in library().roles)
    yield from [
        "- A table of the same name in `foresail.toml` replaces an entry: `[playbooks.win_back_offer]` with a `when` of your own.",
        f"- The roles {roles} come along as far as chosen entries need them: the first two are the account's owner, the others",
        "  have no members yet, so that anybody may claim what is theirs. Declare `[roles.NAME]` to say who they are.",
        f"- `for` risk is the project's first target of kind {risk}, the first of these kinds that there is; growth is {growth}.",
        '  "all" leaves out what the project has no target for, and `foresail rules list` says so; by name it is an error.',
        "- **Effects and costs are assumptions.** An effect is the share of what is at stake that acting keeps or wins, until a",
        "  control has shown what it is; a cost is in the project's currency, at some 60 an hour of work. Put in your own.",
        "- A rule whose playbook is not in use only warns. One whose playbook is in use begins it **whatever it brings**, before all else and from the same",
        "  budget: look at `foresail decide --dry-run` before you choose all of them. Each playbook keeps a tenth of its accounts as control.",
        "- `h` is working time, `d` and `w` working days: 24h are about three days of a team that works from nine to six ([interventions](../guides/interventions.md)).",
        "",
        "[Rules](rules.md) says what the columns of a condition mean, `foresail rules test` whom it means today. Written by",
        "`python -m foresail.docgen.reference`.",
    ]


def _playbooks() -> Iterator[str]:
    yield "## Playbooks"
    for name, one in library().playbooks.items():
        yield from ["", f"### {name}", "", f"`{one.when}`", "", f"{one.say}", "", *_steps(one), "", _facts(one)]


def _facts(one: Playbook) -> str:
    return (
        f"For {one.outcome}, by {one.role}. Assumed: effect {one.effect.prior:.1%}, cost {one.cost:,.0f}. "
        f"Not again within {one.cooldown_days} days."
    )


def _steps(one: Playbook | Sla) -> Iterator[str]:
    yield from (f"{place}. {_step(step)}" for place, step in enumerate(one.steps, start=1))


def _step(step: Step) -> str:
    return f"{step.do}, within {step.within}"


def _rules() -> Iterator[str]:
    yield from ["", "## Rules", "", "| rule | when | severity | starts |", "| --- | --- | --- | --- |"]
    for name, one in library().rules.items():
        yield f"| `{name}` | `{one.when}` | {one.severity} | {one.start or '–'} |"


def _slas() -> Iterator[str]:
    yield from ["", "## SLAs"]
    for name, one in library().sla.items():
        yield from ["", f"### {name}", "", f"`{one.when}`", "", _promise(one), "", *_steps(one)]


def _promise(one: Sla) -> str:
    spans = {"claimed": one.claim_within, "resolved": one.resolve_within}
    until = ", ".join(f"{what} within {span}" for what, span in spans.items() if span is not None)
    hours = {None: "business hours", "always": "every hour"}.get(one.business_hours, str(one.business_hours))
    return f"Told at once: {', '.join(one.notify)}. To be {until}; otherwise to {one.escalate_to}. Counts {hours}."


def _tiers() -> Iterator[str]:
    yield from [
        "",
        "## Tiers by rule",
        "",
        "Who is `strategic` can be said by rule, too, as [segmentation](../explanation/segmentation.md) has it; `foresail init` writes this template:",
        "",
        "```toml",
        "[[tiers.rules]]",
        'tier = "strategic"',
        "yearly_purchases = 1000000        # over 1,000,000 a year",
        "min_years = 3                     # and at least 3 years",
        "willing_to_be_reference = true    # and willing to be a reference",
        "```",
    ]
