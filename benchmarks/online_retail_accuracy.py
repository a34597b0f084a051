"""Accuracy on real wholesale data: 90-day churn on Online Retail II, trained as of 2011-01-01 and judged there.

    python benchmarks/online_retail_accuracy.py

Prints every rung of the ladder on the test date of the training, and again as of 2011-01-01, whose horizon closes on
2011-04-01. Needs ../shared/data/online_retail.
"""

import shutil
import tempfile
from datetime import datetime
from pathlib import Path

from rich.console import Console

from features.catalog import CATALOG
from features.moments import read_moment
from foresail import show, workflow
from foresail.project import Project, load
from training.dataset import labelled
from training.evaluation import Evaluation
from training.evaluation import judge as compared
from training.models import ladder, learnable
from training.selection import climb_ladder, refit
from training.train import Settings, split_for

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "shared" / "data" / "online_retail" / "online_retail.parquet"
AS_OF, KNOWN_BY = "2011-01-01", "2011-06-01"


def main() -> None:
    if not DATA.exists():
        print(f"skipped: {DATA} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        shutil.copyfile(HERE / "online_retail.toml", Path(folder) / "foresail.toml")
        (Path(folder) / DATA.name).symlink_to(DATA)
        judge(folder)


def judge(folder: str) -> None:
    project, console = load(folder), Console(width=130)
    as_of, known_by = (read_moment(text, project.timezone) for text in (AS_OF, KNOWN_BY))
    for shown in (
        show.ingested(workflow.ingest_sources(project, known_by), project.timezone),
        show.trained(workflow.train(project, "churn", as_of)),
    ):
        for part in shown.parts:
            console.print(part)
    console.print(f"every rung as of {AS_OF}, refitted as it would have been registered then, beside what happened:")
    console.print(show.judged(in_hindsight(project, as_of, known_by)))


def in_hindsight(project: Project, as_of: datetime, known_by: datetime) -> Evaluation:
    """Not only the chosen rung, which is all that `foresail evaluate` has: all of them, on the same accounts."""
    target, history = project.target("churn"), project.history
    days = split_for(history, target, as_of, Settings(min_history_days=project.min_history_days("churn")))
    features, _ = learnable(CATALOG, days.closed)
    data = labelled(history, target, days.closed, CATALOG, as_of)
    later = labelled(history, target, [as_of], CATALOG, known_by)
    climb = climb_ladder(ladder(features, target), data, days, target, seed=0, ticks=lambda _: None)
    probabilities = {}
    for judged in climb.judged:
        refitted = refit(judged, data, seed=0)
        probabilities[refitted.model.rung] = refitted.calibration.probability(refitted.model.margin(later))
    return compared(probabilities, later.labels, later.account, baseline="recency")


if __name__ == "__main__":
    main()
