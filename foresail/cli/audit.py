"""The audit log: who did what when, and proof that nobody has changed it since."""

from typing import Annotated

import typer

from features.errors import ExitCode
from foresail.cli.terminal import HERE, JsonOption, ProjectOption, load_project, show

app = typer.Typer(
    name="audit", no_args_is_help=True, help="The audit log: read it, and verify that nobody has altered it."
)
COMMANDS = {"Act": (app,)}


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option(
            metavar="HASH",
            help="The head that an earlier verification showed, kept elsewhere: the log must still contain it.",
        ),
    ] = None,
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Follow the chain of hashes from the first act to the last: an altered, removed or inserted act breaks it.

    Acts cut off at the end do not break the chain. Write the shown head down where no administrator of the database can
    change it, and pass it as --head the next time. Exit code 10 if the log was altered.
    """
    from foresail.cli.rendering.audit import verification
    from serving.database import audit_log
    from serving.database.engine import opened
    from serving.database.upgrade import check_current

    engine = opened(load_project(folder).database)
    check_current(engine)
    verified = audit_log.verify(engine, head)
    show(verification(verified), as_json)
    if not verified.is_whole:
        raise typer.Exit(ExitCode.ALTERED)


@app.command("list")
def list_acts(
    subject: Annotated[str | None, typer.Option(help="Only acts on this intervention, key or table.")] = None,
    last: Annotated[int, typer.Option(min=1, help="How many acts to show: the newest.")] = 20,
    folder: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Who did what when, the newest last. No act names an account: an intervention has an id of its own."""
    import sqlalchemy as sa

    from foresail.cli.rendering.audit import acts
    from serving.database.engine import opened, reading
    from serving.database.tables import audit_log
    from serving.database.upgrade import check_current

    project = load_project(folder)
    engine = opened(project.database)
    check_current(engine)
    query = sa.select(audit_log).order_by(audit_log.c.position.desc()).limit(last)
    if subject is not None:
        query = query.where(audit_log.c.subject == subject)
    with reading(engine) as connection:
        newest_first = list(connection.execute(query))
    show(acts(newest_first[::-1], project.timezone), as_json)
