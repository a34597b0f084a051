"""The declared playbooks, rules and SLAs, and the accounts that their conditions hold for today."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, show

app = typer.Typer(
    name="rules", no_args_is_help=True, help="Playbooks, rules and SLAs: list, and test on the newest data."
)
COMMANDS = {"Act": (app,)}


@app.command("list")
def list_rules(folder: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Every playbook, rule and SLA in use: the project's own, and those of the library that [library] chooses."""
    from foresail.cli.rendering.rules import rule_list
    from foresail.operations.rules import entries
    from serving.interventions.declare.library import unusable_playbooks

    project = load_project(folder)
    show(rule_list(entries(project), unusable_playbooks(project.library, project.standing.targets)), as_json)


@app.command("test")
def try_rules(
    folder: ProjectOption = HERE,
    rule: Annotated[
        list[str] | None, typer.Option(help="Only this playbook, rule or SLA, by name; may be repeated.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="How many of the accounts to name.")] = 5,
    as_json: JsonOption = False,
) -> None:
    """The number of accounts that each condition holds for as of the last night, and the first of them.

    Nothing is decided and no message is sent. The conditions of SLAs are tested on the events of the 30 days before, with
    the segments that each account has now.
    """
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.rules import rule_tests
    from foresail.operations.rules import try_rules
    from serving.interventions.declare.library import unusable_playbooks

    project = load_project(folder)
    with progress() as bars:
        tested = try_rules(project, tuple(rule or ()), first, progress=bars)
    show(rule_tests(tested, unusable_playbooks(project.library, project.standing.targets), project.timezone), as_json)
