"""Accuracy on real wholesale data: 90-day churn on Online Retail II, trained as of 2011-01-01 and judged there.

    python benchmarks/online_retail_accuracy.py

Prints every rung of the ladder on the test date of the training, and the champion in hindsight at 2011-01-01, whose
horizon closes on 2011-04-01. Needs ../shared/data/online_retail.
"""

import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from foresail import show, workflow
from foresail.project import load

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
    from features.moments import read_moment

    project, console = load(folder), Console(width=130)
    as_of, known_by = (read_moment(text, project.timezone) for text in (AS_OF, KNOWN_BY))
    for shown in (
        show.ingested(workflow.ingest_sources(project, known_by)),
        show.trained(workflow.train(project, "churn", as_of)),
        show.hindsight(workflow.evaluate(project, "churn", as_of, known_by)),
    ):
        for part in shown.parts:
            console.print(part)


if __name__ == "__main__":
    main()
