"""What a company may choose about standings: where the cuts lie, what counts how much, how sticky a standing is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from registry.target_kinds import RISKS

YEAR = 365
"""Days over which value is reckoned."""
QUADRANTS = ("strategic_core", "stable_contributor", "high_potential_growth", "routine")
TIERS = ("strategic", "growth", "potential")
SEGMENTS = ("silent", "new", "at_risk", "low_frequency", "high_value", "potential")
SCHEMES = {"quadrant": QUADRANTS, "tier": TIERS, "segment": SEGMENTS}
BANDS = ("low", "medium", "high")
SeverityWord = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[SeverityWord, ...] = ("low", "medium", "high", "critical")

Tier = Literal["strategic", "growth", "potential"]


@dataclass(frozen=True)
class Threshold:
    """Where high begins: at a quantile of the accounts, or at an absolute number."""

    by: Literal["quantile", "absolute"]
    at: float


@dataclass(frozen=True)
class Matrix:
    """The value × potential matrix."""

    value: Threshold = Threshold("quantile", 0.80)
    potential: Threshold = Threshold("quantile", 0.70)


@dataclass(frozen=True)
class TierRule:
    """All that is set must hold for the account to be of this tier, whatever its value and fit."""

    tier: Tier
    yearly_purchases: float | None = None
    """Net purchases of the last 365 days above this, in the project's currency."""
    min_years: float | None = None
    """An account for so many years at least."""
    min_strategic_fit: float | None = None
    willing_to_be_reference: bool = False


@dataclass(frozen=True)
class Tiers:
    """Value × strategic fit: both high is strategic, one of them growth, neither potential. Rules come first."""

    value: Threshold = Threshold("quantile", 0.80)
    strategic_fit: float = 4.0
    """From here on, of 1 to 5, the fit is high."""
    rules: tuple[TierRule, ...] = ()


@dataclass(frozen=True)
class Segments:
    """Where the lifecycle segments begin."""

    silent_days: int = 365
    """Without a purchase and without a contract in force for longer."""
    new_days: int = 90
    """Known for no longer than this."""
    risk: float = 0.90
    """At risk from this percentile of its highest risk on."""
    falls_below: float = 0.75
    """Orders of the last 180 days per order of the 180 before: fewer is a falling frequency."""
    falls_from: int = 4
    """With fewer orders in the 180 days before a frequency cannot fall: one fewer is chance."""
    orders_per_year: float = 4
    """Fewer in the last 365 days are of low frequency."""


@dataclass(frozen=True)
class HealthWeights:
    """How much each part of health counts; parts that are absent are left out and the others take their place."""

    satisfaction: float = 0.3
    contribution: float = 0.3
    exposure: float = 0.4


@dataclass(frozen=True)
class Health:
    """The health score: its weights, and from where on an account is called healthy."""

    weights: HealthWeights = HealthWeights()
    healthy: float = 60
    reinforce: float = 40
    """Below this a reinforcement plan is due."""


@dataclass(frozen=True)
class Severity:
    """Quantiles of the value at stake, over the accounts that have any, from which a severity begins."""

    medium: float = 0.50
    high: float = 0.80
    critical: float = 0.95


@dataclass(frozen=True)
class TargetOf:
    """What standings need to know of a target."""

    kind: str
    horizon_days: int
    measure: str = "amount"


@dataclass(frozen=True)
class StandingSettings:
    """All of it. The defaults are those of a project file that says nothing."""

    targets: Mapping[str, TargetOf] = field(default_factory=dict)
    matrix: Matrix = Matrix()
    tiers: Tiers = Tiers()
    segments: Segments = Segments()
    margin: float = 0.10
    """How far beyond a cut a value must be to cross it: of quantiles and percentiles in rank, of other numbers as a share."""
    health: Health = Health()
    severity: Severity = Severity()

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


def nearest_to_a_year(horizons: Mapping[str, int]) -> str | None:
    """The name of the horizon, in days, that is nearest to a year; of equally near ones the first, None of none."""
    return min(horizons, key=lambda name: abs(horizons[name] - YEAR), default=None)
