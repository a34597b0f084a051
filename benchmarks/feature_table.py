"""The training shape: 12 stats over 5 windows for every account at 24 monthly dates, beside those who can compute it.

    python benchmarks/feature_table.py [--events 20_000_000] [--every-form]

All of `--events` are put to Foresail, DuckDB and Polars, at most 2 million to pandas, at most 1 million to featuretools,
fastdfs and getML. Who cannot express the whole question is asked the part that they can, and so are we beside them. A
rival has the form that was its fastest with a tenth of the events (`--every-form`: all forms with all events). Each
answer is compared with ours, value by value, before a time is printed. Times are from files on disk to a table in
memory; all rivals read Parquet sorted by account and time.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow.parquet as pq
from agreement import Disagreement, assert_agree
from generate import EVENTS_EACH, purchases
from measure import Line, Run, measured, note
from peers.environment import Unanswered, ask
from peers.training_shape import Question

PATIENCE = 3600.0
OURS = "foresail"
FORMS = {
    "duckdb": ("a query per date", "per date, newest of a category", "a query per window", "one range join"),
    "polars": ("a query per date", "all dates in one query", "in memory", "a query per window", "one range join"),
}
SIX = ("count", "sum", "mean", "std", "min", "max")


@dataclass(frozen=True)
class Other:
    """A rival for fewer events, or for a part of the question."""

    name: str
    form: str
    most_events: int
    part: dict[str, tuple] = field(default_factory=dict)
    about: str = "the whole question"


OTHERS = (
    Other("pandas", "a groupby per window", 2_000_000),
    Other("featuretools", "a matrix per window", 1_000_000),
    Other(
        "fastdfs",
        "cutoff times",
        1_000_000,
        {"stats": SIX, "windows": (0,)},
        "6 stats over all of the past: it has no windows",
    ),
    Other("getml", "FastProp", 1_000_000, {"stats": (*SIX, "first", "last")}, "8 stats of amounts, 5 windows"),
)


@dataclass(frozen=True)
class Result:
    """The result of one contender: a run, or the reason why there is none."""

    run: Run | None
    failure: str = ""
    differs: bool = False
    """Its answer differs from ours: no time is shown, and the benchmark fails."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=2_000_000)
    arguments.add_argument("--every-form", action="store_true", help="all forms of DuckDB and Polars with all events")
    arguments.add_argument("--without", nargs="*", default=[], help="rivals to leave out")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(1_000, {OURS: "matrix"}, Path(folder))  # whatever has to be compiled is, before anything is measured
        answers = whole_question(options.events, options.every_form, options.without, Path(folder))
        for other in OTHERS:
            if other.name not in options.without:
                answers += beside(other, min(other.most_events, options.events), Path(folder))
    if wrong := [answer.failure for answer in answers if answer.differs]:
        raise SystemExit("\n".join(["answers differ:", *wrong]))


def whole_question(events: int, every_form: bool, without: list[str], folder: Path) -> list[Result]:
    """Ourselves, DuckDB and Polars with all events, after each form was tried with a tenth of them."""
    forms = {f"{name}: {form}": form for name, tried in FORMS.items() if name not in without for form in tried}
    tenth = compare(events // 10, {OURS: "matrix", **forms}, folder)
    note("training_shape_tenth", title(events // 10, Question("", "")), lines(tenth, {}))
    best = forms if every_form else fastest(tenth)
    full = compare(events, {OURS: "matrix", f"{OURS}, written as Parquet too": "matrix and Parquet", **best}, folder)
    alone = "pyarrow, writing the same table"
    full[alone] = Result(measured(write_seconds, folder / f"{events}-{OURS}.parquet", repeats=1))
    note("training_shape", title(events, Question("", "")), lines(full, tenth))
    return [*tenth.values(), *full.values()]


def beside(other: Other, events: int, folder: Path) -> list[Result]:
    """Ourselves and one other rival, with what it can answer."""
    tenth, full = (
        compare(count, {OURS: "matrix", f"{other.name}: {other.form}": other.form}, folder, other.part)
        for count in (events // 10, events)
    )
    heading = title(events, replace(Question("", ""), **other.part))
    note(f"training_shape_{other.name}", f"{heading} ({other.about})", lines(full, tenth))
    return [*tenth.values(), *full.values()]


def compare(
    events: int, contenders: dict[str, str], folder: Path, part: dict[str, tuple] | None = None
) -> dict[str, Result]:
    """Each contender's answer to the same question, all compared with ours. Contenders are called `name: form` or `name`."""
    path, history = purchases(events)
    question = replace(Question(str(path), history.root), **(part or {}))
    ours = folder / f"{events}-{OURS}.parquet"
    results: dict[str, Result] = {}
    for contender, form in contenders.items():
        name = contender.replace(",", ":").split(":")[0]
        theirs = ours if contender == OURS else folder / "theirs.parquet"
        try:
            run = ask(name, form, question, theirs, PATIENCE)
            assert_agree(ours, theirs, question, contender)
            results[contender] = Result(run)
        except (Unanswered, Disagreement) as failure:
            if name == OURS:
                raise
            results[contender] = Result(None, str(failure), isinstance(failure, Disagreement))
    return results


def fastest(results: dict[str, Result]) -> dict[str, str]:
    """Of each rival the form with the shortest time; one that failed in every form keeps its first, to fail again."""
    best = {}
    for name in dict.fromkeys(contender.split(":")[0] for contender in results if contender != OURS):
        forms = {contender: answer for contender, answer in results.items() if contender.startswith(f"{name}:")}
        contender = min(
            forms, key=lambda contender: forms[contender].run.seconds if forms[contender].run else float("inf")
        )
        best[contender] = contender.split(": ")[1]
    return best


def write_seconds(path: Path) -> float:
    """Seconds to write the table that a Parquet file holds as Parquet again."""
    table = pq.read_table(path)
    started = time.perf_counter()
    pq.write_table(table, path.with_suffix(".again"))
    return time.perf_counter() - started


def title(events: int, question: Question) -> str:
    shape = f"{len(question.dates)} dates, {len(question.columns)} aggregates"
    return f"Training shape: {events:,} events, {events // EVENTS_EACH:,} accounts, {shape}; answers agree where there is a time"


def lines(results: dict[str, Result], tenth: dict[str, Result]) -> list[Line]:
    ours = results[OURS].run
    return [line(contender, answer, ours, tenth.get(contender)) for contender, answer in results.items()]


def line(contender: str, answer: Result, ours: Run, tenth: Result | None) -> Line:
    if answer.run is None:
        return Line(contender, None, note=answer.failure)
    if isinstance(answer.run.answer, float):  # it measured itself
        return Line(contender, answer.run.answer, answer.run.answer / ours.seconds)
    growth = answer.run.seconds / tenth.run.seconds if tenth and tenth.run else None
    beyond = f"{answer.run.peak_mb - answer.run.answer_mb:,.0f} MB beyond the table of {answer.run.answer_mb:,.0f} MB"
    return Line(
        contender,
        answer.run.seconds,
        answer.run.seconds / ours.seconds,
        answer.run.peak_mb,
        growth,
        answer.run.cpu_seconds,
        beyond,
    )


if __name__ == "__main__":
    main()
