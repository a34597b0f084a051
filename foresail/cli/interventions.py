"""What is to be done now, and by whom."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, moment, opened, say

MOST = 50


def interventions(
    owner: Annotated[str | None, typer.Option(help="Of one person alone.")] = None,
    playbook: Annotated[str | None, typer.Option(help="Of one playbook, or one SLA, alone.")] = None,
    account: Annotated[str | None, typer.Option(help="For one account alone.")] = None,
    due_before: Annotated[str | None, typer.Option(metavar="DATE", help="Only what is due before then.")] = None,
    closed: Annotated[bool, typer.Option("--closed", help="What is done, dismissed or expired, too.")] = False,
    last: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = MOST,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Who is to do what for whom until when, the earliest due first.

    Everything that the night, `foresail decide`, rules and SLAs have begun and that is not over. People work through them
    over HTTP: /v1/interventions (docs/interventions.md).

    foresail interventions --owner Ann     foresail interventions --due-before 2026-03-06
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    asked = {"owner": owner, "playbook": playbook, "account_id": account}
    until = None if due_before is None else moment(found, due_before)
    rows, others = operations.interventions(found, asked, until, with_closed=closed, limit=last)
    say(rendering.interventions(rows, others, found.currency, found.timezone), as_json)
