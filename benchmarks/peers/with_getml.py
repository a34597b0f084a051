"""getML's community edition: FastProp builds every aggregation of every column it is given, so it is given the amounts alone.

It adds the same aggregations of the time that has passed, which doubles them, and cannot be told not to. A window is a join with a memory; each needs a pipeline. The pipeline's target is made up: it would choose features by
it, and here all are kept.
"""

import os
import re
import tempfile
from pathlib import Path

import getml
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from getml.feature_learning import aggregations
from task import answer
from training_shape import ZERO_WHEN_EMPTY, Question

SQUARE_LOSS = getml.feature_learning.loss_functions.SquareLoss
AGGREGATIONS = {
    "sum": aggregations.SUM, "mean": aggregations.AVG, "std": aggregations.STDDEV, "min": aggregations.MIN,
    "max": aggregations.MAX, "first": aggregations.FIRST, "last": aggregations.LAST, "count": aggregations.COUNT,
}  # fmt: skip
AGGREGATED = re.compile(r'SELECT (COUNT(?=\( \*)|\w+(?=\( t2\."amount"))')
"""How the SQL that getML shows for a feature begins where it is one of those asked for."""


def fastprop(question: Question) -> pa.Table:
    """Every account at every date."""
    lines = pq.read_table(question.events, columns=["account_id", "occurred_at", "amount"])
    accounts, moments = (
        lines["account_id"].unique(),
        np.array([round(date.timestamp() * 1e6) for date in question.moments]),
    )
    rows = pa.table(
        {
            "account_id": pa.concat_arrays([accounts] * len(moments)),
            "as_of": pa.array(np.repeat(moments, len(accounts))).cast(pa.timestamp("us")),
        }
    )
    table = rows
    # The engine leaves the last 5,000 rows of a thread at 0 where a thread has a multiple of 5,000: give each one more.
    rows = pa.concat_tables([rows, rows.slice(0, os.cpu_count())])
    for days in question.windows:
        table = _with_window(table, rows, lines, question, days)
    return table


def _with_window(table: pa.Table, rows: pa.Table, lines: pa.Table, question: Question, days: int) -> pa.Table:
    population, events = _population(rows), _events(lines)
    model = getml.data.DataModel(population.to_placeholder("population"))
    model.add(events.to_placeholder("events"))
    memory = getml.data.time.days(days)
    model.population.join(model.events, on="account_id", time_stamps=("as_of", "occurred_at"), memory=memory)
    wanted = [AGGREGATIONS[stat] for stat in question.stats]
    learner = getml.feature_learning.FastProp(aggregation=wanted, loss_function=SQUARE_LOSS, num_features=1000)
    pipeline = getml.Pipeline(data_model=model, feature_learners=[learner], loss_function=SQUARE_LOSS)
    pipeline.fit(population, [events], check=False)
    values = pipeline.transform(population, [events])
    stats = {aggregation: stat for stat, aggregation in AGGREGATIONS.items()}
    for place, feature in enumerate(pipeline.features):
        if found := AGGREGATED.search(feature.sql):
            table = table.append_column(f"{stats[found[1]]}_{days}", pa.array(values[: table.num_rows, place]))
    return table


def _population(rows: pa.Table) -> getml.DataFrame:
    target = pa.array(np.random.default_rng(0).random(rows.num_rows))
    roles = {"join_key": ["account_id"], "time_stamp": ["as_of"], "target": ["target"]}
    return getml.DataFrame.from_arrow(rows.append_column("target", target), "population", roles=roles)


def _events(lines: pa.Table) -> getml.DataFrame:
    lines = lines.set_column(1, "occurred_at", lines["occurred_at"].cast(pa.timestamp("us")))
    roles = {"join_key": ["account_id"], "time_stamp": ["occurred_at"], "numerical": ["amount"]}
    return getml.DataFrame.from_arrow(lines, "events", roles=roles)


def save(table: pa.Table, question: Question, path: str) -> None:
    """It says 0 where there is nothing to compute from, and divides squares by n; both are put right by its own counts."""
    table = table.set_column(1, "as_of", table["as_of"].cast(pa.timestamp("us", "UTC")))
    rows = table.to_pandas()
    for days in question.windows:
        counts = rows[f"count_{days}"]
        for stat in question.stats:
            if stat not in ZERO_WHEN_EMPTY:
                rows[f"{stat}_{days}"] = rows[f"{stat}_{days}"].where(counts >= (2 if stat == "std" else 1))
        rows[f"std_{days}"] *= np.sqrt(counts / np.maximum(counts - 1, 1))
    rows[["account_id", "as_of", *question.columns]].to_parquet(path, index=False)


def _descendants(parent: str = "self") -> list[int]:
    """The engine's processes, which do the work."""
    children = Path(f"/proc/{parent}/task").glob("*/children")
    found = [process for path in children for process in path.read_text().split()]
    return [int(process) for process in found] + [one for process in found for one in _descendants(process)]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        getml.engine.launch(home_directory=home, launch_browser=False, quiet=True, allow_push_notifications=False)
        try:
            getml.set_project("benchmark")
            answer({"FastProp": fastprop}, save, lambda table: table.nbytes / 2**20, others=_descendants())
        finally:
            getml.engine.shutdown()
