"""The interventions that are open: what is due, and who does it."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, moment, show

MOST = 50


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
    over HTTP: /v1/interventions (docs/interventions.md).

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


COMMANDS = {"Act": (interventions,)}
