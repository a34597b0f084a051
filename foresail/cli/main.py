"""The command line, put together: commands are declared in `foresail.cli`, errors become sentences here."""

import contextlib
import json
import os
import sys

import typer

from foresail.cli import (
    audit,
    decide,
    dispatch,
    effects,
    features,
    history,
    interventions,
    keys,
    kpis,
    models,
    nightly,
    project,
    rules,
    serve,
)

EXIT_CODES = """\
Exit codes: 0 done · 1 a fault of Foresail itself · 2 the command line is wrong · 3 the project file is wrong ·
4 a source, the history or the database cannot be used as asked · 5 no model, or not enough history or labels for one ·
6 audit-features found a feature that sees the future · 7 a promotion was refused, or another came first ·
8 the night is done, but a source failed · 9 another night is running ·
10 the audit log was altered.
"""

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Account history in, calibrated scores of churn and growth out.\n\n"
        "A project is a folder with a `foresail.toml`. The usual order: `init` a folder, describe your sources in its "
        "file, `ingest` them, `train` a target, `evaluate` it on a horizon that has closed, `score` every account, "
        "`serve` the answers to your CRM.\n\n"
        "Times are dates or ISO timestamps; without an offset they are read in the project's timezone. Everything "
        "that speaks for a moment takes `--as-of` and sees nothing that became known later."
    ),
    epilog=EXIT_CODES,
)

WORK = {
    "Begin": (project.init, project.demo, project.simulate),
    "History": (history.ingest, history.status, history.quarantine, history.concentration, kpis.kpis),
    "Put right": (history.merge, history.forget, history.vacuum),
    "Features": (features.features, features.audit_features),
    "Models": (models.train, models.evaluate, models.health, models.models, models.promote, models.rollback),
    "Answers": (serve.score, nightly.nightly, serve.serve),
    "Act": (decide.decide, interventions.interventions, dispatch.dispatch, effects.effects),
}
"""Every command, under the heading that `foresail --help` shows it with."""

for heading, commands in WORK.items():
    for command in commands:
        app.command(rich_help_panel=heading)(command)
app.add_typer(keys.app, name="keys", rich_help_panel="Answers")
app.add_typer(rules.app, name="rules", rich_help_panel="Act")
app.add_typer(audit.app, name="audit", rich_help_panel="Act")
app.add_typer(dispatch.app, name="outbox", rich_help_panel="Act")


def main() -> None:
    """Entry point: known errors become one sentence on standard error and an exit code that means something."""
    try:
        app()
    except SystemExit as done:
        _leave(done)
    except Exception as error:
        code = _exit_code(error)
        if code is None:
            raise
        if "--json" in sys.argv:
            typer.echo(json.dumps({"error": str(error), "exit_code": code}), err=True)
        else:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
        _leave(SystemExit(code))


def _leave(done: SystemExit) -> None:
    """End the process at once when the answer is out.

    Threads of the libraries that read Parquet and Delta may still be at their own clearing up; one that is caught by
    the end of the interpreter aborts the process, and a command that has succeeded would exit with 134.
    """
    with contextlib.suppress(BrokenPipeError):  # who reads has seen enough
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(done.code if isinstance(done.code, int) else 0 if done.code is None else 1)


def _exit_code(error: Exception) -> int | None:
    """The exit code of an error that Foresail foresees, None of any other."""
    # Imported only now, when the command has failed anyway.
    from features.history.ingest.sources import IngestError
    from features.history.store import HistoryError
    from features.leakage_audit.audit import AuditError
    from foresail.config.project import ProjectError
    from foresail.operations import NoExperiment
    from foresail.simulation.truth.tables import TruthError
    from foresail.simulation.world.settings import SettingsError
    from registry.errors import ModelUnavailable, NoModel
    from serving.database.engine import DatabaseUnavailable
    from serving.database.keys import KeyNeeded, KeyRefused
    from serving.interventions.deliver.outbox_admin import NoMessage
    from serving.nightly import NightRefused, NightRunning
    from serving.publish import PublishError
    from training.backtest.backtest import OtherFeatures
    from training.backtest.series import NotRecorded
    from training.data.coverage import StaleHistory
    from training.data.splits import NotEnoughHistory
    from training.data.targets import HorizonOpen
    from training.evaluation.selection import NotEnoughLabels
    from training.promotion.promotion import NotPromoted

    foreseen: dict[int, tuple[type[Exception], ...]] = {
        2: (SettingsError, KeyRefused, KeyNeeded, NoMessage),
        3: (ProjectError,),
        4: (
            IngestError, HistoryError, AuditError, TruthError, DatabaseUnavailable, PublishError, NightRefused, OSError,
        ),
        5: (
            ModelUnavailable, NoModel, OtherFeatures,
            NoExperiment, NotEnoughHistory, NotEnoughLabels, StaleHistory, HorizonOpen, NotRecorded,
        ),
        7: (NotPromoted,),
        9: (NightRunning,),
    }  # fmt: skip
    return next((code for code, kinds in foreseen.items() if isinstance(error, kinds)), None)


if __name__ == "__main__":
    main()
