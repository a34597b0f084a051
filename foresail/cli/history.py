"""Commands on the history: what comes in, what is there, what was refused, and what is put right by hand."""

from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import (
    HERE,
    AsOfOption,
    JsonOption,
    ProjectOption,
    YesOption,
    confirmed,
    moment,
    opened,
    picture_path,
    say,
    table_path,
)

MOST_DAYS = 36_500


def ingest(
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; default: all of the project.")] = None,
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put what the sources bring in the place of all they brought before.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Read files again that were read before and have not changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring what is new in the sources into the history.

    Every row read is kept, a duplicate, quarantined with a reason, or turned away because its account was erased;
    nothing is dropped in silence. Ingesting the same file again changes nothing. Rows that claim to be known after --as-of are refused. Exit code 4 if a source
    failed, or if every row of it was refused; the others are ingested all the same.

    After a change of a source's select: foresail ingest SOURCE --replace
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    with rendering.progress() as bars:
        how = {"replace": replace, "everything": everything}
        outcomes = operations.ingest_sources(found, moment(found, as_of), sources or (), **how, progress=bars)
    say(rendering.ingested(outcomes, found.timezone), as_json)
    if any(map(operations.has_failed, outcomes)):
        raise typer.Exit(4)


def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """What the history holds, how fresh it is, what is missing, and what was refused and why.

    One line for each source of each stream: rows, accounts, span, newest event, the moment that the last ingest spoke
    for, the share of its rows in quarantine, and the days on which nothing happened with the longest run of them.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    with rendering.progress() as bars:
        answer = operations.status(found, bars)
    say(rendering.status(answer, found.timezone), as_json)


def quarantine(
    project: ProjectOption = HERE,
    top: Annotated[int, typer.Option(min=1, help="How many rows to show of each reason.")] = 3,
    out: Annotated[Path | None, typer.Option(help="File to write, all refused rows: .csv or .parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The rows that ingest refused, by source and reason, as the source's select gave them.

    Rows refused under an earlier select are not among them. Once the select or the file is put right: foresail ingest.
    """
    from foresail import operations
    from foresail.cli import rendering

    path = None if out is None else table_path(out)
    refused = operations.quarantined(opened(project))
    if path is not None:
        operations.write_table(refused, path)
    say(rendering.quarantined(refused, top, path), as_json)


def merge(
    old: Annotated[str, typer.Argument(help="The account id that disappears.")],
    into: Annotated[str, typer.Argument(help="The account that it turned out to be.")],
    project: ProjectOption = HERE,
    known_at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Since when you know that the two are one; default: now."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make two account ids one: everything that OLD did belongs to INTO, from the moment on at which that was known.

    Features at an earlier --as-of do not see the joined history, so that no model learns from what nobody knew: at such a
    moment INTO is as it was known then, and OLD with what it did is missing. Rows that later ingests bring under OLD follow it. Killed on the way, the same command completes it.

    foresail merge C-1007 C-0042 --known-at 2026-03-01
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    since = moment(found, known_at)
    if since > now():
        raise typer.BadParameter(f"{known_at} lies in the future: name the day on which you learnt it")
    confirmed(f"Merge account '{old}' into '{into}'? It cannot be undone.", yes)
    with rendering.progress() as bars:
        done = operations.merge(found, old, into, since, bars)
    say(rendering.merged(done, found.timezone), as_json)


def forget(
    account: Annotated[str, typer.Argument(help="The id of the account to erase.")],
    project: ProjectOption = HERE,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase an account: every trace in the history, its quarantine and its past, and in the tables of the project folder.

    Accounts that were merged into it are erased with it. No ingest brings it back: of its id only a SHA-256 is kept.
    All older versions of the history are given up, because they would bring it back; tables of earlier trainings can
    then not be built again. Says what was removed, and which models were trained with the account.

    Not touched: your sources, files outside of the project folder, backups.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    confirmed(f"Erase account '{account}' for good, and give up all older versions of the history?", yes)
    with rendering.progress() as bars:
        done = operations.forget(found, account, bars)
    say(rendering.forgotten(done), as_json)


def vacuum(
    project: ProjectOption = HERE,
    days: Annotated[
        int, typer.Option(min=0, max=MOST_DAYS, help="Versions that were current within that many days stay readable.")
    ] = 30,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Free the disk of old versions of the history that nobody needs.

    Every ingest leaves the files that it replaced, so that earlier versions can be read. Kept are the newest version,
    those of the last --days, and those that registered models were trained on (foresail features --as-of-version). The
    rest is removed, with what killed ingests left behind; the answer says which versions were given up.
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    confirmed(f"Give up versions of the history older than {days} days that no model was trained on?", yes)
    with rendering.progress() as bars:
        done = operations.vacuum(found, now(), days, bars)
    say(rendering.vacuumed(done), as_json)


def concentration(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How many days before --as-of count.")] = 365,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .svg or .pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Which share of the accounts brings which share of the net revenue: how much depends on how few."""
    from foresail import operations
    from foresail.cli import rendering

    found, picture = opened(project), picture_path(out)
    answer = operations.concentration(found, moment(found, as_of), days)
    if picture is not None:
        operations.draw_concentration(answer, picture)
    say(rendering.concentration(answer, found.currency, picture), as_json)
