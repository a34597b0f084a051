"""Commands on the history: ingest it, see what it holds and what was refused, and correct it by hand."""

from pathlib import Path
from typing import Annotated

import typer

from features.errors import ExitCode
from foresail.cli.terminal import (
    HERE,
    AsOfOption,
    JsonOption,
    ProjectOption,
    YesOption,
    confirmed,
    load_project,
    moment,
    picture_path,
    show,
    table_path,
)

MOST_DAYS = 36_500


def ingest(
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; default: all of the project.")] = None,
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace everything that the sources brought before.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Read files again that were read before and have not changed.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add what is new in the sources to the history.

    Every row read is kept, a duplicate, quarantined with a reason, or refused because its account was erased;
    no row is dropped in silence. Ingesting the same file again changes nothing. Rows with a known_at after --as-of are
    refused. Exit code 4 if a source failed, or if every row of it was refused; the other sources are ingested all the same.

    After a change of a source's select: foresail ingest SOURCE --replace
    """
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.history import ingest_reports
    from foresail.operations.history import has_failed, ingest_sources

    project = load_project(folder)
    with progress() as bars:
        outcomes = ingest_sources(
            project, moment(project, as_of), sources or (), replace=replace, everything=everything, progress=bars
        )
    show(ingest_reports(outcomes, project.timezone), as_json)
    if any(map(has_failed, outcomes)):
        raise typer.Exit(ExitCode.DATA)


def status(folder: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """What the history holds, how fresh it is, what is missing, and which rows were refused and why.

    One line for each source of each stream: rows, accounts, span, newest event, the moment of the last ingest, the
    share of its rows in quarantine, and the days without any event with the longest run of them.
    """
    from features.history.status import status
    from foresail.cli.rendering import history as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations.progress import by_bucket

    project = load_project(folder)
    with progress() as bars:
        report = status(project.history, project.timezone, by_bucket(bars, "reading"))
    show(rendering.status(report, project.timezone), as_json)


def quarantine(
    folder: ProjectOption = HERE,
    top: Annotated[int, typer.Option(min=1, help="How many rows to show of each reason.")] = 3,
    out: Annotated[Path | None, typer.Option(help="File to write, all refused rows: .csv or .parquet.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The rows that ingest refused, by source and reason, as the source's select gave them.

    Rows refused under an earlier select are not among them. After you correct the select or the file: foresail ingest.
    """
    from features.history.quarantine import quarantined
    from foresail.cli.rendering import history as rendering
    from foresail.operations.features import write_table

    path = None if out is None else table_path(out)
    refused = quarantined(load_project(folder).history).drop(columns=["row_id", "as_of"])
    if path is not None:
        write_table(refused, path)
    show(rendering.quarantine(refused, top, path), as_json)


def merge(
    old: Annotated[str, typer.Argument(help="The account id that disappears.")],
    into: Annotated[str, typer.Argument(help="The account id that takes over its events.")],
    folder: ProjectOption = HERE,
    known_at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The moment since which you know that both are one account; default: now."),
    ] = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make two account ids one: every event of OLD belongs to INTO, from the moment on at which that was known.

    Features at an earlier --as-of do not see the joined history, so that no model learns from unknown facts: at such a
    moment INTO is as it was known then, and OLD with its events is missing. Rows that later ingests bring under OLD follow
    it. If the command is killed, run it again: it completes the merge.

    foresail merge C-1007 C-0042 --known-at 2026-03-01
    """
    from features.history.identities import merge
    from features.timestamps import now
    from foresail.cli.rendering import history as rendering
    from foresail.cli.rendering.answers import progress

    project = load_project(folder)
    since = moment(project, known_at)
    if since > now():
        raise typer.BadParameter(f"{known_at} lies in the future: name the day on which you learnt it")
    confirmed(f"Merge account '{old}' into '{into}'? It cannot be undone.", yes)
    with progress() as bars:
        merged = merge(project.history, old, into, since, bars)
    show(rendering.merge(merged, project.timezone), as_json)


def forget(
    account: Annotated[str, typer.Argument(help="The id of the account to erase.")],
    folder: ProjectOption = HERE,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase an account: every trace in the history, its quarantine and its old versions, and in the tables of the project.

    Accounts that were merged into it are erased with it. No ingest brings it back: only a SHA-256 of its id is kept.
    All older versions of the history are given up, because they would bring it back; tables of earlier trainings can
    then not be built again. The answer lists what was removed, and the models that were trained with the account.

    Not touched: your sources, files outside of the project folder, backups.
    """
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.history import erasure
    from foresail.operations.erasure import forget

    project = load_project(folder)
    confirmed(f"Erase account '{account}' for good, and give up all older versions of the history?", yes)
    with progress() as bars:
        forgotten = forget(project, account, bars)
    show(erasure(forgotten), as_json)


def vacuum(
    folder: ProjectOption = HERE,
    days: Annotated[
        int, typer.Option(min=0, max=MOST_DAYS, help="Versions that were current within that many days stay readable.")
    ] = 30,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Free the disk of old versions of the history that nobody needs.

    Every ingest leaves the files that it replaced, so that earlier versions can be read. Kept are the newest version,
    those of the last --days, and those that registered models were trained on (foresail features --as-of-version). The
    other versions are removed, and the files of killed ingests; the answer lists the versions that were given up.
    """
    from features.history.retention import vacuum
    from features.timestamps import now
    from foresail.cli.rendering import history as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations.models import trained_on

    project = load_project(folder)
    confirmed(f"Give up versions of the history older than {days} days that no model was trained on?", yes)
    with progress() as bars:
        trained = [model.versions for model in trained_on(project)]
        tables = vacuum(project.history, trained, now(), days, bars)
    show(rendering.vacuum(tables), as_json)


def concentration(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    days: Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="How many days before --as-of count.")] = 365,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .svg or .pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Which share of the accounts brings which share of the net revenue: how much depends on how few."""
    from foresail.cli.rendering import features as rendering
    from foresail.operations import history

    project, picture = load_project(folder), picture_path(out)
    shares = history.concentration(project, moment(project, as_of), days)
    if picture is not None:
        from foresail.operations import plots

        plots.concentration(shares, picture)
    show(rendering.concentration(shares, project.currency, picture), as_json)


COMMANDS = {"History": (ingest, status, quarantine, concentration), "Put right": (merge, forget, vacuum)}
