"""API keys of the service: who may ask it what."""

from typing import Annotated

import typer

from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, show

app = typer.Typer(name="keys", no_args_is_help=True, help="API keys of the HTTP service: create, list, revoke.")
COMMANDS = {"Answers": (app,)}


@app.command()
def create(
    name: Annotated[str, typer.Argument(help='The name of the key\'s holder, for people: "CRM", "shop".')],
    scope: Annotated[
        list[str],
        typer.Option(help="What the key allows: score, events, interventions or admin (everything); may be repeated."),
    ],
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, once: only a hash is kept, and the key cannot be read from it."""
    from features.timestamps import now
    from foresail.cli.rendering.keys import key_created
    from serving.database import keys

    show(key_created(*keys.create(load_project(folder).engine(), name, scope, now())), as_json)


@app.command("list")
def list_keys(folder: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Every key: its holder, its scopes, and whether it is revoked."""
    from foresail.cli.rendering.keys import key_list
    from serving.database import keys

    project = load_project(folder)
    show(key_list(keys.listed(project.engine()), project.timezone), as_json)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `foresail keys list` shows it.")],
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Revoke a key. A running service refuses it within seconds."""
    from features.timestamps import now
    from foresail.cli.rendering.keys import key_revoked
    from serving.database import keys

    show(key_revoked(keys.revoke(load_project(folder).engine(), key_id, now())), as_json)
