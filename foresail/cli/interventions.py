"""Interventions: those that a decision begins, and those that are open."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, moment, show

MOST = 50


def decide(
    folder: ProjectOption = HERE,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The moment of the decision: a date or an ISO timestamp; default: the moment of the last night.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan; begin nothing and send no message.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Which account gets which intervention, by whom and until when: the most value within this week's capacity.

    Uses the scores of the last night. The night decides by itself; this command decides again between two nights, with the
    capacity that is left of the week. Earlier decisions stay. A random share of the accounts of every playbook is kept as
    control (docs/explanation/decide.md).
    """
    from features.timestamps import now
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.decisions import plan
    from foresail.operations import nightly

    project = load_project(folder)
    at = None if as_of is None else moment(project, as_of)
    with progress() as bars:
        planned = nightly.decide(project, now, at=at, dry_run=dry_run, progress=bars)
    show(plan(planned, project.interventions, project.currency, project.timezone), as_json)


def interventions(
    owner: Annotated[str | None, typer.Option(help="Only those of this person.")] = None,
    playbook: Annotated[str | None, typer.Option(help="Only those of this playbook or SLA.")] = None,
    account: Annotated[str | None, typer.Option(help="Only those for this account.")] = None,
    due_before: Annotated[str | None, typer.Option(metavar="DATE", help="Only those that are due before then.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="Those that are done, dismissed or expired, too.")] = False,
    last: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = MOST,
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Open interventions: who does what for which account until when, the earliest due first.

    All that the night, `foresail decide`, rules and SLAs have begun and that is not closed. People work through them
    over HTTP: /v1/interventions (docs/guides/interventions.md).

    foresail interventions --owner Ann     foresail interventions --due-before 2026-03-06
    """
    from foresail.cli.rendering.decisions import intervention_list
    from serving.database.engine import reading
    from serving.database.intervention_states import CLOSED, OPEN
    from serving.interventions.run.listing import interventions_page

    project = load_project(folder)
    wanted = {"owner": owner, "playbook": playbook, "account_id": account}
    filters = {name: [word] for name, word in wanted.items() if word is not None}
    filters["status"] = [*OPEN, *CLOSED] if closed else [*OPEN]
    until = None if due_before is None else moment(project, due_before)
    with reading(project.engine()) as connection:
        rows, next_page = interventions_page(connection, filters, until, last, None)
    show(intervention_list(rows, next_page is not None, project.currency, project.timezone), as_json)


COMMANDS = {"Act": (decide, interventions)}
