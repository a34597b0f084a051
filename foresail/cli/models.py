"""Commands on models: fit one, judge it afterwards, list them."""

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
    moment,
    opened,
    picture_path,
    say,
)

if TYPE_CHECKING:
    from foresail.config.project import Project
    from registry.promotion_log import Decision
    from training.models.tuning import Budget
    from training.promotion.promotion import Order


def train(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    project: ProjectOption = HERE,
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
    """Fit a target on what was known at a moment, and register the model.

    A ladder of models is tried, each judged out of time beside the rule that it must beat; the simplest one within
    noise of the best is calibrated, judged on the newest closed horizon, which no choice has seen, and registered:
    as champion if it is the first, else as challenger.

    A model without --budget is good already. With it, the settings of the trees are searched on the dates before the
    test; they serve only where they beat the defaults beyond noise.
    """
    from foresail import operations
    from foresail.cli import rendering

    found, allowed = opened(project), _budget(budget, trials)
    with rendering.progress() as bars:
        result = operations.train(found, target, moment(found, as_of), seed=seed, progress=bars, budget=allowed)
    say(rendering.trained(result), as_json)


def _budget(duration: str | None, trials: int | None) -> "Budget | None":
    from foresail import operations

    try:
        return operations.budget(duration, trials)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--budget") from None


def evaluate(  # noqa: PLR0913, PLR0917  # a command's options
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="What happened is taken from what was known then; default: now.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Of a simulated company: the folder of its truth, to hold the model against.", exists=True),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Judge at many past dates, beginning with this one.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last of the many dates.")] = None,
    every: Annotated[int, typer.Option(metavar="DAYS", min=1, help="Days between the many dates.")] = 30,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What the champion would have said at a moment, beside what happened afterwards; or at many past moments.

    If the horizon has not closed by --known-by, says when it will. If the model was trained later than --as-of it
    has seen the answer, and that is said. With --from and --to: quality over time beside the baseline, a picture of it in
    reports/, and how long before a loss (the last order + the horizon) the account had crossed into the high band for good.

    foresail evaluate churn --as-of 2024-01-01     foresail evaluate churn --from 2023-01-01 --to 2024-01-01 --every 30
    """
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    if first is not None or last is not None:
        _refuse_together(as_of, truth)
        dates = _dates(found, first, last, every)
        with rendering.progress() as bars:
            record = operations.track(found, target, dates, moment(found, known_by), seed=seed, progress=bars)
        say(rendering.track_record(record, found.timezone), as_json)
        return
    moments = moment(found, as_of), moment(found, known_by)
    with rendering.progress() as bars:
        hindsight = operations.evaluate(found, target, *moments, seed=seed, progress=bars)
    shown = rendering.hindsight(hindsight, found.timezone)
    if truth is not None and hindsight.evaluation is None:
        shown = shown.followed_by("truth", rendering.Shown(["the truth is opened when the horizon has closed"], None))
    elif truth is not None:
        opened_truth, picture = operations.open_truth(found, target, hindsight, truth)
        shown = shown.followed_by("truth", rendering.opened(opened_truth, picture, found.currency))
    say(shown, as_json)


def health(
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None, typer.Option(metavar="DATE", help="Who left is taken from what was known then; default: now.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Picture to write: .png, .svg or .pdf.")] = None,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """How many of the accounts that were healthy at a moment left afterwards: the health score held against outcomes.

    Health is reckoned from what was known at --as-of, by models that were trained by then. Beside it stands the risk
    score alone: what health tells of leaving that the risk score does not, or does better.

    foresail health --as-of 2024-01-01 --known-by 2024-04-01 --out health.png
    """
    from foresail import operations
    from foresail.cli import rendering

    found, picture = opened(project), picture_path(out)
    with rendering.progress() as bars:
        record = operations.health(found, moment(found, as_of), moment(found, known_by), seed=seed, progress=bars)
    if picture:
        operations.draw_health(record, picture)
    say(rendering.health(record, picture), as_json)


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


ReasonOption = Annotated[str, typer.Option(help="Why, in your words: kept with the decision.")]


def promote(  # noqa: PLR0913, PLR0917  # a command's options
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    version: Annotated[
        int, typer.Argument(min=1, help="The version that is to score from now on: see foresail models.")
    ],
    project: ProjectOption = HERE,
    as_of: AsOfOption = None,
    known_by: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="What happened is taken from what was known then; default: --as-of."),
    ] = None,
    reason: ReasonOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Promote though a check fails; needs --reason, and both are kept.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a version of a target's model the champion, the one that scores, if it is not worse than the present one.

    Both score the newest horizon that has closed by --as-of. Refused, with exit code 7 and the check that failed, if the
    challenger is worse beyond noise in log loss or in profit at the team's capacity, if it is miscalibrated where the
    champion is not, or if its scores jump without cause. A running service takes a new champion up by itself.

    foresail promote churn 3     and back again, should it disappoint:     foresail rollback churn
    """
    from foresail import operations
    from foresail.cli import rendering

    if force and not reason.strip():
        raise typer.BadParameter("say why with --reason", param_hint="--force")
    found = opened(project)
    order, speaks_for = _order(found, reason, force=force), moment(found, as_of)
    known = moment(found, known_by) if known_by else None
    with rendering.progress() as bars:
        decision = operations.promote(
            found, target, version, order, as_of=speaks_for, known_by=known, seed=seed, progress=bars
        )
    _told(found, target, decision, as_json)


def rollback(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    project: ProjectOption = HERE,
    reason: ReasonOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make the champion before the present one champion again, without a check; twice goes two champions back."""
    from foresail import operations

    found = opened(project)
    _told(found, target, operations.rollback(found, target, _order(found, reason)), as_json)


def _order(project: "Project", reason: str, *, force: bool = False) -> "Order":
    """Who asks, and when: the clock is read for the record alone."""
    from training.promotion.promotion import Order

    return Order(moment(project, None), _user(), reason.strip(), force)


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container may have a user without a name
        return ""


def _told(project: "Project", target: str, decision: "Decision", as_json: bool) -> None:
    """Show a decision; NotPromoted, which ends in exit code 7, if it moved nobody."""
    from foresail.cli import rendering
    from training.promotion.promotion import NotPromoted

    say(rendering.decided(target, decision, project.timezone), as_json)
    if not decision.moves:
        raise NotPromoted(f"version {decision.version} of {target} was {decision.kind}: {decision.why}")


def models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """The registered models of every target: version, alias, kind, when trained, how good; and the line of champions."""
    from foresail import operations
    from foresail.cli import rendering

    found = opened(project)
    say(rendering.models(operations.models(found), operations.standings(found), found.timezone), as_json)
