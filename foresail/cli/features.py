"""Commands on features: the table of a moment, the table of an earlier training, and the audit for leaks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foresail.cli.terminal import (
    HERE,
    AsOfOption,
    JsonOption,
    ProjectOption,
    SeedOption,
    moment,
    opened,
    say,
    table_path,
)

if TYPE_CHECKING:
    from features.engine.plan import FeatureSet


def features(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    out: Annotated[Path | None, typer.Option(help="File to write: .parquet or .csv, one row per account.")] = None,
    list_catalog: Annotated[
        bool, typer.Option("--list", help="Print the catalog instead: what there is to know.")
    ] = False,
    as_of_version: Annotated[
        int | None,
        typer.Option(min=1, metavar="VERSION", help="The table that this version of --target's model was trained on."),
    ] = None,
    target: Annotated[str, typer.Option(help="The target whose model --as-of-version means.")] = "churn",
    as_json: JsonOption = False,
) -> None:
    """Compute every feature of every account as of a moment, RFM scores included.

    foresail features --list                                    the catalog: name, unit, meaning, what absent means

    foresail features --as-of 2011-01-01 --out features.parquet   the table

    foresail features --as-of-version 3 --target churn --out t.parquet   the exact table that version 3 learnt from: its
    dates, its features, its versions of the history; it is compared with the digest in the model's card, to the last bit
    """
    from foresail import operations
    from foresail.cli import rendering

    if list_catalog:
        say(rendering.catalog(_declared(project)), as_json)
        return
    path = table_path(out, ", or ask for --list")
    if as_of is not None and as_of_version is not None:
        raise typer.BadParameter("a version brings its own dates: leave --as-of out", param_hint="--as-of-version")
    found = opened(project)
    if as_of_version is not None:
        with rendering.progress() as bars:
            rebuilt = operations.training_table(found, target, as_of_version, bars)
        operations.write_table(rebuilt.table, path)
        say(rendering.rebuilt(rebuilt, path), as_json)
        return
    with rendering.progress() as bars:
        table = operations.feature_table(found, moment(found, as_of), bars)
    operations.write_table(table, path)
    say(rendering.written(path, rows=len(table), columns=table.shape[1]), as_json)


def audit_features(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    accounts: Annotated[int, typer.Option(min=1, help="How many accounts get probes, drawn at random.")] = 200,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Prove that no feature sees the future: put probes into what becomes known after a moment, and see whether any feature moves.

    Into the histories of a sample of accounts come events that arrive late, lie a microsecond after --as-of, or happen
    later, and attributes that change. Not one bit of any feature may move; exit code 6 if one does, with its name.
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    with rendering.progress() as bars:
        report = operations.audit(found, moment(found, as_of), accounts=accounts, seed=seed, progress=bars)
    say(rendering.audited(report), as_json)
    if not report.passed:
        raise typer.Exit(6)


def _declared(folder: Path) -> "FeatureSet | None":
    """The features of the project in a folder, its own among them; Foresail's where there is no project."""
    from foresail.config.project import FILE_NAME

    return opened(folder).catalog if (folder / FILE_NAME).is_file() else None
