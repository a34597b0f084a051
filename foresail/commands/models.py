"""Commands on models: fit one, judge it afterwards, list them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foresail.commands.terminal import HERE, AsOfOption, JsonOption, ProjectOption, SeedOption, moment, opened, say

if TYPE_CHECKING:
    from training.tuning import Budget


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
    from foresail import show, workflow

    found, allowed = opened(project), _budget(budget, trials)
    with show.progress() as bars:
        result = workflow.train(found, target, moment(found, as_of), seed=seed, progress=bars, budget=allowed)
    say(show.trained(result), as_json)


def _budget(duration: str | None, trials: int | None) -> "Budget | None":
    from foresail import workflow

    try:
        return workflow.budget(duration, trials)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--budget") from None


def evaluate(
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
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """What the champion would have said at a moment, beside what happened afterwards.

    If the horizon has not closed by --known-by, says when it will. If the model was trained later than --as-of it
    has seen the answer, and that is said.
    """
    from foresail import show, workflow

    found = opened(project)
    moments = moment(found, as_of), moment(found, known_by)
    with show.progress() as bars:
        hindsight = workflow.evaluate(found, target, *moments, seed=seed, progress=bars)
    shown = show.hindsight(hindsight, found.timezone)
    if truth is not None and hindsight.evaluation is None:
        shown = shown.followed_by("truth", show.Shown(["the truth is opened when the horizon has closed"], None))
    elif truth is not None:
        opened_truth, picture = workflow.open_truth(found, target, hindsight, truth)
        shown = shown.followed_by("truth", show.opened(opened_truth, picture, found.currency))
    say(shown, as_json)


def promote(
    target: Annotated[str, typer.Argument(help="A target of the project file, such as churn.")],
    version: Annotated[
        int, typer.Argument(min=1, help="The version that is to score from now on: see foresail models.")
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Make a version of a target's model the champion: the one that scores. A running service takes it up by itself.

    foresail promote churn 3     and back again, should it disappoint:     foresail promote churn 2
    """
    from foresail import show, workflow

    before = workflow.promote(opened(project), target, version)
    say(show.promoted(target, version, before), as_json)


def models(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """The registered models of every target: version, alias, kind, when trained, how good."""
    from foresail import show, workflow

    found = opened(project)
    say(show.models(workflow.models(found), found.timezone), as_json)
