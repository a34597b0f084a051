"""The ladder climbed: every rung tuned, calibrated and judged later than it learnt, and one of them chosen.

Choices (rounds, calibration, rung) are made on the folds alone. Only then does every rung, fitted on what was known at
the test date, meet the test; and only the chosen one is fitted again on every closed horizon, to be registered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from training import calibration
from training.calibration import Calibration, Margins
from training.choice import Candidate, Choice, lowest_loss, simplest_within_noise
from training.dataset import Dataset, rarer_accounts
from training.evaluation import Evaluation, judge
from training.metrics import Floats, log_losses
from training.models import Fitted, FoldData, PooledRung, Rung
from training.shrinkage import FEW
from training.splits import Fold, Split
from training.targets import ChurnTarget


class NotEnoughLabels(ValueError):
    """Too few accounts show one of the two labels for even the simplest rung."""


@dataclass(frozen=True)
class Contender:
    """A rung after the folds: tuned, with its out-of-time margins and the calibration they speak for."""

    rung: Rung
    margins: tuple[Margins, ...]
    """One a fold, oldest first."""
    method: str
    reason: str

    @property
    def probabilities(self) -> Floats:
        """Out-of-time probabilities of all folds one after another, each calibrated as it could have been then."""
        return np.concatenate([calibration.as_then(self.method, fold, self.margins) for fold in self.margins])


@dataclass(frozen=True)
class Judged:
    """A contender fitted on what was known at the test date, and what it then said of the test's accounts."""

    contender: Contender
    fitted: Fitted
    calibration: Calibration
    margins: Margins

    @property
    def probability(self) -> Floats:
        """Calibrated probabilities of the test's accounts."""
        return self.calibration.probability(self.margins.margin)


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
        return tuple(each.contender.rung for each in self.judged)

    @property
    def winner(self) -> Judged:
        """The chosen rung."""
        return next(each for each in self.judged if each.contender.rung.name == self.choice.name)


def climb_ladder(
    rungs: Sequence[Rung], data: Dataset, days: Split, target: ChurnTarget, seed: int, ticks: Callable[[str], None]
) -> Climb:
    """Choose on the folds, then judge every rung on the test date."""
    rungs, left_out = enough_labels(rungs, data, days, target.name)
    folds = usable_folds(data, days.folds)
    contenders = []
    for rung in rungs:
        ticks(f"tuning {rung.name} on {len(folds)} folds")
        contenders.append(contend(rung, data, folds, target.horizon, seed))
    choice = choose(contenders, seed)
    judged = []
    for contender in contenders:
        ticks(f"judging {contender.rung.name} on {days.test:%Y-%m-%d}")
        judged.append(judge_at_test(contender, data, days, target.horizon, seed))
    test = judged[0].margins
    probabilities = {each.contender.rung.name: each.probability for each in judged}
    evaluation = judge(probabilities, test.labels, test.accounts, baseline=rungs[0].name, seed=seed)
    return Climb(tuple(judged), choice, evaluation, (*days.notes, *left_out))


def enough_labels(
    rungs: Sequence[Rung], data: Dataset, split: Split, target: str
) -> tuple[tuple[Rung, ...], tuple[str, ...]]:
    """The rungs that the training labels can carry, and in words why the others are left out.

    NotEnoughLabels if they carry none, or if the test date shows only one of the two labels.
    """
    train, test = data.at(split.train), data.at([split.test])
    there = train.rarer_accounts
    if there < rungs[0].needs_accounts:
        rungs = (PooledRung(), *rungs)  # never above a rung that ranks: it is no rival, it is what is left
    if there < rungs[0].needs_accounts:
        raise NotEnoughLabels(_too_few(train, rungs, target, f"the {len(split.train)} training dates"))
    if test.rarer_accounts == 0:
        raise NotEnoughLabels(_too_few(test, rungs, target, f"the test date {split.test:%Y-%m-%d}"))
    kept = tuple(rung for rung in rungs if rung.needs_accounts <= there)
    left_out = (rung for rung in rungs if rung.needs_accounts > there)
    notes = (
        f"{rung.name} was left out: {there} accounts show the rarer outcome, it needs about {rung.needs_accounts}"
        for rung in left_out
    )
    return kept, tuple(notes)


def contend(rung: Rung, data: Dataset, folds: Sequence[Fold], horizon: timedelta, seed: int) -> Contender:
    """Tune a rung, take its out-of-time margins, and choose its calibration."""
    usable = [FoldData(data, fold) for fold in folds]
    tuned = rung.tuned(usable, seed)
    margins = tuple(_margins(tuned.fit(each.train, seed), each.later, each.fold, horizon) for each in usable)
    method, reason = calibration.choose(margins, seed)
    return Contender(tuned, margins, method, reason)


def usable_folds(data: Dataset, folds: Sequence[Fold]) -> tuple[Fold, ...]:
    """The folds that have both labels to learn from and somebody to judge."""
    return tuple(fold for fold in folds if data.at(fold.train).rarer_accounts and len(data.at([fold.at])))


def choose(contenders: Sequence[Contender], seed: int) -> Choice:
    """The simplest contender within noise of the best on all folds; the simplest of all if there is no fold.

    With few accounts the one of the lowest loss: simplicity is then a matter of shrinkage and not of the rung.
    """
    if not contenders[0].margins:
        name = contenders[0].rung.name
        return Choice(name, f"{name} is the simplest, and without a fold nothing shows that more is better")
    labels = np.concatenate([fold.labels for fold in contenders[0].margins])
    accounts = np.concatenate([fold.accounts for fold in contenders[0].margins])
    candidates = [Candidate(each.rung.name, log_losses(each.probabilities, labels)) for each in contenders]
    there = rarer_accounts(labels, accounts)
    return lowest_loss(candidates, there) if there < FEW else simplest_within_noise(candidates, accounts, seed)


def judge_at_test(contender: Contender, data: Dataset, split: Split, horizon: timedelta, seed: int) -> Judged:
    """Fit on the horizons closed by the test date, calibrate on the folds, and score the test's accounts."""
    fitted = contender.rung.fit(data.at(split.train), seed)
    margins = _margins(fitted, data.at([split.test]), Fold(split.train, split.test), horizon)
    return Judged(contender, fitted, _calibration(contender, contender.margins), margins)


def refit(judged: Judged, data: Dataset, seed: int) -> Refitted:
    """The same recipe on every closed horizon; its calibration on all out-of-time margins, the test's included."""
    margins = (*judged.contender.margins, judged.margins)
    return Refitted(judged.contender.rung.fit(data, seed), _calibration(judged.contender, margins))


def _calibration(contender: Contender, margins: Sequence[Margins]) -> Calibration:
    if contender.method == "none":
        return Calibration("none", {}, contender.reason)
    fitted = calibration.fitted_on(contender.method, margins)
    return Calibration(fitted.method, fitted.parameters, contender.reason)


def _margins(fitted: Fitted, later: Dataset, fold: Fold, horizon: timedelta) -> Margins:
    return Margins(fold.at, fold.at + horizon, fitted.margin(later), later.labels, later.account)


def _too_few(data: Dataset, rungs: Sequence[Rung], target: str, where: str) -> str:
    needs = ", ".join(f"{rung.needs_accounts} for {rung.name}" for rung in rungs)
    churned = len(np.unique(data.account[data.labels == 1.0]))
    stayed = len(np.unique(data.account[data.labels == 0.0]))
    return (
        f"target '{target}': over {where}, {churned} accounts churned and {stayed} stayed. Of the rarer kind about this many "
        f"accounts are needed: {needs}. Use more history, another horizon_days, or a wider active_within_days."
    )
