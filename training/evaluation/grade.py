"""One letter for how far a model's scores can be relied on, defined against the baseline: docs/explanation/grades.md has the reasons.

A grade is a pure function of an evaluation: the same figures give the same letter, and each says which figure made it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from training.evaluation.comparison import Evaluation
from training.evaluation.reliability import Reliability
from training.evaluation.slices import Slice

Letter = Literal["A", "B", "C", "none"]

MEANINGS: dict[str, str] = {
    "A": "ranks well, and its figures can be reckoned with, also by part of the company",
    "B": "better than the simple rule, and its figures can be reckoned with",
    "C": "better than the simple rule; take the order, not the figures",
    "none": "not shown to be better than the simple rule: use the rule",
}
STRONG_AUROC = 0.75
STRONG_SKILL = 0.10
OFF_AT_MOST = {"off_level": 0.10, "coverage_gap": 0.05}


@dataclass(frozen=True)
class Grade:
    """A letter, and in words what earned it and what kept it from the next one."""

    letter: Letter
    reasons: tuple[str, ...]

    @property
    def meaning(self) -> str:
        """What the letter says, in a line."""
        return MEANINGS[self.letter]

    def to_json(self) -> dict[str, Any]:
        """Letter, meaning and reasons."""
        return asdict(self) | {"meaning": self.meaning}


def grade(evaluation: Evaluation, model: str, reliability: Reliability, slices: Sequence[Slice] = ()) -> Grade:
    """The grade of `model`. Each letter asks for all that the one below asks for, and more.

    C: another model than the baseline, ranking better than chance, and better than the baseline in AUROC or log loss,
    the whole interval of the paired difference on the better side. B: log loss better in that sense, level and shape
    of the probabilities as foreseen, and the riskiest tenth richer in churners than the rest. A: AUROC better too and
    at least 0.75, log loss at least 10 % below that of the bare churn rate (both with the worse end of the interval),
    and no slice whose probabilities are wrong.
    """
    earned: list[str] = []
    letter: Letter = "none"
    steps: tuple[tuple[Letter, Iterator[tuple[bool, str]]], ...] = (
        ("C", _better(evaluation, model)),
        ("B", _honest(evaluation, model, reliability)),
        ("A", _strong(evaluation, model, reliability, slices)),
    )
    for reached, conditions in steps:
        checked = list(conditions)
        failed = [words for holds, words in checked if not holds]
        if failed:
            return Grade(letter, (*earned, *(f"not {reached}: {words}" for words in failed)))
        letter = reached
        earned += [words for _, words in checked if words]
    return Grade(letter, tuple(earned))


def grade_of_numbers(evaluation: Evaluation, model: str) -> Grade:
    """The grade of a model that answers with amounts or days, by the loss that it was chosen by.

    C: another model than the baseline, its loss better beyond noise. B: the level holds: the total of amounts is off by
    10 % at most, the 80 % interval of days holds 75 to 85 % (with the better end of the interval of either). A: its loss
    at least 10 % below the baseline's (with the worse end).
    """
    if model == evaluation.baseline:
        return Grade("none", ("not C: nothing was found to be better than the simple rule, which is the model",))
    loss, level = ("deviance", "off_level") if evaluation.answer == "amount" else ("crps", "coverage_gap")
    title = {metric.name: metric.title for metric in evaluation.described}
    ours, theirs = evaluation.metrics[model], evaluation.metrics[evaluation.baseline][loss].value
    if not evaluation.beats_baseline(model, loss):
        return Grade("none", (f"not C: {title[loss]} is not better than the baseline's beyond noise",))
    earned = [f"{title[loss]} {ours[loss].value:.3g} is better than the baseline's {theirs:.3g} beyond noise"]
    limit = OFF_AT_MOST[level]
    if ours[level].low > limit:
        return Grade("C", (*earned, f"not B: {title[level]} {ours[level].value:.3f}, {limit} is allowed"))
    earned.append(f"{title[level]} {ours[level].value:.3f}, {limit} is allowed")
    gained = -evaluation.differences[model][loss].high / theirs
    if gained < STRONG_SKILL:
        return Grade(
            "B", (*earned, f"not A: {title[loss]} at least {gained:.0%} below, {STRONG_SKILL:.0%} is asked for")
        )
    return Grade("A", (*earned, f"{title[loss]} at least {gained:.0%} below the baseline's"))


def skill(log_loss: float, rate: float) -> float:
    """How far below the log loss of saying the churn rate to everybody, as a share of it; 0 is no help, 1 is perfect."""
    if not 0 < rate < 1:
        return math.nan
    return 1.0 - log_loss / -(rate * math.log(rate) + (1 - rate) * math.log1p(-rate))


def _better(evaluation: Evaluation, model: str) -> Iterator[tuple[bool, str]]:
    if model == evaluation.baseline:
        yield False, "nothing was found to be better than the simple rule, which is the model"
        return
    auroc = evaluation.metrics[model]["auroc"]
    ranks = auroc.low > 0.5
    yield (
        ranks,
        f"AUROC {auroc.value:.3f} ({_range(auroc.low, auroc.high)}) is {'above' if ranks else 'not clear of'} guessing",
    )
    beaten = [
        title
        for name, title in (("auroc", "AUROC"), ("log_loss", "log loss"))
        if evaluation.beats_baseline(model, name)
    ]
    what = " and ".join(beaten) if beaten else "neither AUROC nor log loss is"
    yield bool(beaten), f"{what} better than the baseline's beyond noise"


def _honest(evaluation: Evaluation, model: str, reliability: Reliability) -> Iterator[tuple[bool, str]]:
    yield _log_loss_better(evaluation, model)
    holds = reliability.level_holds
    level = f"foreseen {reliability.foreseen:.1%}, happened {reliability.happened:.1%} ({reliability.low:.1%} to {reliability.high:.1%})"
    yield holds, level if holds else f"{level}: the level is off"
    limit = max(reliability.ece_by_chance, reliability.tolerance)
    shape = f"ECE {reliability.ece:.3f}, {'within' if reliability.shape_holds else 'beyond'} the {limit:.3f} that chance or a tenth of the rate explain"
    yield reliability.shape_holds, shape
    lift = evaluation.metrics[model]["lift_top_decile"]
    yield (
        lift.low > 1,
        f"to the tenth ranked highest it happens {lift.value:.1f} times as often as to all ({_range(lift.low, lift.high, 1)})",
    )


def _strong(
    evaluation: Evaluation, model: str, reliability: Reliability, slices: Sequence[Slice]
) -> Iterator[tuple[bool, str]]:
    yield _auroc_better(evaluation, model)
    auroc, loss = evaluation.metrics[model]["auroc"], evaluation.metrics[model]["log_loss"]
    yield auroc.low >= STRONG_AUROC, f"the lower end of AUROC is {auroc.low:.3f}, {STRONG_AUROC} is asked for"
    worst = skill(loss.high, reliability.happened)
    yield (
        worst >= STRONG_SKILL,
        f"log loss at least {worst:.0%} below that of the bare rate, {STRONG_SKILL:.0%} is asked for",
    )
    wrong = [f"{part.attribute} {part.value}" for part in slices if not part.holds]
    if slices:
        verdict = f"wrong for {', '.join(wrong)}" if wrong else f"right for all {len(slices)} segments looked at"
        yield not wrong, f"probabilities {verdict}"


def _log_loss_better(evaluation: Evaluation, model: str) -> tuple[bool, str]:
    better = evaluation.beats_baseline(model, "log_loss")
    return better, "" if better else "log loss is not better than the baseline's beyond noise"  # told under C already


def _auroc_better(evaluation: Evaluation, model: str) -> tuple[bool, str]:
    better = evaluation.beats_baseline(model, "auroc")
    return better, "" if better else "AUROC is not better than the baseline's beyond noise"


def _range(low: float, high: float, digits: int = 3) -> str:
    return f"{low:.{digits}f} to {high:.{digits}f}"
