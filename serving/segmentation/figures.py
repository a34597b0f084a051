"""One night's figures of the accounts that may be profiled, each worked out once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.arrays import Floats
from features.families.eligibility import Columns
from serving.scoring.columns import NOWHERE, Codes
from serving.scoring.value_at_stake import predicted_value, severity_codes, severity_cuts, value_at_stake
from serving.scoring.value_terms import SEVERITIES
from serving.segmentation.health import Healths, healths
from serving.segmentation.inputs import ScoreRows
from serving.segmentation.matrix import Quadrants
from serving.segmentation.moves import Why
from serving.segmentation.potential import potential_of
from serving.segmentation.segments import SegmentPlaces
from serving.segmentation.settings import BANDS, SCHEMES, SegmentationSettings
from serving.segmentation.tiers import TierPlaces


@dataclass(frozen=True)
class Night:
    """The figures that `assign_segments` puts together: every array has a place for each row of the table."""

    table: Columns
    scores: ScoreRows
    before: Mapping[str, Codes]
    """By scheme, where each account stood the night before."""
    settings: SegmentationSettings

    @cached_property
    def value(self) -> Floats:
        """The predicted value of a year."""
        name = self.settings.value_target
        if name is None:
            return predicted_value(self.table)
        horizon = self.settings.targets[name].horizon_days
        return predicted_value(self.table, self.scores.of_target(name, "amount"), horizon)

    @cached_property
    def at_stake(self) -> Floats:
        """The largest of the risks' values at stake; NaN without a score of any."""
        return _largest([self._stake_of(target) for target in self.settings.risks], len(self.value))

    @cached_property
    def risk(self) -> Floats:
        """The highest percentile of the risks; NaN without a score of any."""
        return _largest(self._percentiles, len(self.value))

    @property
    def band(self) -> Codes:
        """The band of the highest risk; of equals that of the target named first."""
        band = np.full(len(self.value), NOWHERE, dtype=np.int8)
        # From the last to the first, so that the first target has the last word.
        for target, percentile in reversed(list(zip(self.settings.risks, self._percentiles, strict=True))):
            band = np.where(percentile == self.risk, self.scores.codes_of_target(target, "band", BANDS), band)
        return band

    @cached_property
    def cuts(self) -> Mapping[str, float]:
        """Where the cuts of the night lie, by name; those out of reach are left out."""
        of_matrix = {"value": self.quadrants.value_cut.at, "potential": self.quadrants.potential_cut.at}
        drawn = of_matrix | severity_cuts(self.at_stake, self.settings.severity)
        return {name: cut for name, cut in drawn.items() if np.isfinite(cut)}

    @cached_property
    def quadrants(self) -> Quadrants:
        """Places in the matrix."""
        potential = potential_of(self.table, self.scores, self.settings)
        return Quadrants.of(self.value, potential, self.before["quadrant"], self.settings.matrix, self.settings.margin)

    @cached_property
    def tiers(self) -> TierPlaces:
        """Places in the second scheme."""
        return TierPlaces(self.table, self.value, self.before["tier"], self.settings.tiers, self.settings.margin)

    @cached_property
    def segments(self) -> SegmentPlaces:
        """Places on the ladder."""
        return SegmentPlaces(
            self.table, self.risk, self.quadrants, self.before["segment"], self.settings.segments, self.settings.margin
        )

    @property
    def healths(self) -> Healths:
        """The health score and its parts."""
        return healths(self.table, self.value, self.risk, self.settings.health.weights)

    @property
    def numbers(self) -> dict[str, Floats]:
        """What the table account_segments says of an account in numbers."""
        return {
            "value": self.value,
            "potential": self.quadrants.potential,
            **vars(self.healths),
            "risk": self.risk,
            "value_at_stake": self.at_stake,
        }

    @property
    def words(self) -> dict[str, tuple[Codes, Sequence[str]]]:
        """What it says in words: their codes, and the words that these stand for."""
        severity = severity_codes(self.at_stake, self.cuts)
        places = {scheme: (codes, SCHEMES[scheme]) for scheme, codes in self.after.items()}
        return {**places, "band": (self.band, BANDS), "severity": (severity, SEVERITIES)}

    @cached_property
    def after(self) -> Mapping[str, Codes]:
        """By scheme, where each account stands."""
        return {"quadrant": self.quadrants.codes, "tier": self.tiers.codes, "segment": self.segments.codes}

    @property
    def why(self) -> Mapping[str, Why]:
        """By scheme, what put an account where it stands."""
        return {"quadrant": self.quadrants.why, "tier": self.tiers.why, "segment": self.segments.why}

    @cached_property
    def _percentiles(self) -> list[Floats]:
        return [self.scores.of_target(target, "percentile") for target in self.settings.risks]

    def _stake_of(self, target: str) -> Floats:
        kind = self.settings.targets[target].kind
        return value_at_stake(kind, self.scores.of_target(target, "probability"), self.value)


def _largest(parts: list[Floats], rows: int) -> Floats:
    """The largest number of each row; NaN where there is none."""
    return np.asarray(np.fmax.reduce([np.full(rows, np.nan), *parts]), dtype=np.float64)
