"""Which accounts may be scored for a target, decided from history alone."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from features.arrays import Array
from features.definitions import Constant, Feature, events, less, or_else, product, weights
from features.families.contracts import contracts_in_force, days_left, open_ended
from features.families.purchases import RECENCY, amount, order_lines, orders

SINCE_LAST, SINCE_FIRST, _ = RECENCY
FAR = 1e6
"""In days: a moment that no horizon reaches."""
MONEY = 1e-6
"""The least that is more than nothing, in any currency."""


class Columns(Protocol):
    """A feature table, or its columns as arrays by name."""

    def __getitem__(self, name: str, /) -> Any: ...


def had_purchase(days: int) -> Feature:
    """How many order lines fall into (as_of − days, as_of]: above 0 if the account bought in that time."""
    return Feature(
        f"population_order_lines_count_{days}d",
        order_lines.count(days=days),
        f"order lines in the last {days} days",
        "lines",
        "0: no purchase",
    )


CONTRACTS = Feature(
    "population_contracts_in_force",
    contracts_in_force,
    "contracts in force on which no notice is given",
    "contracts",
    "0: none",
)
TO_DECISION = Feature(
    "population_days_to_decision",
    product(less(open_ended.count(), Constant(1)), or_else(days_left, Constant(FAR))),
    "days until the first of the contracts in force ends; 0 where one runs on without an end",
    "days",
    "never absent",
)
YEAR_ORDERED = Feature(
    "population_amount_sum_365d", amount(365), "value ordered in the last 365 days", "currency", "0: none"
)
OPTED_OUT = Feature(
    "population_opted_out",
    or_else(events("accounts").last(weights("opted_out", yes=1.0, no=0.0)), Constant(0)),
    "1 if the account does not want to be contacted or profiled, else 0",
    "0 or 1",
    "never absent: who said nothing has not opted out",
)
ORDERS = Feature("population_orders", orders(), "orders so far", "orders", "0: never ordered")


def bought_of(category: str, days: int) -> Feature:
    """How many order lines of a category fall into (as_of − days, as_of]."""
    return Feature(
        f"population_lines_of_{category}_count_{days}d",
        events("purchases", kind="order", category=category).count(days=days),
        f"order lines of {category} in the last {days} days",
        "lines",
        "0: none",
    )


@dataclass(frozen=True)
class Requirement:
    """A condition for an account: a feature's value within [least, most]; absent fails."""

    feature: Feature
    otherwise: str
    """The reason in words if it is not met; {value} is the feature's, {since_last} the days since the latest order."""
    least: float = -math.inf
    most: float = math.inf

    def met(self, table: Columns) -> Array:
        """For each row, (rows,) bool."""
        values = _column(table, self.feature.name)
        met: Array = (values >= self.least) & (values <= self.most)
        return met


@dataclass(frozen=True)
class Population:
    """The accounts that meet every requirement; without one, every account that is known."""

    requirements: tuple[Requirement, ...] = ()

    @property
    def features(self) -> tuple[Feature, ...]:
        """The features that `eligible` and `why_not` need besides those of a model."""
        return tuple(dict.fromkeys([*(requirement.feature for requirement in self.requirements), SINCE_LAST]))

    def eligible(self, table: Columns) -> Array:
        """For each row of a feature table, whether the account belongs: shape (rows,), bool."""
        belongs: Array = np.ones(len(_column(table, SINCE_LAST.name)), dtype=np.bool_)
        for requirement in self.requirements:
            belongs &= requirement.met(table)
        return belongs

    def why_not(self, table: Columns) -> list[str | None]:
        """For each row the first requirement that is not met, in plain words; None where the account is eligible."""
        columns = {feature.name: _column(table, feature.name) for feature in self.features}
        words: list[str | None] = [None] * len(columns[SINCE_LAST.name])
        for row in np.flatnonzero(~self.eligible(table)).tolist():
            words[row] = self.first_unmet({name: column[row] for name, column in columns.items()})
        return words

    def first_unmet(self, values: Mapping[str, float]) -> str | None:
        """`why_not` of one account, from the values of `features` by name."""
        for requirement in self.requirements:
            value = values[requirement.feature.name]
            if not requirement.least <= value <= requirement.most:
                return requirement.otherwise.format(value=value, since_last=values[SINCE_LAST.name])
        return None


PROFILED = Requirement(OPTED_OUT, "the account opted out of profiling", most=0)
"""The first requirement of every target: accounts that opted out are neither scored nor learnt from."""


def active(days: int | None) -> Population:
    """The accounts that bought within `days` before as_of; with None, those that ever bought."""
    ever = Requirement(SINCE_LAST, "no purchase on record")
    if days is None:
        return Population((ever,))
    late = f"no purchase in the last {days} days; the latest was {{since_last:.0f}} days ago"
    return Population((ever, Requirement(had_purchase(days), late, least=1)))


def contract_holders(horizon_days: int) -> Population:
    """The accounts with a contract in force that ends within the horizon, or that runs on without an end."""
    return Population(
        (
            Requirement(CONTRACTS, "no contract in force on which no notice is given", least=1),
            Requirement(
                TO_DECISION,
                f"no contract ends within {horizon_days} days; the first ends in {{value:.0f}} days",
                most=horizon_days,
            ),
        )
    )


def of_target(target: Mapping[str, Any]) -> Population:
    """The accounts that may be scored for a target, from its settings in a model's card; ValueError for an unknown kind."""
    kind = target["kind"]
    if kind not in _POPULATIONS:
        raise ValueError(f"the target's kind is '{kind}'; it must be one of {', '.join(_POPULATIONS)}")
    return Population((PROFILED, *_POPULATIONS[kind](target).requirements, *_old_enough(target)))


def _old_enough(target: Mapping[str, Any]) -> tuple[Requirement, ...]:
    days = target.get("min_tenure_days") or 0
    if not days:
        return ()
    young = f"first bought {{value:.0f}} days ago; scored from {days} days on"
    return Requirement(SINCE_FIRST, "no purchase on record"), Requirement(SINCE_FIRST, young, least=days)


def _buyers(target: Mapping[str, Any]) -> Population:
    return active(target["active_within_days"])


def _spenders(target: Mapping[str, Any]) -> Population:
    """An account that ordered nothing of worth in a year cannot order less."""
    nothing = "ordered nothing of worth in the last 365 days"
    return Population((*_buyers(target).requirements, Requirement(YEAR_ORDERED, nothing, least=MONEY)))


def _without_category(target: Mapping[str, Any]) -> Population:
    """For a target of one category: the accounts that have not bought from it lately."""
    category, days = target["category"], target["lookback_days"]
    if category is None:
        return _buyers(target)
    named = category.replace("{", "{{").replace("}", "}}")  # for the words are a template
    has = f"bought from {named} within the last {days} days"
    return Population((*_buyers(target).requirements, Requirement(bought_of(category, days), has, most=0)))


def _repeaters(target: Mapping[str, Any]) -> Population:
    once = Requirement(ORDERS, "fewer than two orders so far: there is no rhythm yet", least=2)
    return Population((*_buyers(target).requirements, once))


_POPULATIONS: Mapping[str, Callable[[Mapping[str, Any]], Population]] = {
    "churn": _buyers,
    "contract_churn": lambda target: contract_holders(target["horizon_days"]),
    "contraction": _spenders,
    "upsell": _buyers,
    "cross_sell": _without_category,
    "value": lambda target: Population() if target["active_within_days"] is None else _buyers(target),
    "next_order": _repeaters,
}


def _column(table: Columns, name: str) -> Array:
    return np.asarray(table[name], dtype=np.float64)
