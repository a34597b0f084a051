"""What a model is worth to a team that calls the accounts it ranks highest, in the company's own money.

The retention campaign of Verbraken, Verbeke & Baesens, "A novel profit maximizing metric for measuring classification
performance of customer churn prediction models", IEEE TKDE 25 (2013): every account contacted costs a contact; one that would
have stayed takes the incentive too; one that would have left accepts it with a chance γ, and then stays. So of n
accounts, of whom c churners and s stayers are contacted,

    profit = c · (γ · (value − incentive) − contact) − s · (incentive + contact).

γ is not known exactly: Beta(α, β). EMPC is the expectation over γ of the best that any cut of the ranking could earn.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.arrays import Floats
from training.evaluation.comparison import Estimate, estimate
from training.metrics.probabilities import Ranking, bootstrap_weights

ACCEPT_RATE, ACCEPT_SEEN_ON = 0.30, 20.0
INCENTIVE_SHARE, CONTACT_SHARE = 0.05, 0.005
ASSUMED_VALUE = 200.0
"""All five from the paper: γ ~ Beta(6, 14), and of a value of 200 the incentive is 10 and a contact 1."""
ASSUMED_CAPACITY = 0.10
CURVE = np.linspace(0.0, 1.0, 201)
MOST_REPLICATES, FEWEST_REPLICATES = 200, 100
ROWS_TO_DRAW = 20_000_000
"""EMPC sorts anew for every replicate: half a second for a million accounts."""


@dataclass(frozen=True)
class Campaign:
    """What the project file says of a campaign; None is left open, to be measured or assumed by `terms`."""

    account_value: float | None = None
    contact_cost: float | None = None
    incentive_cost: float | None = None
    accept_rate: float | None = None
    accept_seen_on: float | None = None
    capacity: float | None = None
    """Below 1 the share of the accounts that the team can contact in a run, else their number."""
    currency: str = ""

    def terms(self, yearly_net: Floats) -> "Terms":
        """The figures to reckon with. `yearly_net`: what a year of each judged account brought, returns taken off.

        A value left open is the mean of that; costs left open are the paper's shares of the value.
        """
        measured = float(np.nanmean(yearly_net)) if len(yearly_net) and not np.isnan(yearly_net).all() else 0.0
        measured = max(measured, 0.0)
        value = self.account_value or measured or ASSUMED_VALUE
        return Terms(
            value=value,
            contact_cost=_or_assumed(self.contact_cost, CONTACT_SHARE * value),
            incentive_cost=_or_assumed(self.incentive_cost, INCENTIVE_SHARE * value),
            accept_rate=_or_assumed(self.accept_rate, ACCEPT_RATE),
            accept_seen_on=_or_assumed(self.accept_seen_on, ACCEPT_SEEN_ON),
            capacity=self._share(len(yearly_net)),
            currency=self.currency,
            assumed=tuple(
                name for name in ASSUMABLE if getattr(self, name) is None and not (name == "account_value" and measured)
            ),
            measured=("account_value",) if self.account_value is None and measured else (),
        )

    def _share(self, accounts: int) -> float:
        capacity = _or_assumed(self.capacity, ASSUMED_CAPACITY)
        return capacity if capacity < 1 else min(1.0, capacity / max(accounts, 1))


NOTHING_GIVEN = Campaign()

ASSUMABLE = ("account_value", "contact_cost", "incentive_cost", "accept_rate", "capacity")


@dataclass(frozen=True)
class Terms:
    """The figures of a campaign, amounts in `currency` an account, and which of them nobody has given.

    `capacity` is a share of the accounts. `assumed` names settings that are no more than the paper's, `measured` those
    that were taken from the accounts' own purchases.
    """

    value: float
    contact_cost: float
    incentive_cost: float
    accept_rate: float = ACCEPT_RATE
    accept_seen_on: float = ACCEPT_SEEN_ON
    capacity: float = ASSUMED_CAPACITY
    currency: str = ""
    assumed: tuple[str, ...] = ()
    measured: tuple[str, ...] = ()

    @property
    def gain(self) -> float:
        """Expected profit of contacting an account that would have left."""
        return self.accept_rate * (self.value - self.incentive_cost) - self.contact_cost

    @property
    def loss(self) -> float:
        """What it costs to contact an account that would have stayed."""
        return self.incentive_cost + self.contact_cost

    @property
    def beta(self) -> tuple[float, float]:
        """α and β of the accept rate's distribution: as if seen on `accept_seen_on` accounts."""
        return self.accept_rate * self.accept_seen_on, (1.0 - self.accept_rate) * self.accept_seen_on

    @property
    def worthwhile_from(self) -> float:
        """The churn probability from which a contact pays on average; above 1 where it never does."""
        return self.loss / (self.loss + self.gain) if self.gain > 0 else float("inf")


@dataclass(frozen=True)
class Profit:
    """Profit a judged account, in currency, with 95 % intervals (bootstrap over accounts), by model.

    `empc`: at the best cut. `at_capacity`: contacting as many as the team can, riskiest first. `best_share`: the share
    of accounts that EMPC would contact. `differences`: the model less the baseline, in pairs; empty for the baseline.
    """

    terms: Terms
    accounts: int
    empc: Mapping[str, Estimate]
    at_capacity: Mapping[str, Estimate]
    best_share: Mapping[str, float]
    differences: Mapping[str, Estimate]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for a card or a machine-readable answer."""
        return asdict(self)


def earn(
    probabilities: Mapping[str, Floats],
    labels: Floats,
    accounts: NDArray[Any],
    terms: Terms,
    *,
    baseline: str,
    seed: int,
) -> Profit:
    """The profit of each model's ranking; the others are compared with `baseline`, all on the same replicates."""
    ours = next((name for name in probabilities if name != baseline), baseline)
    estimates: dict[str, dict[str, Estimate]] = {}
    differences: dict[str, Estimate] = {}
    for name, measure in (("empc", _empc_of), ("at_capacity", _capacity_of)):
        values = {model: measure(p, labels, terms, None) for model, p in probabilities.items()}
        drawn = _replicated(probabilities, labels, accounts, terms, measure, seed)
        estimates[name] = {model: estimate(values[model], drawn[model]) for model in probabilities}
        if ours != baseline:
            differences[name] = estimate(values[ours] - values[baseline], drawn[ours] - drawn[baseline])
    best = {model: best_share(p, labels, terms) for model, p in probabilities.items()}
    return Profit(terms, len(labels), estimates["empc"], estimates["at_capacity"], best, differences)


def empc(probability: Floats, labels: Floats, terms: Terms) -> float:
    """Expected maximum profit a judged account, by empulse; 0 where an incentive costs what it saves."""
    if not _pays(labels, terms):
        return 0.0
    return float(_empc_score()(labels.astype(np.int64), probability, validate=False, **_parameters(terms)))


def best_share(probability: Floats, labels: Floats, terms: Terms) -> float:
    """The share of accounts that EMPC would contact, averaged over the accept rate."""
    if not _pays(labels, terms):
        return 0.0
    return float(_empc_score().optimal_rate(labels.astype(np.int64), probability, **_parameters(terms)))


def profit_curve(probability: Floats, labels: Floats, terms: Terms, shares: Floats = CURVE) -> Floats:
    """Expected profit a judged account when that share of the accounts is contacted, riskiest first.

    Among equal probabilities the contacted are drawn at random: the curve is straight there.
    """
    churned, stayed = Ranking.of(probability, labels).masses(np.ones((1, len(labels))))
    reached = np.r_[0.0, np.cumsum(churned[0] + stayed[0])] / len(labels)
    earned = np.r_[0.0, np.cumsum(terms.gain * churned[0] - terms.loss * stayed[0])] / len(labels)
    return np.asarray(np.interp(shares, reached, earned))


Measure = Callable[[Floats, Floats, Terms, Floats | None], float]


def _replicated(
    probabilities: Mapping[str, Floats],
    labels: Floats,
    accounts: NDArray[Any],
    terms: Terms,
    measure: Measure,
    seed: int,
) -> dict[str, Floats]:
    replicates = int(np.clip(ROWS_TO_DRAW // max(1, len(labels)), FEWEST_REPLICATES, MOST_REPLICATES))
    drawn: dict[str, list[float]] = {model: [] for model in probabilities}
    for block in bootstrap_weights(accounts, replicates, seed):
        for weights in block:
            for model, p in probabilities.items():
                drawn[model].append(measure(p, labels, terms, weights))
    return {model: np.array(values) for model, values in drawn.items()}


def _empc_of(probability: Floats, labels: Floats, terms: Terms, weights: Floats | None) -> float:
    return empc(*_redrawn(probability, labels, weights), terms)


def _capacity_of(probability: Floats, labels: Floats, terms: Terms, weights: Floats | None) -> float:
    return float(profit_curve(*_redrawn(probability, labels, weights), terms, np.array([terms.capacity]))[0])


def _redrawn(probability: Floats, labels: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    if weights is None:
        return probability, labels
    rows = np.repeat(np.arange(len(labels)), weights.astype(np.int64))
    return probability[rows], labels[rows]


def _pays(labels: Floats, terms: Terms) -> bool:
    return terms.value > terms.incentive_cost and 0 < labels.sum() < len(labels)


def _parameters(terms: Terms) -> dict[str, float]:
    alpha, beta = terms.beta
    return {
        "alpha": alpha,
        "beta": beta,
        "clv": terms.value,
        "incentive_cost": terms.incentive_cost,
        "contact_cost": terms.contact_cost,
    }


def _empc_score() -> Any:
    """Imported when first needed: empulse brings sympy along, which takes a second."""
    from empulse.metrics import empc_score

    return empc_score


def _or_assumed(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value
