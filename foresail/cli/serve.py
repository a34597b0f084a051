"""Commands that answer: scores of every account, and the service for one."""

from pathlib import Path
from typing import Annotated

import typer

from foresail.cli.terminal import HERE, AsOfOption, JsonOption, ProjectOption, moment, opened, say, table_path


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

    Most worth a call: the most at stake, which is the risk times what the account should bring in a year, as the night reckons it
    (docs/standing.md). Bands are percentiles of risk (see bands in foresail.toml), so that each has about the same size
    at any level of risk. A date means its beginning: the orders of that day are not yet known.

    The file holds account_id, target, as_of, horizon_days, probability, percentile, band, model_version, reasons and
    why_not. Accounts that cannot be scored are in it too, with a null score and the reason in why_not.
    """
    from foresail import operations
    from foresail.cli import rendering

    path = None if out is None else table_path(out)
    found = opened(project)
    with rendering.progress() as bars:
        result = operations.score(found, moment(found, as_of), calls=top, progress=bars)
    if path is not None:
        operations.write_scores(result.scores, path)
    say(rendering.scored(result, found.currency, path), as_json)


def serve(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 3000,
) -> None:
    """Serve the champions over HTTP: POST /v1/scores and more, described at /v1/docs.

    Without --as-of, each answer speaks for the moment of its request. What is new in the history is first taken up into
    the operational database, from which the service answers. Beyond this machine (--host 0.0.0.0) it is served only where
    there is an API key to tell callers by: `foresail keys create NAME --scope score`.
    """
    from features.timestamps import now
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    speaks_for = None if as_of is None else moment(found, as_of)
    operations.check_startable(found, host, port)
    with rendering.progress() as bars:
        operations.bring_up_to_date(found, speaks_for or now(), bars)
    operations.serve(found, speaks_for, host, port)
