"""What a company may choose about segmentation, as foresail.toml declares it: cuts, weights, and the margin of hysteresis."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, model_validator

from registry.target_kinds import RISKS
from serving.scoring.value_terms import nearest_to_a_year

MOST_DAYS = 36_500
QUADRANTS = ("strategic_core", "stable_contributor", "high_potential_growth", "routine")
TIERS = ("strategic", "growth", "potential")
SEGMENTS = ("silent", "new", "at_risk", "low_frequency", "high_value", "potential")
SCHEMES = {"quadrant": QUADRANTS, "tier": TIERS, "segment": SEGMENTS}
BANDS = ("low", "medium", "high")

Tier = Literal["strategic", "growth", "potential"]


class Declared(BaseModel):
    """A table of foresail.toml. The description of a field completes the sentence of an error about it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Threshold(Declared):
    """Where high begins. A quantile moves with the accounts, an absolute number does not; exactly one of the two is set."""

    quantile: float | None = Field(default=None, gt=0, lt=1, description="a quantile between 0 and 1, like 0.80")
    absolute: float | None = Field(default=None, gt=0, description="a number above 0, like 10000")

    @model_validator(mode="after")
    def _exactly_one(self) -> "Threshold":
        if (self.quantile is None) == (self.absolute is None):
            raise ValueError
        return self


_VALUE = "{ quantile = 0.80 } or { absolute = 10000 }, one of the two"
_POTENTIAL = "{ quantile = 0.70 } or { absolute = 0.70 }, one of the two"


class Matrix(Declared):
    """The value × potential matrix."""

    value: Threshold = Field(default=Threshold(quantile=0.80), description=_VALUE)
    potential: Threshold = Field(default=Threshold(quantile=0.70), description=_POTENTIAL)


class TierRule(Declared):
    """An account that meets every set condition is of this tier, whatever its value and fit."""

    tier: Tier = Field(description='"strategic", "growth" or "potential"')
    yearly_purchases: float | None = Field(
        default=None, gt=0, description="an amount above 0: net purchases of the last 365 days must exceed it"
    )
    min_years: float | None = Field(default=None, gt=0, description="a number of years above 0, like 3")
    min_strategic_fit: float | None = Field(default=None, ge=1, le=5, description="a fit of 1 to 5, like 4")
    willing_to_be_reference: bool = Field(default=False, description="true, or leave it out")

    @model_validator(mode="after")
    def _has_a_condition(self) -> "TierRule":
        conditions = (self.yearly_purchases, self.min_years, self.min_strategic_fit)
        if all(condition is None for condition in conditions) and not self.willing_to_be_reference:
            raise ValueError
        return self


class Tiers(Declared):
    """Value × strategic fit: both high is strategic, one of them growth, neither potential. Rules come first."""

    value: Threshold = Field(default=Threshold(quantile=0.80), description=_VALUE)
    strategic_fit: float = Field(default=4.0, ge=1, le=5, description="a fit of 1 to 5, like 4")
    """From this fit on, of 1 to 5, the fit is high."""
    rules: tuple[TierRule, ...] = Field(
        default=(), description="tables [[tiers.rules]], each with tier and at least one condition"
    )


class Segments(Declared):
    """Where the lifecycle segments begin."""

    silent_days: StrictInt = Field(
        default=365, gt=0, le=MOST_DAYS, description="a whole number of days above 0, like 365, without a unit"
    )
    """Without a purchase and without a contract in force for longer."""
    new_days: StrictInt = Field(
        default=90, ge=0, le=MOST_DAYS, description="a whole number of days, 0 or more, without a unit"
    )
    """Known for no longer than this."""
    risk: float = Field(default=0.90, gt=0, lt=1, description="a percentile between 0 and 1, like 0.90")
    """At risk from this percentile of its highest risk on."""
    falls_below: float = Field(default=0.75, gt=0, lt=1, description="a share between 0 and 1, like 0.75")
    """Orders of the last 180 days per order of the 180 before: fewer is a falling frequency."""
    falls_from: StrictInt = Field(default=4, ge=1, description="a whole number of orders, 1 or more")
    """With fewer orders in the 180 days before a frequency cannot fall: one fewer is chance."""
    orders_per_year: float = Field(default=4, ge=0, description="a number of orders, 0 or more")
    """Fewer in the last 365 days are of low frequency."""


class Hysteresis(Declared):
    """How far beyond a cut a value must be to cross it."""

    margin: float = Field(default=0.10, ge=0, lt=0.5, description="a share from 0 to below 0.5, like 0.10")
    """Of quantiles and percentiles in rank, of other numbers as a share."""


class HealthWeights(Declared):
    """How much each part of health counts; absent parts are left out and the other parts take their place."""

    satisfaction: float = Field(default=0.3, ge=0, description="a weight, 0 or more")
    contribution: float = Field(default=0.3, ge=0, description="a weight, 0 or more")
    exposure: float = Field(default=0.4, ge=0, description="a weight, 0 or more")

    @model_validator(mode="after")
    def _some_weight(self) -> "HealthWeights":
        if not self.satisfaction + self.contribution + self.exposure:
            raise ValueError
        return self


class Health(Declared):
    """The health score: its weights, and from where on an account is called healthy."""

    weights: HealthWeights = Field(
        default=HealthWeights(),
        description="{ satisfaction = 0.3, contribution = 0.3, exposure = 0.4 }, one of them above 0",
    )
    healthy: float = Field(default=60, ge=0, le=100, description="a health of 0 to 100, like 60")
    reinforce: float = Field(default=40, ge=0, le=100, description="a health of 0 to 100, like 40")
    """Below this a reinforcement plan is due."""

    @model_validator(mode="after")
    def _ordered(self) -> "Health":
        if self.reinforce > self.healthy:
            raise ValueError
        return self


class Severity(Declared):
    """Quantiles of the value at stake, over the accounts that have any, from which a severity begins."""

    medium: float = Field(default=0.50, gt=0, lt=1, description="a quantile between 0 and 1, like 0.50")
    high: float = Field(default=0.80, gt=0, lt=1, description="a quantile between 0 and 1, like 0.80")
    critical: float = Field(default=0.95, gt=0, lt=1, description="a quantile between 0 and 1, like 0.95")

    @model_validator(mode="after")
    def _ordered(self) -> "Severity":
        if not self.medium < self.high < self.critical:
            raise ValueError
        return self


@dataclass(frozen=True)
class TargetOf:
    """What segmentation needs to know of a target."""

    kind: str
    horizon_days: int
    measure: str = "amount"


@dataclass(frozen=True)
class SegmentationSettings:
    """All of it. The defaults are those of a project file that says nothing."""

    targets: Mapping[str, TargetOf] = field(default_factory=dict)
    matrix: Matrix = field(default_factory=Matrix)
    tiers: Tiers = field(default_factory=Tiers)
    segments: Segments = field(default_factory=Segments)
    margin: float = field(default_factory=lambda: Hysteresis().margin)
    """As Hysteresis has it."""
    health: Health = field(default_factory=Health)
    severity: Severity = field(default_factory=Severity)

    def of_kinds(self, *kinds: str) -> tuple[str, ...]:
        """The names of the targets of these kinds, in the project's order."""
        return tuple(name for name, target in self.targets.items() if target.kind in kinds)

    @property
    def risks(self) -> tuple[str, ...]:
        """The targets that put value at stake."""
        return self.of_kinds(*RISKS)

    @property
    def value_target(self) -> str | None:
        """The target that foresees a year's value: of those of amounts the one whose horizon is nearest to a year."""
        return nearest_to_a_year(
            {
                name: self.targets[name].horizon_days
                for name in self.of_kinds("value")
                if self.targets[name].measure == "amount"
            }
        )
