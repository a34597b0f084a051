"""The gate between challenger and champion: what they said of the same accounts, beside what happened. Pure.

Four checks, each with its figures in words:

- **log loss** and **profit**: worse beyond noise, by the 95 % interval of the paired difference, whole accounts drawn.
- **calibration**: nowhere among all accounts, tenths of risk, fifths of value and the groups of the accounts' attributes
  is the mean probability off beyond noise (with the number of slices in mind), by more than a little, and further off
  than the champion's. Where both are off, a market has moved, and to keep the worse one would not help.
- **scores**: the scores of today's accounts do not jump from the champion's without cause. A jump is a population
  stability index above 0.25, the usual mark of a major shift (Siddiqi, Credit Risk Scorecards, 2006), over the
  accounts below and above the champion's median and the places where its medium and high bands begin. (Over ten equal
  bins, as the index is used for one model over time, two models that agree in all that matters jump: on the demo's
  data with a correlation of 0.98 it is 1.36, because one's safest accounts are at 0.4 %, the other's at 0.5 %.) What happened
  is its cause if it bears the new scores out: the challenger's log loss is lower beyond noise; or the champion's mean
  probability lies outside of the realised rate's 95 % interval, and the challenger's inside.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from features.arrays import Floats, Integers
from registry.promotion_log import Check
from training.evaluation.comparison import REPLICATES, Estimate, Evaluation, judge
from training.metrics.probabilities import Ranking, bootstrap_weights, calibration_bins, rate_interval
from training.models.calibration import Task

CHALLENGER, CHAMPION = "challenger", "champion"
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """What is demanded. The shares of a campaign are those of Verbraken, Verbeke & Baesens (IEEE TKDE 25, 2013)."""

    capacity: float = 0.10
    """Share of the accounts that the team can contact."""
    saved_share: float = 0.30
    """Of the value of an account about to leave, what a contact saves on average."""
    contact_share: float = 0.005
    """What a contact costs, as a share of the mean value of an account."""
    contact_cost: float | None = None
    """What a contact costs, in currency, where the company has said it."""
    slice_accounts: int = 50
    """Smaller slices show nothing but noise."""
    slice_error: float = 0.05
    """Chance that any slice at all of a well calibrated model is called off."""
    off_by: float = 0.01
    off_by_share: float = 0.20
    """A slice is off by more than a little if foreseen and happened differ by both: in points, and of the larger of the two."""
    jump: float = 0.25
    """Population stability index from which scores have jumped."""
    cuts: tuple[float, ...] = (0.5, 0.7, 0.9)
    """Where the index cuts the champion's scores of today: its median, and where the medium and the high band begin."""


@dataclass(frozen=True)
class Compared:
    """Both models on the same accounts of a closed horizon, one row an account, and on those of today."""

    labels: Floats
    account: Integers
    """A number for each row's account, for the bootstrap."""
    champion: Floats
    challenger: Floats
    """Probabilities, amounts (n,), or days (n, 3)."""
    value: Floats
    """What a year of the account was worth at as_of (at least 0; NaN where unknown counts as 0)."""
    groups: Mapping[str, NDArray[np.object_]] = field(default_factory=dict)
    """Attribute → its value for each row; None where it has none."""
    champion_today: Floats = field(default_factory=lambda: np.empty(0))
    challenger_today: Floats = field(default_factory=lambda: np.empty(0))
    seen: bool = False
    """Whether the challenger's training knew what happened: then fitting it better explains nothing."""


@dataclass(frozen=True)
class Gap:
    """Of one slice: how far the mean probability of each model is from the churn rate."""

    name: str
    accounts: int
    foreseen: float
    happened: float
    champion: float
    chance: float
    """Two-sided chance of as much in a well calibrated model, at most."""

    @property
    def off(self) -> float:
        """Foreseen less happened."""
        return self.foreseen - self.happened

    def __str__(self) -> str:
        return (
            f"{self.name}: foreseen {_percent(self.foreseen)}, happened {_percent(self.happened)} ({self.accounts:,} accounts; "
            f"the champion foresaw {_percent(self.champion)})"
        )


def examine(compared: Compared, gate: Gate | None = None, seed: int = 0, *, at_risk: bool = True) -> tuple[Check, ...]:
    """Every check, in the order of the module's list; there is one account at least.

    Profit is what a contact keeps, so it is asked for where something is `at_risk` alone.
    """
    gate = gate or Gate()
    both = {CHAMPION: compared.champion, CHALLENGER: compared.challenger}
    evaluation = judge(both, compared.labels, compared.account, baseline=CHAMPION, seed=seed)
    return (
        _loss(evaluation, "log_loss"),
        *([_profit(compared, gate, seed)] if at_risk else []),
        _calibration(compared, gate),
        _scores(compared, evaluation, gate),
    )


def examine_numbers(compared: Compared, task: Task, gate: Gate, seed: int = 0) -> tuple[Check, ...]:
    """Of amounts and days: the loss that models are chosen by, and the jump of the scores."""
    both = {CHAMPION: compared.champion, CHALLENGER: compared.challenger}
    evaluation = judge(both, compared.labels, compared.account, baseline=CHAMPION, seed=seed, task=task)
    loss = task.metrics[0].name
    return (_loss(evaluation, loss), _scores(compared, evaluation, gate, loss))


def profit(
    probability: Floats, labels: Floats, value: Floats, cost: float, capacity: float, weights: Floats | None = None
) -> Floats:
    """What contacting the `capacity` share of accounts with the highest probability × value brings, a judged account.

    A contact costs `cost`, and brings `value` where the account would have churned; both in one currency. One number
    a row of `weights` (replicates, n), by default of one row of ones. Accounts of equal probability × value share their
    rank: of a run that the cut goes through, a part counts.
    """
    weights = np.ones((1, len(labels))) if weights is None else weights
    ranking = Ranking.of(probability * value, labels)
    ranked, gain = weights[:, ranking.order], (labels * value - cost)[ranking.order]
    mass = np.add.reduceat(ranked, ranking.starts, axis=1)
    gains = np.add.reduceat(ranked * gain, ranking.starts, axis=1)
    total = mass.sum(axis=1, keepdims=True)
    taken = np.clip(capacity * total - (np.cumsum(mass, axis=1) - mass), 0.0, mass)
    share = np.divide(taken, mass, out=np.zeros_like(mass), where=mass > 0)
    return np.asarray((share * gains).sum(axis=1) / total[:, 0])


def stability_index(before: Floats, after: Floats, cuts: Sequence[float]) -> float:
    """Population stability index: Σ (a − b) · ln(a / b) over the parts between the quantiles `cuts` of `before`.

    a and b are the parts' shares of `after` and `before`; half an account is added to each part, so that an empty one
    does not make it infinite. 0 if the parts are as large as before.
    """
    edges = np.unique(np.quantile(before, cuts))
    a, b = (_shares(scores, edges) for scores in (after, before))
    return float(((a - b) * np.log(a / b)).sum())


def gaps(compared: Compared, gate: Gate) -> list[Gap]:
    """Every slice with enough accounts, in the order: all, tenths of risk, fifths of value, groups by attribute."""
    named = ((name, rows) for name, rows in _slices(compared) if rows.sum() >= gate.slice_accounts)
    return [_gap(name, compared, rows) for name, rows in named]


def off_beyond_noise(gaps: list[Gap], gate: Gate) -> list[Gap]:
    """The slices that are off, worst first: by more than a little, further than the champion's, and not by chance.

    By chance: as improbable as `slice_error` divided by the number of slices (Bonferroni).
    """
    off = [
        gap
        for gap in gaps
        if gap.chance < gate.slice_error / len(gaps)
        and abs(gap.off) > max(gate.off_by, gate.off_by_share * max(gap.foreseen, gap.happened))
        and abs(gap.off) > abs(gap.champion - gap.happened)
    ]
    return sorted(off, key=lambda gap: gap.chance)


def _loss(evaluation: Evaluation, loss: str) -> Check:
    ours, theirs = (evaluation.metrics[name][loss].value for name in (CHALLENGER, CHAMPION))
    difference = evaluation.differences[CHALLENGER][loss]
    words = f"{ours:.4f} against the champion's {theirs:.4f}: {_difference(difference, '+.4f')}"
    verdict = _verdict(better=difference.high < 0, worse=difference.low > 0)
    figures = {CHALLENGER: ours, CHAMPION: theirs, **_bounds(difference)}
    return Check(loss.replace("_", " "), difference.low <= 0, f"{words}, {verdict}", figures)


def _profit(compared: Compared, gate: Gate, seed: int) -> Check:
    value, counted = _values(compared)
    saved = gate.saved_share * value
    cost = gate.contact_share * float(value.mean()) if gate.contact_cost is None else gate.contact_cost
    ours, theirs, difference = _paired_profit(compared, saved, cost, gate.capacity, seed)
    words = f"{ours:,.3f} {counted} against the champion's {theirs:,.3f}, {gate.capacity:.0%} contacted"
    verdict = _verdict(better=difference.low > 0, worse=difference.high < 0)
    figures = {CHALLENGER: ours, CHAMPION: theirs, **_bounds(difference)}
    return Check("profit", difference.high >= 0, f"{words}: {_difference(difference, '+,.3f')}, {verdict}", figures)


def _values(compared: Compared) -> tuple[Floats, str]:
    value = np.maximum(np.nan_to_num(compared.value), 0.0)
    return (
        (value, "an account") if value.any() else (np.ones(len(value)), "an account, each worth 1 (none has a value)")
    )


def _paired_profit(
    compared: Compared, value: Floats, cost: float, capacity: float, seed: int
) -> tuple[float, float, Estimate]:
    def of(probability: Floats, weights: Floats | None = None) -> Floats:
        return profit(probability, compared.labels, value, cost, capacity, weights)

    ours, theirs = float(of(compared.challenger)[0]), float(of(compared.champion)[0])
    drawn = np.concatenate(
        [
            of(compared.challenger, weights) - of(compared.champion, weights)
            for weights in bootstrap_weights(compared.account, REPLICATES, seed)
        ]
    )
    low, high = np.quantile(drawn, [0.025, 0.975])
    return ours, theirs, Estimate(ours - theirs, float(low), float(high))


def _calibration(compared: Compared, gate: Gate) -> Check:
    slices = gaps(compared, gate)
    off = off_beyond_noise(slices, gate)
    figures: dict[str, float | None] = {"slices": float(len(slices)), "off": float(len(off))}
    if not slices:
        return Check("calibration", True, f"no slice has {gate.slice_accounts} accounts: nothing can be said", figures)
    if not off:
        words = f"of {len(slices)} slices with {gate.slice_accounts} accounts and more none is off beyond noise"
        return Check("calibration", True, f"{words}, or further off than the champion's", figures)
    more = f", and {len(off) - 3} more" if len(off) > 3 else ""
    return Check("calibration", False, "; ".join(map(str, off[:3])) + more, figures)


def _scores(compared: Compared, evaluation: Evaluation, gate: Gate, loss: str = "log_loss") -> Check:
    if len(compared.champion_today) < gate.slice_accounts:
        return Check("scores", True, f"{len(compared.champion_today)} accounts today: too few to tell a jump")
    index = stability_index(compared.champion_today, compared.challenger_today, gate.cuts)
    means = [float(scores.mean()) for scores in (compared.champion_today, compared.challenger_today)]
    words = f"stability index {index:.2f} (a jump from {gate.jump}), mean {_shown(means[0], loss)} to {_shown(means[1], loss)}"
    figures: dict[str, float | None] = {"stability_index": index, CHAMPION: means[0], CHALLENGER: means[1]}
    if index <= gate.jump:
        return Check("scores", True, words, figures)
    cause = _cause(compared, evaluation, loss)
    return Check("scores", bool(cause), f"{words}: {cause or 'a jump that nothing that happened explains'}", figures)


def _shown(mean: float, loss: str) -> str:
    return _percent(mean) if loss == "log_loss" else f"{mean:,.4g}"


def _cause(compared: Compared, evaluation: Evaluation, loss: str) -> str:
    """What happened that bears out a jump of the scores; "" if nothing did."""
    if evaluation.differences[CHALLENGER][loss].high < 0 and not compared.seen:
        return "explained, the new scores fit what happened better"
    if loss != "log_loss":
        return ""
    low, high = rate_interval(int(compared.labels.sum()), len(compared.labels))
    was, is_now = float(compared.champion.mean()), float(compared.challenger.mean())
    if low <= is_now <= high and not low <= was <= high:
        return (
            f"explained, {_percent(float(compared.labels.mean()))} happened where the champion foresaw {_percent(was)}"
        )
    return ""


def _slices(compared: Compared) -> Iterator[tuple[str, Booleans]]:
    yield "all accounts", np.ones(len(compared.labels), dtype=bool)
    yield from _parts(compared.challenger, 10, "tenth of risk")
    yield from _parts(_values(compared)[0], 5, "fifth of value")
    for attribute, values in compared.groups.items():
        for value in sorted({one for one in values.tolist() if isinstance(one, str)}):
            yield f"{attribute} {value}", values == value


def _parts(by: Floats, parts: int, name: str) -> Iterator[tuple[str, Booleans]]:
    """Parts of equal mass, the highest first; equal values stay together, so there may be fewer."""
    ranking = Ranking.of(by, by)
    part = np.empty(len(by), dtype=np.intp)
    part[ranking.order] = calibration_bins(ranking, parts)
    for number in np.unique(part):
        yield f"{name} {number + 1} of {parts}, highest first", part == number


def _gap(name: str, compared: Compared, rows: Booleans) -> Gap:
    foreseen, happened = float(compared.challenger[rows].mean()), float(compared.labels[rows].mean())
    n, churned = int(rows.sum()), int(compared.labels[rows].sum())
    return Gap(name, n, foreseen, happened, float(compared.champion[rows].mean()), _chance(n, churned, foreseen))


def _chance(n: int, churned: int, foreseen: float) -> float:
    """Two-sided, by the binomial of the mean probability, whose tails are no lighter than those of unequal ones.

    Hoeffding, "On the distribution of the number of successes in independent trials", 1956.
    """
    fewer, more = binom.cdf(churned, n, foreseen), binom.sf(churned - 1, n, foreseen)
    return float(min(1.0, 2 * min(fewer, more)))


def _shares(scores: Floats, edges: Floats) -> Floats:
    counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1)
    shares: Floats = (counts + 0.5) / (counts + 0.5).sum()
    return shares


def _verdict(*, better: bool, worse: bool) -> str:
    return "better" if better else "worse beyond noise" if worse else "within noise"


def _bounds(difference: Estimate) -> dict[str, float | None]:
    return {"difference": difference.value, "low": difference.low, "high": difference.high}


def _difference(difference: Estimate, form: str) -> str:
    low, high = (f"{bound:{form}}" for bound in (difference.low, difference.high))
    return f"difference {difference.value:{form}}, between {low} and {high}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
