"""What is declared of interventions, and whom it would mean today."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, opened, say

app = typer.Typer(no_args_is_help=True, help="Playbooks, rules and SLAs: list, and test on the newest data.")


@app.command("list")
def list_rules(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Every playbook, rule and SLA in use: the project's own, and those of the library that [library] chooses."""
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.rule_list(operations.entries(found), operations.rules_left_out(found)), as_json)


@app.command("test")
def try_rules(
    project: ProjectOption = HERE,
    rule: Annotated[
        list[str] | None, typer.Option(help="Only this playbook, rule or SLA, by name; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="How many of the accounts to name.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """How many accounts each condition holds for as of the last night, and which. Nothing is decided and nobody is told.

    SLAs are asked of the events of the 30 days before, as if every account had stood then where it stands now.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    with rendering.progress() as bars:
        tested = operations.try_rules(found, tuple(rule or ()), first, progress=bars)
    say(rendering.rules_tested(tested, operations.rules_left_out(found), found.timezone), as_json)
