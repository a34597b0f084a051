"""Whether an effect can be estimated at all: enough accounts, a randomised treatment, and accounts of every kind in both arms."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import norm, rankdata, t

from features.arrays import Floats
from features.errors import ExitCode, ForesailError
from training.uplift.average import Estimate, around, detectable, difference_in_means, mean_of
from training.uplift.trees import Grower
from training.uplift.trial import Codes, Trial

LEAST_AN_ARM = 30
"""Accounts; with fewer the interval of a mean is no longer one."""
LEAST_OF_RARER = 5
"""Accounts an arm that show the rarer of two outcomes, for the same reason."""
FALSE_ALARMS = 0.001
"""So often each of the three checks of randomisation may cry wolf at a sound experiment."""
SHOWN = 5
OVERLAP = (0.05, 0.95)
MOST_OUTSIDE = 0.10


class CannotEstimate(ForesailError, ValueError):
    """The effect cannot be told from such data; the message says what there is and what is needed."""

    exit_code = ExitCode.MODEL


class TooSmall(CannotEstimate):
    """Too few accounts for an effect of the size that matters."""


class NotRandomised(CannotEstimate):
    """The treatment was not randomised, or not with the probability that was stated."""


class NoOverlap(CannotEstimate):
    """Some kinds of accounts were always treated, or never, so that nothing tells what else would have been."""


@dataclass(frozen=True)
class Imbalance:
    """How far the arms lie apart in one feature: the difference of mean ranks, in standard deviations of ranks."""

    feature: str
    difference: float
    p_value: float


@dataclass(frozen=True)
class Randomisation:
    """What speaks for and against randomisation."""

    auroc: Estimate
    """How well the features tell who was treated, out of fold; 0.5 if randomised."""
    treated_share: float
    stated_share: float | None
    imbalances: tuple[Imbalance, ...]
    """The largest, worst first."""
    objections: tuple[str, ...]
    """Why it was not randomised, or not as stated; none if nothing speaks against it."""

    @property
    def is_passed(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.objections


@dataclass(frozen=True)
class Overlap:
    """The chances of treatment, and the share of rows where it lies outside of 5 to 95 %."""

    lowest: float
    highest: float
    outside: float


def refuse_too_small(trial: Trial, treatment: str) -> None:
    """TooSmall with fewer than 30 accounts in an arm, or fewer than 5 that show the rarer of two outcomes."""
    arms = {treatment: trial.treated, "control": ~trial.treated}
    there = {name: trial.accounts_in(arm) for name, arm in arms.items()}
    if min(there.values()) < LEAST_AN_ARM:
        raise TooSmall(f"{_counted(there)} accounts; {LEAST_AN_ARM} in each are needed at least.{_finds(trial, there)}")
    if not trial.is_binary:
        return
    for name, arm in arms.items():
        shown = {label: trial.accounts_in(arm & (trial.outcome == label)) for label in (0.0, 1.0)}
        rarer = min(shown, key=lambda label: shown[label])
        if shown[rarer] < LEAST_OF_RARER:
            raise TooSmall(
                f"{name}: of {there[name]} accounts {shown[rarer]} show the outcome {rarer:.0f}; "
                f"{LEAST_OF_RARER} in each arm are needed at least.{_finds(trial, there)}"
            )


def refuse_too_coarse(trial: Trial, average: Estimate, worth_finding: float | None) -> None:
    """TooSmall if an effect as small as `worth_finding` would be missed more than one time in five."""
    finds = detectable(average.standard_error)
    if worth_finding is not None and finds > worth_finding:
        needed = trial.accounts * (finds / worth_finding) ** 2
        raise TooSmall(
            f"{trial.accounts:,} accounts find an effect of {finds:.4g} with 80 % power, and none as small as {worth_finding:.4g}: "
            f"that takes about {needed:,.0f} accounts in the same proportion. The effect seen is {average}"
        )


def randomisation(trial: Trial, fold: Codes, grower: Grower) -> Randomisation:
    """Whether the features tell who was treated more than chance allows, given the chances that were stated.

    Three checks, each with one false alarm in a thousand: the share of the treated against the stated one (Fabijan et al.
    2019 call it sample ratio mismatch); AUROC of a model that forecasts treatment; and each feature's own balance,
    with Bonferroni's correction for their number. Features that were not known before the assignment fail them rightly.
    """
    auroc, worst = _auroc(trial, fold, grower), _imbalances(trial)
    stated = float(trial.propensity.mean()) if trial.is_stated else None
    objections = (*_wrong_share(trial), *_foreseeable(auroc), *_unbalanced(worst))
    return Randomisation(auroc, float(trial.treated.mean()), stated, worst[:SHOWN], objections)


def overlap(propensity: Floats) -> Overlap:
    """How the chances of treatment lie."""
    low, high = OVERLAP
    outside = float(((propensity < low) | (propensity > high)).mean())
    return Overlap(float(propensity.min()), float(propensity.max()), outside)


def refuse_no_overlap(overlap: Overlap) -> None:
    """NoOverlap if more than a tenth of the rows were treated almost surely, or almost surely not."""
    if overlap.outside > MOST_OUTSIDE:
        low, high = OVERLAP
        raise NoOverlap(
            f"for {overlap.outside:.0%} of the rows the chance of treatment lies outside of {low:.0%} to {high:.0%} (from {overlap.lowest:.1%} to "
            f"{overlap.highest:.1%}); {MOST_OUTSIDE:.0%} at most may. Keep to those kinds of accounts of which both arms hold some"
        )


def weighted_auroc(score: Floats, treated: Floats, weights: Floats) -> tuple[float, Floats]:
    """Weighted AUROC (ties half), and how far each row moves it (Obuchowski 1997): placements among the other arm, centred."""
    arm = treated.astype(bool)
    placed = np.empty(len(score))
    placed[arm] = _placements(score[arm], score[~arm], weights[~arm])
    placed[~arm] = 1.0 - _placements(score[~arm], score[arm], weights[arm])
    value = float((weights * placed)[arm].sum() / weights[arm].sum())
    mass = np.where(arm, weights / weights[arm].sum(), weights / weights[~arm].sum())
    return value, mass * (placed - value)


def _placements(score: Floats, others: Floats, weights: Floats) -> Floats:
    """For each score the weighted share of the others that lie below it, equals counting half."""
    order = np.argsort(others, kind="stable")
    summed = np.r_[0.0, np.cumsum(weights[order])]
    below, upto = (summed[np.searchsorted(others[order], score, side=side)] for side in ("left", "right"))
    return np.asarray((below + upto) / 2 / summed[-1])


def _auroc(trial: Trial, fold: Codes, grower: Grower) -> Estimate:
    """Fold by fold, because models of different folds speak on different scales."""
    value, influence, labels = 0.0, np.zeros(len(trial)), trial.treated.astype(np.float64)
    for number in np.unique(fold):
        held_out = fold == number
        model = grower.chance(trial.matrix[~held_out], labels[~held_out], trial.weights[~held_out])
        fold_auroc, moved = weighted_auroc(
            model.predict(trial.matrix[held_out]), labels[held_out], trial.weights[held_out]
        )
        value += fold_auroc * held_out.mean()
        influence[held_out] = moved * held_out.mean()
    return around(value, influence, trial.account)


def _imbalances(trial: Trial) -> tuple[Imbalance, ...]:
    """Every feature that varies, the least likely first; each word of a text is a feature."""
    imbalances = [_imbalance(trial, name, rankdata(column)) for name, column in _columns(trial) if np.ptp(column) > 0]
    return tuple(sorted(imbalances, key=lambda one: one.p_value))


def _imbalance(trial: Trial, name: str, ranks: Floats) -> Imbalance:
    difference = difference_in_means(replace(trial, outcome=ranks))
    error = max(difference.standard_error, 1e-12)
    p_value = 2 * float(t.sf(abs(difference.value) / error, len(np.unique(trial.account)) - 1))
    return Imbalance(name, difference.value / float(ranks.std()), p_value)


def _columns(trial: Trial) -> list[tuple[str, Floats]]:
    """Absent values are taken as the lowest: that they are absent is something that can be out of balance, too."""
    columns = []
    for place, name in enumerate(trial.coding.columns):
        column = trial.matrix[:, place]
        if name in trial.coding.words:
            words = enumerate(trial.coding.words[name])
            columns += [(f"{name} = {word}", (column == code).astype(np.float64)) for code, word in words]
        else:
            columns.append((name, np.nan_to_num(column, nan=-np.inf, posinf=np.inf, neginf=-np.inf)))
    return [(name, np.where(np.isneginf(column), _below(column), column)) for name, column in columns]


def _below(column: Floats) -> float:
    finite = column[np.isfinite(column)]
    return float(finite.min()) - 1.0 if len(finite) else 0.0


def _wrong_share(trial: Trial) -> tuple[str, ...]:
    if not trial.is_stated:
        return ()
    surplus = mean_of(trial.treated - trial.propensity, trial.account)
    if abs(surplus.value) <= norm.isf(FALSE_ALARMS / 2) * surplus.standard_error:
        return ()
    return (f"{trial.treated.mean():.1%} were treated, {trial.propensity.mean():.1%} should have been",)


def _foreseeable(auroc: Estimate) -> tuple[str, ...]:
    if auroc.value - 0.5 <= norm.isf(FALSE_ALARMS) * auroc.standard_error:
        return ()
    return (
        f"the features tell who was treated: AUROC {auroc.value:.3f} ({auroc.low:.3f} to {auroc.high:.3f}), of a randomised treatment it is 0.5",
    )


def _unbalanced(imbalances: tuple[Imbalance, ...]) -> tuple[str, ...]:
    worst = [imbalance for imbalance in imbalances if imbalance.p_value < FALSE_ALARMS / len(imbalances)][:SHOWN]
    if not worst:
        return ()
    named = ", ".join(f"{imbalance.feature} ({imbalance.difference:+.2f} sd)" for imbalance in worst)
    return (f"the arms differ before the treatment in {named}",)


def _counted(there: dict[str, int]) -> str:
    return ", ".join(f"{name}: {accounts}" for name, accounts in there.items())


def _finds(trial: Trial, there: dict[str, int]) -> str:
    """What so few could find; an arm without anybody finds nothing."""
    if min(there.values()) == 0:
        return " With an empty arm there is no effect to see"
    error = float(trial.outcome.std()) * np.sqrt(sum(1.0 / accounts for accounts in there.values()))
    return f" The smallest effect that they find with 80 % power is about {detectable(error):.3g}"
