"""The ladder climbed: every rung tuned, calibrated and judged later than it learnt, and one of them chosen.

Choices (rounds, calibration, rung) are made on the folds alone. Only then does every rung, fitted on what was known at
the test date, meet the test; and only the chosen one is fitted again on every closed horizon, to be registered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from features.arrays import Floats
from features.errors import ExitCode, ForesailError
from training.data.dataset import Dataset
from training.data.splits import Fold, Split
from training.data.targets import Target
from training.evaluation.comparison import Evaluation, judge
from training.models.bgnbd import NoRhythm
from training.models.calibration import PROBABILITIES, Calibration, Margins, Task, as_then
from training.models.calibration import choose as choose_calibration
from training.models.choice import Candidate, Choice, lowest_loss, simplest_within_noise
from training.models.ladder import task_for
from training.models.rules import BASELINES, PooledRung
from training.models.rung import Fitted, FoldData, Rung
from training.models.shrinkage import FEW


class NotEnoughLabels(ForesailError, ValueError):
    """Too few accounts show one of the two labels for even the simplest rung."""

    exit_code = ExitCode.MODEL


@dataclass(frozen=True)
class Contender:
    """A rung after the folds: tuned, with its out-of-time margins and the calibration they speak for."""

    rung: Rung
    margins: tuple[Margins, ...]
    """One a fold, oldest first."""
    method: str
    reason: str
    task: Task = PROBABILITIES

    @property
    def answers(self) -> Floats:
        """Out-of-time answers of all folds one after another, each calibrated as it could have been then."""
        return np.concatenate([as_then(self.method, fold, self.margins, self.task) for fold in self.margins])


@dataclass(frozen=True)
class Judged:
    """A contender fitted on what was known at the test date, and what it then said of the test's accounts."""

    contender: Contender
    fitted: Fitted
    calibration: Calibration
    margins: Margins

    @property
    def answers(self) -> Floats:
        """Calibrated answers for the test's accounts."""
        return self.calibration.answers(self.margins.margin)


@dataclass(frozen=True)
class Refitted:
    """A recipe after it has learnt from everything that is known: what is registered."""

    model: Fitted
    calibration: Calibration


@dataclass(frozen=True)
class Climb:
    """What happened on the ladder: every rung at the test date, the one chosen on the folds, and what was left out."""

    judged: tuple[Judged, ...]
    choice: Choice
    evaluation: Evaluation
    notes: tuple[str, ...]

    @property
    def baseline(self) -> Judged:
        """The simplest rung."""
        return self.judged[0]

    @property
    def rungs(self) -> tuple[Rung, ...]:
        """All of them, as tuned."""
        return tuple(judged.contender.rung for judged in self.judged)

    @property
    def winner(self) -> Judged:
        """The chosen rung."""
        return next(judged for judged in self.judged if judged.contender.rung.name == self.choice.name)


def climb_ladder(
    rungs: Sequence[Rung], data: Dataset, days: Split, target: Target, seed: int, ticks: Callable[[str], None]
) -> Climb:
    """Choose on the folds, then judge every rung on the test date."""
    task = task_for(target)
    rungs, left_out = enough_labels(rungs, data, days, target, task)
    folds = usable_folds(data, days.folds, task)
    judged, notes = [], [*days.notes, *left_out]
    for rung in rungs:
        try:
            ticks(f"tuning {rung.name} on {len(folds)} folds")
            contender = contend(rung, data, folds, target.closes_after, seed, task)
            ticks(f"judging {rung.name} on {days.test:%Y-%m-%d}")
            judged.append(judge_at_test(contender, data, days, target.closes_after, seed))
        except NoRhythm as nothing:
            notes.append(f"{rung.name} was left out: {nothing}")
    choice = choose([rung_judged.contender for rung_judged in judged], seed)  # which looks at the folds alone
    test = judged[0].margins
    answers = {rung_judged.contender.rung.name: rung_judged.answers for rung_judged in judged}
    evaluation = judge(answers, test.labels, test.accounts, baseline=rungs[0].name, seed=seed, task=task)
    return Climb(tuple(judged), choice, evaluation, tuple(notes))


def enough_labels(
    rungs: Sequence[Rung], data: Dataset, split: Split, target: Target, task: Task = PROBABILITIES
) -> tuple[tuple[Rung, ...], tuple[str, ...]]:
    """The rungs that the training labels can carry, and in words why the others are left out.

    NotEnoughLabels if they carry none, or if the test date shows only one of the two labels.
    """
    train, test = data.at(split.train), data.at([split.test])
    there = task.shown(train.labels, train.account)
    if there < rungs[0].needs_accounts:
        rungs = (*least(target), *rungs)  # never above a rung that ranks: it is no rival, it is what is left
    if there < rungs[0].needs_accounts:
        raise NotEnoughLabels(_too_few(train, rungs, target, f"the {len(split.train)} training dates"))
    if task.shown(test.labels, test.account) == 0:
        raise NotEnoughLabels(_too_few(test, rungs, target, f"the test date {split.test:%Y-%m-%d}"))
    kept = tuple(rung for rung in rungs if rung.needs_accounts <= there)
    left_out = (rung for rung in rungs if rung.needs_accounts > there)
    notes = (
        f"{rung.name} was left out: {there} accounts show {task.shows}, it needs about {rung.needs_accounts}"
        for rung in left_out
    )
    return kept, tuple(notes)


def contend(
    rung: Rung,
    data: Dataset,
    folds: Sequence[Fold],
    horizon: timedelta,
    seed: int,
    task: Task = PROBABILITIES,
) -> Contender:
    """Tune a rung, take its out-of-time margins, and choose its calibration."""
    usable = [FoldData(data, fold) for fold in folds]
    tuned = rung.tuned(usable, seed)
    margins = tuple(
        _margins(tuned.fit(fold_data.train, seed), fold_data.later, fold_data.fold, horizon) for fold_data in usable
    )
    method, reason = choose_calibration(margins, seed, task)
    return Contender(tuned, margins, method, reason, task)


def usable_folds(data: Dataset, folds: Sequence[Fold], task: Task = PROBABILITIES) -> tuple[Fold, ...]:
    """The folds that have something to learn from and somebody to judge."""

    def teaches(fold: Fold) -> bool:
        train = data.at(fold.train)
        return task.shown(train.labels, train.account) > 0

    return tuple(fold for fold in folds if teaches(fold) and len(data.at([fold.at])))


def choose(contenders: Sequence[Contender], seed: int) -> Choice:
    """The simplest contender within noise of the best on all folds; the simplest of all if there is no fold.

    With few accounts the one of the lowest loss: simplicity is then a matter of shrinkage and not of the rung.
    """
    if not contenders[0].margins:
        name = contenders[0].rung.name
        return Choice(name, f"{name} is the simplest, and without a fold nothing shows that more is better")
    labels = np.concatenate([fold.labels for fold in contenders[0].margins])
    accounts = np.concatenate([fold.accounts for fold in contenders[0].margins])
    task = contenders[0].task
    candidates = [Candidate(contender.rung.name, task.losses(contender.answers, labels)) for contender in contenders]
    there = task.shown(labels, accounts)
    if there < FEW:
        return lowest_loss(candidates, f"{there} accounts of {task.shows}", task.loss)
    return simplest_within_noise(candidates, accounts, seed, task.loss)


def judge_at_test(contender: Contender, data: Dataset, split: Split, horizon: timedelta, seed: int) -> Judged:
    """Fit on the horizons closed by the test date, calibrate on the folds, and score the test's accounts."""
    fitted = contender.rung.fit(data.at(split.train), seed)
    margins = _margins(fitted, data.at([split.test]), Fold(split.train, split.test), horizon)
    return Judged(contender, fitted, _calibration(contender, contender.margins, margins), margins)


def refit(judged: Judged, data: Dataset, seed: int) -> Refitted:
    """The same recipe on every closed horizon; its calibration on all out-of-time margins, the test's included."""
    margins = (*judged.contender.margins, judged.margins)
    return Refitted(judged.contender.rung.fit(data, seed), _calibration(judged.contender, margins, judged.margins))


def _calibration(contender: Contender, margins: Sequence[Margins], test: Margins) -> Calibration:
    """Fitted on out-of-time margins; without any, what the model itself has learnt, of which its `own` margins tell."""
    task = contender.task
    fitted = task.fit(contender.method, margins) if margins else task.uncalibrated(test)
    return replace(fitted, reason=contender.reason)


def _margins(fitted: Fitted, later: Dataset, fold: Fold, horizon: timedelta) -> Margins:
    return Margins(fold.at, fold.at + horizon, fitted.margin(later), later.labels, later.account, fitted.scale)


def least(target: Target) -> tuple[Rung, ...]:
    """What is left where the simplest rung is too much: of probabilities the pooled rate, which looks at no feature."""
    return (PooledRung(features=BASELINES[target.kind][1]),) if target.answer == "probability" else ()


def _too_few(data: Dataset, rungs: Sequence[Rung], target: Target, where: str) -> str:
    needs = ", ".join(f"{rung.needs_accounts} for {rung.name}" for rung in rungs)
    if target.answer == "probability":
        did = len(np.unique(data.account[data.labels == 1.0]))
        did_not = len(np.unique(data.account[data.labels == 0.0]))
        shown = f"{did} accounts {target.happened} and {did_not} {target.kept}. Of the rarer kind"
    else:
        shown = f"{task_for(target).shown(data.labels, data.account)} accounts {target.happened}. Of those"
    return (
        f"target '{target.name}': over {where}, {shown} about this many accounts are needed: {needs}. Use more history, "
        f"another horizon_days, or a wider active_within_days."
    )
