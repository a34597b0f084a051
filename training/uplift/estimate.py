"""From a plain table to effects: checks, averages, learners, curves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from features.arrays import Flags, Floats
from training.models.choice import Choice
from training.uplift.average import Estimate, detectable, difference_in_means, mean_of
from training.uplift.checks import (
    NotRandomised,
    Overlap,
    Randomisation,
    overlap,
    randomisation,
    refuse_no_overlap,
    refuse_too_coarse,
    refuse_too_small,
)
from training.uplift.coding import Coding
from training.uplift.curves import Targeting, targeting
from training.uplift.learner_selection import Contender, choose, compete
from training.uplift.learners import LEARNERS, EffectModel
from training.uplift.nuisances import Nuisances
from training.uplift.trees import Grower
from training.uplift.trial import Trial, folds_of

FOLDS = 5
NAMES = tuple(one.name for one in LEARNERS)
Direction = Literal["higher_is_better", "lower_is_better"]
NOT_BY_LOT = "not randomised: a doubly robust estimate, true only if the features hold all that decided who was treated"


@dataclass(frozen=True)
class Effect:
    """What one treatment does against control.

    Effects are in units of the outcome, as they are: of a treatment that avoids churn they are below 0. Values are in the
    better direction, in money if `value` was given.
    """

    treatment: str
    control: str
    treated_accounts: int
    control_accounts: int
    difference: Estimate
    """Mean outcome of the treated less that of control."""
    average: Estimate
    """The average effect by doubly robust scores, which use the features: the same in expectation, with less noise."""
    average_net: Estimate
    """What treating an account brings on average, cost taken off."""
    is_randomised: bool
    randomisation: Randomisation
    overlap: Overlap
    contenders: tuple[Contender, ...]
    choice: Choice
    accounts: pd.DataFrame
    """One row per row of the features that was in either arm: `effect` and `net`, out of fold, by the chosen learner."""
    targeting: Targeting
    """Of the chosen learner, out of fold."""
    model: EffectModel
    """The chosen learner, fitted on all rows."""
    coding: Coding

    @property
    def mark(self) -> str:
        """What must stand beside these figures wherever they are shown; empty for a randomised treatment."""
        return "" if self.is_randomised else NOT_BY_LOT

    @property
    def chosen(self) -> Contender:
        """The contender that was chosen."""
        return next(contender for contender in self.contenders if contender.name == self.choice.name)

    @property
    def smallest_detectable(self) -> float:
        """The average effect that so many accounts find with 80 % power."""
        return detectable(self.average.standard_error)

    def predict(self, features: pd.DataFrame) -> "pd.Series[float]":
        """The expected effect on accounts that may be new, in units of the outcome; ValueError if a feature is missing."""
        effects = self.model.effects(self.coding.matrix(features))
        return pd.Series(effects, index=features.index, name="effect")

    def learners(self) -> pd.DataFrame:
        """One row per learner, the simplest first: policy value, its advance over the constant effect, RATE, Qini, AUUC; with intervals."""
        rows = {contender.name: _line(contender) for contender in self.contenders}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("learner")


@dataclass(frozen=True)
class Effects:
    """Those of all treatments against the one control."""

    control: str
    of: Mapping[str, Effect]

    def __getitem__(self, treatment: str) -> Effect:
        """The effect of a treatment; KeyError that names the treatments if there is no such one."""
        if treatment not in self.of:
            raise KeyError(f"there is no treatment '{treatment}'; there are {', '.join(self.of)}")
        return self.of[treatment]

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.of.values())

    @property
    def only(self) -> Effect:
        """The effect where there is one treatment; ValueError where there are several."""
        if len(self.of) != 1:
            raise ValueError(f"there are {len(self.of)} treatments, {', '.join(self.of)}: ask for one of them")
        return next(iter(self.of.values()))

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """The expected effect of each treatment on each row."""
        return pd.DataFrame({name: effect.predict(features) for name, effect in self.of.items()})

    def averages(self) -> pd.DataFrame:
        """One row per treatment: the average effect both ways with intervals, accounts, and what must be said with them."""
        rows = {name: _average_line(effect) for name, effect in self.of.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("treatment")


def estimate_effects(  # noqa: PLR0913  # each is a question that the caller alone can answer
    features: pd.DataFrame,
    treatment: ArrayLike,
    outcome: ArrayLike,
    *,
    direction: Direction = "higher_is_better",
    control: str | None = None,
    value: ArrayLike | None = None,
    cost: float = 0.0,
    budget: float | None = None,
    propensity: float | Mapping[str, float] | ArrayLike | None = None,
    clusters: ArrayLike | None = None,
    worth_finding: float | None = None,
    learners: Sequence[str] = NAMES,
    allow_observational: bool = False,
    seed: int = 0,
) -> Effects:
    """What each treatment does on average, and to whom it does more.

        One row per assignment: `features` known before it, who got which `treatment`, what the `outcome` was (a number, or 0
        and 1). A treatment of yes and no, or 1 and 0, has no for control; else `control` names the arm that was left alone.

        `value`: what one unit of the outcome is worth for each row (money at stake, margin), 1 by default. `cost` of
        treating one account, in the same unit. `budget`: the share of accounts that can be treated, by which learners are
        judged; by default all shares from 0 to 1 count alike. `propensity`: the chance with which each was treated, if it is
        known: a share, a share for each treatment, or one for each row. `clusters`: the account of each row, where accounts occur
        several times. `worth_finding`: the smallest average effect that matters. `learners`: which may compete with the constant effect; with
    none of them only averages are estimated, in a third of the time.

        TooSmall with fewer than 30 accounts in an arm, or if an effect `worth_finding` would be missed. NotRandomised if
        the features tell who was treated, unless `allow_observational`: then the effect is doubly robust, and marked; NoOverlap if
        some kinds of accounts were always treated, or never. ValueError for input that is no experiment at all.
    """
    columns = _Columns.of(features, treatment, outcome, value, clusters, control)
    sign = {"higher_is_better": 1.0, "lower_is_better": -1.0}.get(direction)
    if sign is None:
        raise ValueError(f"direction is '{direction}'; say higher_is_better or lower_is_better of the outcome")
    if budget is not None and not 0.0 < budget <= 1.0:
        raise ValueError(f"budget is {budget}; give the share of accounts that can be treated, above 0 and 1 at most")
    unknown = sorted(set(learners) - set(NAMES))
    if unknown:
        raise ValueError(f"there is no learner '{unknown[0]}'; there are {', '.join(NAMES)}")
    effects = {}
    for name in columns.treatments:
        rows, trial = columns.trial(name, sign, cost, propensity)
        settings = _Settings(name, columns.control, budget, worth_finding, tuple(learners), allow_observational, seed)
        effects[name] = _estimate(trial, features.index[rows], settings)
    return Effects(columns.control, effects)


@dataclass(frozen=True)
class _Settings:
    treatment: str
    control: str
    budget: float | None
    worth_finding: float | None
    learners: tuple[str, ...]
    allow_observational: bool
    seed: int


def _estimate(trial: Trial, index: pd.Index, settings: _Settings) -> Effect:
    refuse_too_small(trial, settings.treatment)
    fold = folds_of(trial, FOLDS, settings.seed)
    grower = Grower(tuple(trial.coding.categories), settings.seed)
    check = randomisation(trial, fold, grower)
    if not check.is_passed and not settings.allow_observational:
        raise NotRandomised(_not_randomised(settings.treatment, check))
    nuisances = Nuisances(trial, fold, grower, is_randomised=check.is_passed)
    if not check.is_passed:
        nuisances = replace(nuisances, trial=replace(trial, propensity=nuisances.propensity()))
    return _judged(nuisances, index, settings, check)


def _judged(nuisances: Nuisances, index: pd.Index, settings: _Settings, check: Randomisation) -> Effect:
    trial, scores = nuisances.trial, nuisances.scores_without(frozenset())
    chances = overlap(trial.propensity)
    refuse_no_overlap(chances)
    average = mean_of(scores, trial.account)
    refuse_too_coarse(trial, average, settings.worth_finding)
    contenders = compete(nuisances, settings.budget, settings.learners, settings.seed)
    choice = choose(contenders, trial.account)
    chosen = next(contender for contender in contenders if contender.name == choice.name)
    net = trial.net(chosen.effects)
    return Effect(
        settings.treatment, settings.control, trial.accounts_in(trial.treated), trial.accounts_in(~trial.treated),
        difference_in_means(trial), average, mean_of(trial.net(scores), trial.account), check.is_passed, check, chances,
        contenders, choice, pd.DataFrame({"effect": chosen.effects, "net": net}, index=index),
        targeting(trial, scores, net, nuisances.fold), chosen.learner.fit(nuisances, frozenset()), trial.coding,
    )  # fmt: skip


def _not_randomised(treatment: str, check: Randomisation) -> str:
    return (
        f"{treatment}: the treatment was not randomised, so a comparison shows how the arms differ and not what the treatment "
        f"does: {'; '.join(check.objections)}. Use features that were known before the assignment alone; if they are, "
        "allow_observational=True gives a doubly robust estimate, marked as such"
    )


@dataclass(frozen=True)
class _Columns:
    """The table as it was given, checked."""

    features: pd.DataFrame
    coding: Coding
    arm: "pd.Series[str]"
    control: str
    outcome: Floats
    value: Floats
    account: "pd.Series[int]"

    @classmethod
    def of(
        cls,
        features: pd.DataFrame,
        treatment: ArrayLike,
        outcome: ArrayLike,
        value: ArrayLike | None,
        clusters: ArrayLike | None,
        control: str | None,
    ) -> "_Columns":
        n = len(features)
        arm, named = _arms(_column("treatment", treatment, n), control)
        outcomes = _numbers("outcome", outcome, n)
        values = np.ones(n) if value is None else _numbers("value", value, n)
        if (values < 0).any():
            raise ValueError("value is below 0 for some rows: say direction='lower_is_better' where less is better")
        accounts = np.arange(n) if clusters is None else pd.factorize(_column("clusters", clusters, n))[0]
        if (accounts < 0).any():
            raise ValueError("clusters has absent values: name the account of every row")
        return cls(features, Coding.of(features), arm, named, outcomes, values, pd.Series(accounts))

    @property
    def treatments(self) -> list[str]:
        return [str(name) for name in sorted(self.arm.unique()) if name != self.control]

    def trial(
        self, treatment: str, sign: float, cost: float, propensity: float | Mapping[str, float] | ArrayLike | None
    ) -> tuple[Flags, Trial]:
        """One treatment and control: which rows, and what of them."""
        rows = self.arm.isin([treatment, self.control]).to_numpy()
        treated = (self.arm == treatment).to_numpy()
        chance = _chances(propensity, self, treatment, rows, treated)
        trial = Trial(
            self.coding, self.coding.matrix(self.features[rows]), treated[rows], self.outcome[rows], sign, self.value[rows],
            cost, pd.factorize(self.account[rows])[0], chance, propensity is not None,
        )  # fmt: skip
        return rows, trial


def _chances(
    propensity: float | Mapping[str, float] | ArrayLike | None,
    columns: _Columns,
    treatment: str,
    rows: Flags,
    treated: Flags,
) -> Floats:
    """The chance of the treatment among those in either arm."""
    n = int(rows.sum())
    if propensity is None:
        return np.full(n, treated[rows].mean())
    if isinstance(propensity, Mapping):
        shares = [float(propensity[name]) for name in (treatment, columns.control)]
        return _between_0_and_1(np.full(n, shares[0] / sum(shares)))
    if len(columns.treatments) > 1:
        raise ValueError(
            f"with {len(columns.treatments)} treatments give propensity as a share for each, control included"
        )
    if np.ndim(propensity) == 0:
        return _between_0_and_1(np.full(n, propensity, dtype=np.float64))
    return _between_0_and_1(_numbers("propensity", propensity, len(rows))[rows])


def _between_0_and_1(chances: Floats) -> Floats:
    if not ((chances > 0.0) & (chances < 1.0)).all():
        raise ValueError(
            "propensity must lie between 0 and 1: who is treated for certain, or never, is in no experiment"
        )
    return chances


def _arms(treatment: "pd.Series[str]", control: str | None) -> tuple["pd.Series[str]", str]:
    """The arm of each row by name, and which of them is control."""
    if treatment.isna().any():
        raise ValueError("treatment has absent values: leave out rows that were in no arm")
    if control is None:
        if not set(treatment.unique()) <= {0, 1}:
            raise ValueError(f"treatment holds {sorted(map(str, treatment.unique()))}: name the control among them")
        named = np.where(treatment.to_numpy(dtype=bool), "treatment", "control")
        return pd.Series(named, dtype="str"), "control"
    arm = treatment.astype("str")
    if control not in set(arm):
        raise ValueError(f"no row has the control '{control}'; treatment holds {sorted(arm.unique())}")
    return arm, control


def _column(name: str, values: ArrayLike, rows: int) -> "pd.Series[str]":
    column = pd.Series(np.asarray(values)) if not isinstance(values, pd.Series) else values.reset_index(drop=True)
    if len(column) != rows:
        raise ValueError(f"{name} has {len(column):,} rows, features has {rows:,}")
    return column


def _numbers(name: str, values: ArrayLike, rows: int) -> Floats:
    numbers = _column(name, values, rows).to_numpy(dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{name} has absent or infinite values: leave those rows out, and ask why they are absent")
    return numbers


def _line(contender: Contender) -> dict[str, float]:
    named = {
        "policy_value": contender.policy_value, "over_constant": contender.over_constant, "rate": contender.rate, "qini": contender.quality.qini,
        "auuc": contender.quality.auuc,
    }  # fmt: skip
    return {key: number for name, estimate in named.items() for key, number in _columns(name, estimate).items()}


def _average_line(effect: Effect) -> dict[str, object]:
    return {
        **_columns("difference", effect.difference),
        **_columns("average", effect.average),
        "treated": effect.treated_accounts,
        "control": effect.control_accounts,
        "learner": effect.choice.name,
        "mark": effect.mark,
    }


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
