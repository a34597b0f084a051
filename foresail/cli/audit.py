"""The audit log: who did what when, and proof that nobody has changed it since."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, opened, say

ALTERED = 10
app = typer.Typer(no_args_is_help=True, help="The audit log: read it, and verify that nobody has altered it.")


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="A head that an earlier verification told, written down elsewhere: the log must still contain it.",
        ),
    ] = None,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain of hashes from the first act to the last: an act that was altered, removed or put in between breaks it.

    What was cut off at the end does not break a chain. Write the head that is shown down where nobody of the database's
    administrators can change it, and give it as --head the next time. Exit code 10 if the log was altered.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = operations.verify_audit(opened(project), head)
    say(rendering.audit_verified(found), as_json)
    if not found.is_whole:
        raise typer.Exit(ALTERED)


@app.command("list")
def list_acts(
    subject: Annotated[str | None, typer.Option(help="Of one intervention, key or table alone.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many, the newest.")] = 20,
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Who did what when, the newest last. No act names an account: an intervention has an id of its own."""
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.acts(operations.acts(found, subject, last), found.timezone), as_json)
