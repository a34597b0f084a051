"""What an evaluation is worth, in lines for the terminal: the grade, the money, the parts of a company that are off."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

if TYPE_CHECKING:
    from training.evaluation.comparison import Estimate
    from training.evaluation.profit import Profit
    from training.evaluation.slices import Slice
    from training.evaluation.summary import Summary

NOT_GRADED = "not graded"
GRADE_STYLES = {"A": "bold green", "B": "green", "C": "yellow", "none": "bold red"}


def graded(letter: str | None, meaning: str = "") -> Text:
    """A grade in a line; a model from before there were grades is said to have none."""
    text = f"grade {letter}" if letter else NOT_GRADED
    return Text(f"{text}: {meaning}" if meaning else text, style=GRADE_STYLES.get(letter or "", "bright_black"))


def summarised(summary: "Summary", rung: str, baseline: str) -> Iterator[RenderableType]:
    """What kept the grade from a better one, profit beside the baseline's, and each part that is out of line."""
    yield from (f"  {reason}" for reason in summary.grade.reasons if reason.startswith("not "))
    if summary.profit:
        yield _worth(summary.profit, rung, baseline)
    if summary.slices:
        by = ", ".join(dict.fromkeys(part.attribute for part in summary.slices))
        wrong = [part for part in summary.slices if not part.holds]
        verdict = f"{len(wrong)} out of line" if wrong else "all as foreseen"
        yield f"{len(summary.slices)} parts by {by}: {verdict}"
        yield from map(_out_of_line, wrong)


def _worth(profit: "Profit", rung: str, baseline: str) -> str:
    terms = profit.terms
    at_capacity, at_best = (_amounts(values, rung, baseline) for values in (profit.at_capacity, profit.empc))
    heading = " ".join(filter(None, ("expected profit an account,", terms.currency)))
    assumed = f"; assumed: {', '.join(terms.assumed)}" if terms.assumed else ""
    return f"{heading}: {at_capacity} by contacting {terms.capacity:.0%}; {at_best} at the best share{assumed}"


def _amounts(values: "Mapping[str, Estimate]", rung: str, baseline: str) -> str:
    amount = f"{values[rung].value:,.2f} ({values[rung].low:,.2f} to {values[rung].high:,.2f})"
    return amount if rung == baseline else f"{amount}, baseline {values[baseline].value:,.2f},"


def _out_of_line(part: "Slice") -> Text:
    rates = f"foreseen {part.foreseen:.1%}, happened {part.happened:.1%}"
    return Text(f"note: {part.attribute} {part.value}: {part.verdict}, {rates} of {part.accounts:,}", style="yellow")
