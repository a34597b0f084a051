"""Commands on models: train, evaluate, list, promote and roll back."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foresail.cli.terminal import (
    HERE,
    AsOfOption,
    JsonOption,
    ProjectOption,
    SeedOption,
    load_project,
    moment,
    picture_path,
    show,
)

if TYPE_CHECKING:
    from foresail.cli.rendering.answers import Shown
    from foresail.config.project import Project
    from registry.promotion_log import Decision
    from training.backtest.backtest import Backtest
    from training.models.tuning import Budget
    from training.promotion.promotion import Order


def train(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Search LightGBM's settings for so long: 90s, 10m, 1h; default: no search."
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1, help="Search so many settings: unlike a budget of time, it ends with the same model again."
        ),
    ] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Train a model of a target on the history as of a moment, and register it.

    A ladder of models is tried, each judged out of time beside the rule that it must beat; the simplest one within
    noise of the best is calibrated, judged on the newest closed horizon, which no choice has seen, and registered:
    the first model as champion, a later one as challenger.

    A model without --budget is good already. With it, the settings of the trees are searched on the dates before the
    test; they serve only where they beat the defaults beyond noise.
    """
    from foresail.cli.rendering.answers import progress
    from foresail.cli.rendering.models import training_result
    from foresail.operations.models import train

    project, allowed = load_project(folder), _budget(budget, trials)
    with progress() as bars:
        result = train(project, target, moment(project, as_of), seed=seed, progress=bars, budget=allowed)
    show(training_result(result), as_json)


def _budget(duration: str | None, trials: int | None) -> "Budget | None":
    """The limits of the search, on this machine's clock; None without a limit, which is no search."""
    import time

    from training.models.tuning import Budget, seconds_of

    if duration is None and trials is None:
        return None
    try:
        return Budget(time.monotonic, None if duration is None else seconds_of(duration), trials)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--budget") from None


def evaluate(  # noqa: PLR0913, PLR0917  # a command's options
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="Outcomes as they were known at this moment; default: now.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Of a simulated company: the folder of its truth, to compare the model with.", exists=True),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Judge at many past dates, beginning with this one.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last of the many dates.")] = None,
    every: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Days between the many dates.")] = 30,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Backtest the champion: its scores at a past moment beside the outcomes; or at many past moments.

    If the horizon has not closed by --known-by, the answer says when it closes. If the model was trained later than --as-of
    it has seen the outcomes, and the answer says so. With --from and --to: quality over time beside the baseline, a picture
    of it in reports/, and how long before a loss (the last order + the horizon) the account entered the high band for good.

    foresail evaluate churn --as-of 2024-01-01     foresail evaluate churn --from 2023-01-01 --to 2024-01-01 --every 30
    """
    from foresail.cli.rendering import models as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations import models

    project = load_project(folder)
    if first is not None or last is not None:
        _refuse_together(as_of, truth)
        dates = _dates(project, first, last, every)
        with progress() as bars:
            series = models.track(project, target, dates, moment(project, known_by), seed=seed, progress=bars)
        show(rendering.backtest_series(series, project.timezone), as_json)
        return
    moments = moment(project, as_of), moment(project, known_by)
    with progress() as bars:
        backtest = models.evaluate(project, target, *moments, seed=seed, progress=bars)
    answer = rendering.backtest(backtest, project.timezone)
    show(answer if truth is None else _with_truth(answer, project, target, backtest, truth), as_json)


def _with_truth(answer: "Shown", project: "Project", target: str, backtest: "Backtest", truth: Path) -> "Shown":
    """The answer followed by the truth report of a simulated company."""
    from foresail.cli.rendering.answers import Shown
    from foresail.cli.rendering.simulation import truth_report
    from foresail.operations import simulation

    if backtest.evaluation is None:
        return answer.followed_by("truth", Shown(["the truth report needs a closed horizon"], None))
    report, picture = simulation.truth_report(project, target, backtest, truth)
    return answer.followed_by("truth", truth_report(report, picture, project.currency))


def health(
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="Losses as they were known at this moment; default: now.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .svg or .pdf.")] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Validate the health score on outcomes: how many of the accounts that were healthy at a moment left afterwards.

    Health is computed from what was known at --as-of, by models that were trained by then. The answer compares it with the
    risk score alone: which of the two separates better the accounts that left.

    foresail health --as-of 2024-01-01 --known-by 2024-04-01 --out health.png
    """
    from foresail.cli.rendering import health as rendering
    from foresail.cli.rendering.answers import progress
    from foresail.operations import health

    project, picture = load_project(folder), picture_path(out)
    with progress() as bars:
        record = health.health(project, moment(project, as_of), moment(project, known_by), seed=seed, progress=bars)
    if picture:
        from foresail.operations import plots

        plots.health(record, picture)
    show(rendering.health(record, picture), as_json)


def _refuse_together(as_of: str | None, truth: Path | None) -> None:
    if as_of is not None or truth is not None:
        raise typer.BadParameter("--as-of and --truth speak of one moment; leave them out, or --from and --to")


def _dates(project: "Project", first: str | None, last: str | None, every: int) -> tuple[datetime, ...]:
    from training.backtest.series import dates_between

    if first is None or last is None:
        raise typer.BadParameter("give both --from and --to")
    try:
        return dates_between(moment(project, first), moment(project, last), every)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


ReasonOption = Annotated[str, typer.Option(help="The reason, in your words: kept with the decision.")]


def promote(  # noqa: PLR0913, PLR0917  # a command's options
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    version: Annotated[int, typer.Argument(min=1, help="The version that scores from now on: see foresail models.")],
    folder: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Outcomes as they were known at this moment; default: --as-of."),
    ] = None,
    reason: ReasonOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Promote though a check fails; needs --reason, and both are kept.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a version of a target's model the champion, which scores, if it is not worse than the present champion.

    Both versions score the newest horizon that has closed by --as-of. Refused, with exit code 7 and the check that failed, if the
    challenger is worse beyond noise in log loss or in profit at the team's capacity, if it is miscalibrated where the
    champion is not, or if its scores jump without cause. A running service loads a new champion by itself.

    foresail promote churn 3     and back again, if it disappoints:     foresail rollback churn
    """
    from foresail.cli.rendering.answers import progress
    from foresail.operations.models import promote

    if force and not reason.strip():
        raise typer.BadParameter("give the reason with --reason", param_hint="--force")
    project = load_project(folder)
    order, at = _order(project, reason, force=force), moment(project, as_of)
    known = moment(project, known_by) if known_by else None
    with progress() as bars:
        decision = promote(project, target, version, order, as_of=at, known_by=known, seed=seed, progress=bars)
    _show_decision(project, target, decision, as_json)


def rollback(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    folder: ProjectOption = HERE,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make the previous champion champion again, without a check; twice goes two champions back."""
    from training.promotion.promotion import rollback

    project = load_project(folder)
    name, order = project.model_name(target), _order(project, reason)
    decision = rollback(order, name=name, tracking_uri=project.tracking_uri, catalog=project.catalog)
    _show_decision(project, target, decision, as_json)


def _order(project: "Project", reason: str, *, force: bool = False) -> "Order":
    """Who orders it, and when: the clock is read for the record alone."""
    from training.promotion.promotion import Order

    return Order(moment(project, None), _user(), reason.strip(), force)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have a user without a name
        return ""


def _show_decision(project: "Project", target: str, decision: "Decision", as_json: bool) -> None:
    """Show a decision; NotPromoted, which ends in exit code 7, if the champion is still the same."""
    from foresail.cli.rendering.models import promotion
    from training.promotion.promotion import NotPromoted

    show(promotion(target, decision, project.timezone), as_json)
    if not decision.moves:
        raise NotPromoted(f"version {decision.version} of {target} was {decision.kind}: {decision.why}")


def models(folder: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """The registered models of every target: version, alias, kind, date of training, quality; and the line of champions."""
    from foresail.cli.rendering import models as rendering
    from foresail.operations import models

    project = load_project(folder)
    show(rendering.models(models.models(project), models.version_histories(project), project.timezone), as_json)


COMMANDS = {"Models": (train, evaluate, health, models, promote, rollback)}
