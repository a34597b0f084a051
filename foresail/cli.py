"""The command line. Each command reads the project file, calls `foresail.workflow`, and shows what came back."""

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from foresail.project import Project

EXIT_CODES = """\
Exit codes: 0 done · 1 a fault of Foresail itself · 2 the command line is wrong · 3 the project file is wrong ·
4 a source or the history cannot be used as asked · 5 no model, or not enough history or labels for one.
"""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Account history in, calibrated churn scores out.\n\n"
        "A project is a folder with a `foresail.toml`. The usual order: `init` a folder, describe your sources in its "
        "file, `ingest` them, `train` a target, `evaluate` it on a horizon that has closed, `score` every account, "
        "`serve` the answers to your CRM.\n\n"
        "Times are dates or ISO timestamps; without an offset they are read in the project's timezone. Everything "
        "that speaks for a moment takes `--as-of` and sees nothing that became known later."
    ),
    epilog=EXIT_CODES,
)

ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="Folder that holds foresail.toml.", show_default="this folder")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer as JSON on standard output, for machines.")]
AsOfOption = Annotated[
    str | None,
    typer.Option("--as-of", metavar="DATE", help="The moment to speak for: a date or an ISO timestamp; default: now."),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything random; the same seed gives the same model.")]
HERE = Path()


@app.command()
def init(
    directory: Annotated[Path, typer.Argument(help="The folder to make a project of; made if it is not there.")],
) -> None:
    """Begin a project: write a foresail.toml whose comments explain every setting."""
    from foresail.project import initialise

    path = initialise(directory)
    _console().print(f"wrote {path}\nnext: describe your sources in it, then  foresail ingest --project {directory}")


@app.command()
def ingest(
    sources: Annotated[list[str] | None, typer.Argument(help="Names of sources; default: all of the project.")] = None,
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Put what the sources bring in the place of all they brought before.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring what is new in the sources into the history.

    Every row read is kept, a duplicate, or quarantined with a reason; nothing is dropped in silence. Ingesting the
    same file again changes nothing. Rows that claim to be known after --as-of are refused. Exit code 4 if a source
    failed, or if every row of it was refused; the others are ingested all the same.

    After a change of a source's select: foresail ingest SOURCE --replace
    """
    from foresail import show, workflow

    opened = _open(project)
    with show.progress() as bars:
        moment = _moment(opened, as_of)
        outcomes = workflow.ingest_sources(opened, moment, sources or (), replace=replace, progress=bars)
    _answer(show.ingested(outcomes), as_json)
    if any(map(workflow.has_failed, outcomes)):
        raise typer.Exit(4)


@app.command()
def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """What the history holds: rows, accounts and span by source, and what was refused and why."""
    from foresail import show, workflow

    _answer(show.status(workflow.status(_open(project))), as_json)


@app.command()
def quarantine(
    project: ProjectOption = HERE,
    top: Annotated[int, typer.Option(min=1, help="How many rows to show of each reason.")] = 3,
    out: Annotated[Path | None, typer.Option(help="CSV file to write, all refused rows.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The rows that ingest refused, by source and reason, as the source's select gave them.

    Rows refused under an earlier select are not among them. Once the select or the file is put right: foresail ingest.
    """
    from foresail import show, workflow

    refused = workflow.quarantined(_open(project))
    if out is not None:
        workflow.write_table(refused, out.with_suffix(".csv"))
    _answer(show.quarantined(refused, top, out), as_json)


@app.command()
def features(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv, one row per account.")] = None,
    list_catalog: Annotated[
        bool, typer.Option("--list", help="Print the catalog instead: what there is to know.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Compute every feature of every account as of a moment, RFM scores included.

    foresail features --list                                    the catalog: name, unit, meaning, what absent means

    foresail features --as-of 2011-01-01 --out features.parquet   the table
    """
    from foresail import show, workflow

    if list_catalog:
        _answer(show.catalog(), as_json)
        return
    if out is None or out.suffix not in workflow.TABLE_FORMATS:
        raise typer.BadParameter("name a file that ends in .parquet or .csv, or ask for --list", param_hint="--out")
    opened = _open(project)
    with show.progress() as bars:
        table = workflow.feature_table(opened, _moment(opened, as_of), bars)
    workflow.write_table(table, out)
    _answer(show.written(out, rows=len(table), columns=table.shape[1]), as_json)


@app.command()
def train(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Fit a target on what was known at a moment, and register the model.

    A ladder of models is tried, each judged out of time beside the rule that it must beat; the simplest one within
    noise of the best is calibrated, judged on the newest closed horizon, which no choice has seen, and registered:
    as champion if it is the first, else as challenger.
    """
    from foresail import show, workflow

    opened = _open(project)
    with show.progress() as bars:
        result = workflow.train(opened, target, _moment(opened, as_of), seed=seed, progress=bars)
    _answer(show.trained(result), as_json)


@app.command()
def evaluate(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="What happened is taken from what was known then; default: now.")
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What the champion would have said at a moment, beside what happened afterwards.

    If the horizon has not closed by --known-by, says when it will. If the model was trained later than --as-of it
    has seen the answer, and that is said.
    """
    from foresail import show, workflow

    opened = _open(project)
    moments = _moment(opened, as_of), _moment(opened, known_by)
    with show.progress() as bars:
        hindsight = workflow.evaluate(opened, target, *moments, seed=seed, progress=bars)
    _answer(show.hindsight(hindsight, opened.timezone), as_json)


@app.command()
def score(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .parquet, or .csv with reasons as words; one row per account and target."),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many accounts to show: those with the most at stake.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Score every account as of a moment with the champions, and show who is most worth a call.

    Most worth a call: the most at stake, which is the risk times what the account ordered less what it returned in the
    last 365 days. Bands are percentiles of risk (see bands in foresail.toml), so that each has about the same size
    at any level of risk. A date means its beginning: the orders of that day are not yet known.

    The file holds account_id, target, as_of, horizon_days, probability, percentile, band, model_version, reasons and
    why_not. Accounts that cannot be scored are in it too, with a null score and the reason in why_not.
    """
    from foresail import show, workflow

    if out is not None and out.suffix not in workflow.TABLE_FORMATS:
        raise typer.BadParameter(f"{out} should end in .parquet or .csv", param_hint="--out")
    opened = _open(project)
    with show.progress() as bars:
        result = workflow.score(opened, _moment(opened, as_of), calls=top, progress=bars)
    if out is not None:
        workflow.write_scores(result.scores, out)
    _answer(show.scored(result, opened.currency, out), as_json)


@app.command()
def models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """The registered models of every target: version, alias, kind, when trained, how good."""
    from foresail import show, workflow

    opened = _open(project)
    _answer(show.models(workflow.models(opened), opened.timezone), as_json)


@app.command()
def serve(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Serve the champions over HTTP: POST /score, and a page to try it on at /.

    Without --as-of, each answer speaks for the moment of its request.
    """
    from foresail import workflow

    opened = _open(project)
    moment = None if as_of is None else _moment(opened, as_of)
    workflow.serve(opened, moment, host, port)


@app.command()
def demo(
    directory: Annotated[Path, typer.Argument(help="Where to put the demo's project.")] = Path("foresail-demo"),
) -> None:
    """The whole way on real data: a year of 2,469 households' shopping, who will stop, and why we think so."""
    from foresail.demo import run

    run(directory)


def main() -> None:
    """Entry point: known errors become one sentence on standard error and an exit code that means something."""
    try:
        app()
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": str(error), "exit_code": code}), err=True)
        else:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        sys.exit(code)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that Foresail foresees, None of any other."""
    # Imported only now, when the command has failed anyway.
    from features.history import HistoryError
    from features.sources import IngestError
    from foresail.project import ProjectError
    from serving.model_store import ModelUnavailable
    from training.coverage import StaleHistory
    from training.hindsight import OtherFeatures
    from training.selection import NotEnoughLabels
    from training.splits import NotEnoughHistory
    from training.targets import HorizonOpen
    from training.tracking import NoModel

    foreseen: dict[int, tuple[type[Exception], ...]] = {
        3: (ProjectError,),
        4: (IngestError, HistoryError, OSError),
        5: (
            ModelUnavailable, NoModel, OtherFeatures,
            NotEnoughHistory, NotEnoughLabels, StaleHistory, HorizonOpen,
        ),
    }  # fmt: skip
    return next((code for code, kinds in foreseen.items() if isinstance(error, kinds)), None)


def _open(directory: Path) -> "Project":
    from foresail.project import load

    return load(directory)


def _moment(project: "Project", text: str | None) -> datetime:
    """The moment that a person named, or the present one."""
    from features.moments import now, read_moment

    if text is None:
        return now()
    try:
        return read_moment(text, project.timezone)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _console() -> Any:
    from foresail.show import console

    return console()


def _answer(shown: Any, as_json: bool) -> None:
    """Print an answer of `foresail.show`: its facts as JSON, or its rendering for people."""
    if as_json:
        typer.echo(json.dumps(shown.facts, default=str, ensure_ascii=False, allow_nan=False))
    else:
        console = _console()
        for part in shown.parts:
            console.print(part)


if __name__ == "__main__":
    main()
