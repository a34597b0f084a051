"""The command that scores every account as of a moment."""

from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import HERE, AsOfOption, JsonOption, ProjectOption, load_project, moment, show, table_path


def score(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .parquet, or .csv with reasons as words; one row per account and target."),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="How many accounts to show: those with the most at stake.")] = 12,
    as_json: JsonOption = False,
) -> None:
    """Score every account as of a moment with the champions, and show the accounts that are most worth a call.

    Most worth a call: the most value at stake, which is the risk times the yearly value of the account, computed as the
    night does (docs/explanation/segmentation.md). Bands are percentiles of risk (see bands in foresail.toml), so that each has about the
    same size at any level of risk. A date means its beginning: the orders of that day are not yet known.

    The file holds account_id, target, as_of, horizon_days, probability, percentile, band, model_version, reasons and
    why_not. Accounts that cannot be scored are in it too, with a null score and the reason in why_not.
    """
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.scores import scores
    from foresail.operations import scoring

    path = None if out is None else table_path(out)
    project = load_project(folder)
    with progress() as bars:
        result = scoring.score(project, moment(project, as_of), calls=top, progress=bars)
    if path is not None:
        scoring.write_scores(result.scores, path)
    show(scores(result, project.currency, path), as_json)


COMMANDS = {"Answers": (score,)}
