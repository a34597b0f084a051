"""Commands on features: the table of a moment, the table of an earlier training, and the leakage audit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import ExitCode
from foresail.cli.terminal import (
    HERE,
    AsOfOption,
    JsonOption,
    ProjectOption,
    SeedOption,
    load_project,
    moment,
    show,
    table_path,
)

if TYPE_CHECKING:
    from features.engine.plan import FeatureSet


def features(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv, one row per account.")] = None,
    list_catalog: Annotated[
        bool, typer.Option("--list", help="Print the catalog instead: every feature that is declared.")
    ] = False,
    as_of_version: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="The table that this version of --target's model was trained on."),
    ] = None,
    target: Annotated[str, typer.Option(help="The target of the model that --as-of-version means.")] = "churn",
    as_json: JsonOption = False,
) -> None:
    """Compute every feature of every account as of a moment, RFM scores included.

    foresail features --list                                    the catalog: name, unit, meaning, meaning of absence

    foresail features --as-of 2011-01-01 --out features.parquet   the table

    foresail features --as-of-version 3 --target churn --out t.parquet   the exact table that version 3 was trained on: its
    dates, its features, its versions of the history; compared with the digest in the model card, to the last bit
    """
    from foresail.cli.rendering import answers
    from foresail.cli.rendering import features as rendering
    from foresail.operations.features import feature_table, training_table, write_table

    if list_catalog:
        show(rendering.catalog(_catalog(folder)), as_json)
        return
    path = table_path(out, ", or ask for --list")
    if as_of is not None and as_of_version is not None:
        raise typer.BadParameter("a version brings its own dates: leave --as-of out", param_hint="--as-of-version")
    project = load_project(folder)
    if as_of_version is not None:
        with answers.progress() as bars:
            rebuilt = training_table(project, target, as_of_version, bars)
        write_table(rebuilt.table, path)
        show(rendering.training_table(rebuilt, path), as_json)
        return
    with answers.progress() as bars:
        table = feature_table(project, moment(project, as_of), bars)
    write_table(table, path)
    show(answers.written(path, rows=len(table), columns=table.shape[1]), as_json)


def audit_features(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts to probe, drawn at random.")] = 200,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Prove that no feature sees the future: add leak probes after a moment, and compare every feature before and after.

    The histories of a sample of accounts get events that arrive late, lie a microsecond after --as-of, or happen
    later, and attributes that change. Not one bit of any feature may move; exit code 6 if one does, with its name.
    """
    from features.leakage_audit.audit import audit
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.features import leakage_audit
    from foresail.operations.progress import by_bucket

    project = load_project(folder)
    with progress() as bars:
        report = audit(
            project.history,
            moment(project, as_of),
            project.catalog,
            seed=seed,
            accounts=accounts,
            progress=by_bucket(bars, "leak probes"),
        )
    show(leakage_audit(report), as_json)
    if not report.passed:
        raise typer.Exit(ExitCode.LEAK)


def _catalog(folder: Path) -> "FeatureSet | None":
    """The features of the project in a folder, its own among them; None, Foresail's, where there is no project."""
    from foresail.config.project import FILE_NAME

    return load_project(folder).catalog if (folder / FILE_NAME).is_file() else None


COMMANDS = {"Features": (features, audit_features)}
