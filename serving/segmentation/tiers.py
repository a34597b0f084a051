"""The second scheme: tiers from value × strategic fit, and rules that come before it."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Flags, Floats
from features.families.eligibility import Columns
from features.families.segmentation import DAYS_SERVED
from serving.scoring.columns import Codes, column
from serving.scoring.value_at_stake import NET
from serving.segmentation.hysteresis import Cut, was
from serving.segmentation.settings import TIERS, TierRule, Tiers
from serving.segmentation.wording import number

STRATEGIC, GROWTH, POTENTIAL = TIERS
DAYS_IN_YEAR = 365.25
FIT, REFERENCE = "account_strategic_fit_last", "account_willing_to_be_reference_last"


@dataclass(frozen=True)
class TierPlaces:
    """The tier of each account. A fit that nobody judged counts as not high: value alone makes an account of growth."""

    table: Columns
    value: Floats
    before: Codes
    tiers: Tiers
    margin: float

    @property
    def codes(self) -> Codes:
        """By the first rule that holds, else by value and fit."""
        grid = TIERS.index(POTENTIAL) - self._high_value.astype(np.int8) - self._high_fit
        if not self._held:
            return np.asarray(grid, dtype=np.int8)
        return np.select(self._held, [TIERS.index(rule.tier) for rule in self.tiers.rules], grid).astype(np.int8)

    def why(self, row: int) -> str:
        """The rule that holds, or value and fit beside their cuts."""
        for place, (rule, held) in enumerate(zip(self.tiers.rules, self._held, strict=True), 1):
            if held[row]:
                return f"rule {place}: " + ", ".join(self._met(rule, row))
        return "; ".join([self._value_in_words(row), self._fit_in_words(row)])

    @cached_property
    def _held(self) -> list[Flags]:
        return [self._holds(rule) for rule in self.tiers.rules]

    @cached_property
    def _fit(self) -> Floats:
        return column(self.table, FIT)

    @cached_property
    def _net(self) -> Floats:
        return column(self.table, NET)

    @cached_property
    def _years(self) -> Floats:
        return column(self.table, DAYS_SERVED.name) / DAYS_IN_YEAR

    @cached_property
    def _cut(self) -> Cut:
        return Cut.of(self.tiers.value, self.value, self.margin)

    @cached_property
    def _value_before(self) -> Floats:
        """Whether the value was high: growth was value or fit, and with today's fit it tells which of them."""
        growth = np.where(self._high_fit, 0.0, 1.0)
        known = was(self.before, TIERS, (STRATEGIC,), (POTENTIAL,))
        return np.where(self.before == TIERS.index(GROWTH), growth, known)

    @cached_property
    def _high_value(self) -> Flags:
        return self._cut.exceeded(self.value, self._value_before) & (self.value > 0)

    @cached_property
    def _high_fit(self) -> Flags:
        # A judgement of people, which stays until they change it: it needs no margin.
        return self._fit >= self.tiers.strategic_fit

    def _holds(self, rule: TierRule) -> Flags:
        holds = np.ones(len(self.value), dtype=np.bool_)
        if rule.yearly_purchases is not None:
            holds &= self._buys_enough(rule.tier, rule.yearly_purchases)
        if rule.min_years is not None:
            holds &= self._years >= rule.min_years
        if rule.min_strategic_fit is not None:
            holds &= self._fit >= rule.min_strategic_fit
        if rule.willing_to_be_reference:
            holds &= column(self.table, REFERENCE) == 1
        return holds

    def _buys_enough(self, tier: str, least: float) -> Flags:
        others = [name for name in TIERS if name != tier]
        return Cut.around(least, self.margin * least).exceeded(self._net, was(self.before, TIERS, (tier,), others))

    def _met(self, rule: TierRule, row: int) -> Iterator[str]:
        if rule.yearly_purchases is not None:
            bought = self._net[row]
            yield f"net purchases of a year {number(bought)} (over {number(rule.yearly_purchases)})"
        if rule.min_years is not None:
            years = self._years[row]
            yield f"an account for {number(years)} years (at least {number(rule.min_years)})"
        if rule.min_strategic_fit is not None:
            yield f"strategic fit {number(self._fit[row])} (at least {number(rule.min_strategic_fit)})"
        if rule.willing_to_be_reference:
            yield "willing to be a reference"

    def _value_in_words(self, row: int) -> str:
        high, before = bool(self._high_value[row]), float(self._value_before[row])
        return self._cut.in_words("value", self.value[row], high=high, before=before)

    def _fit_in_words(self, row: int) -> str:
        fit = self._fit[row]
        if np.isnan(fit):
            return "strategic fit is not judged"
        side = "at least" if self._high_fit[row] else "below"
        return f"strategic fit {number(fit)} is {side} {number(self.tiers.strategic_fit)}"
