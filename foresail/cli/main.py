"""The command line, put together: `foresail.cli` declares the commands; here errors become sentences and exit codes."""

import contextlib
import json
import os
import sys
from typing import Annotated, Any

import typer

from features.errors import ExitCode, ForesailError
from foresail.cli import (
    audit,
    effects,
    features,
    history,
    interventions,
    keys,
    kpis,
    models,
    nightly,
    outbox,
    project,
    rules,
    score,
    serve,
)
from foresail.extras import missing_extra

MODULES = (
    project, history, kpis, features, models, score, nightly, serve, keys,
    interventions, outbox, effects, rules, audit,
)  # fmt: skip
"""In the order of `foresail --help`; each says in COMMANDS under which heading it stands there."""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Account history in, calibrated scores of churn and growth out.\n\n"
        "A project is a folder with a `foresail.toml`. The usual order: `init` a folder, describe your sources in its "
        "file, `ingest` them, `train` a target, `evaluate` it on a horizon that has closed, `score` every account, "
        "`serve` the answers to your CRM.\n\n"
        "Times are dates or ISO timestamps; without an offset they are read in the project's timezone. Every command "
        "with `--as-of` uses only what was known at that moment."
    ),
    epilog="Exit codes: " + " · ".join(f"{code:d} {code.meaning}" for code in ExitCode) + ".\n",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import foresail

        typer.echo(f"foresail {foresail.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # its callback answers
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _add(commands: dict[str, tuple[Any, ...]]) -> None:
    for heading, members in commands.items():
        for member in members:
            if isinstance(member, typer.Typer):
                app.add_typer(member, rich_help_panel=heading)
            else:
                app.command(rich_help_panel=heading)(member)


for module in MODULES:
    _add(module.COMMANDS)


def main() -> None:
    """Entry point: a foreseen error becomes one sentence on standard error, and an exit code."""
    try:
        app()
    except SystemExit as done:
        _leave(done)
    except Exception as raised:
        error = missing_extra(raised) or raised
        code = _exit_code(error)
        if code is None:
            raise
        if "--json" in sys.argv:
            typer.echo(json.dumps(_facts(error, code)), err=True)
        else:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        _leave(SystemExit(code))


def _facts(error: Exception, code: ExitCode) -> dict[str, Any]:
    remedy = getattr(error, "remedy", "")
    return {"error": str(error), "exit_code": code, **({"remedy": remedy} if remedy else {})}


def _leave(done: SystemExit) -> None:
    """End the process at once when the answer is printed.

    Threads of the libraries that read Parquet and Delta may still clear up; a thread that the end of the interpreter
    interrupts aborts the process, and a command that has succeeded would exit with 134.
    """
    with contextlib.suppress(BrokenPipeError):  # the reader may have closed the pipe
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(done.code if isinstance(done.code, int) else 0 if done.code is None else 1)


def _exit_code(error: Exception) -> ExitCode | None:
    """The exit code of an error that Foresail foresees, None for any other error."""
    if isinstance(error, ForesailError):
        return error.exit_code
    if isinstance(error, OSError):
        return ExitCode.DATA
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((_NOT_YET_FORESAIL_ERRORS[name] for name in names if name in _NOT_YET_FORESAIL_ERRORS), None)


_NOT_YET_FORESAIL_ERRORS = {
    "KeyRefused": ExitCode.USAGE, "KeyNeeded": ExitCode.USAGE, "NoMessage": ExitCode.USAGE,
    "IngestError": ExitCode.DATA, "HistoryError": ExitCode.DATA, "AuditError": ExitCode.DATA,
    "DatabaseUnavailable": ExitCode.DATA, "PublishError": ExitCode.DATA, "NightRefused": ExitCode.DATA,
    "ModelUnavailable": ExitCode.MODEL, "NoChampion": ExitCode.MODEL, "NoModel": ExitCode.MODEL,
    "OtherFeatures": ExitCode.MODEL, "NotEnoughHistory": ExitCode.MODEL, "NotEnoughLabels": ExitCode.MODEL,
    "StaleHistory": ExitCode.MODEL, "HorizonOpen": ExitCode.MODEL, "NotRecorded": ExitCode.MODEL,
    "NotPromoted": ExitCode.NOT_PROMOTED, "NightRunning": ExitCode.ALREADY_RUNNING,
}  # fmt: skip


if __name__ == "__main__":
    main()
