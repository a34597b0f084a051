"""API keys of the service: who may ask it what."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, opened, say

app = typer.Typer(no_args_is_help=True, help="API keys of the HTTP service: create, list, revoke.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help='Whose key it is, for people: "CRM", "shop".')],
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it is good for: score, events, interventions or admin, which is everything; may be repeated."
        ),
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once: what is kept of it cannot be turned back into it."""
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.key_created(*operations.create_key(found, name, scope, now())), as_json)


@app.command("list")
def list_keys(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Every key: whose it is, what it is good for, and whether it is revoked."""
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.key_list(operations.listed_keys(found), found.timezone), as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `foresail keys list` shows it.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """End a key. A running service refuses it within seconds."""
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.key_revoked(operations.revoke_key(found, key_id, now())), as_json)
