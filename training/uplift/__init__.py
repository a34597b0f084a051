"""The effect of an intervention: on average, on which accounts it is larger, and whether either can be told.

`estimate_effects` takes any plain table of features, treatment and outcome. See docs/explanation/uplift.md for the definitions.
"""

from training.uplift.average import Estimate
from training.uplift.checks import CannotEstimate, NoOverlap, NotRandomised, TooSmall
from training.uplift.estimate import Effect, Effects, estimate_effects

__all__ = [
    "CannotEstimate",
    "Effect",
    "Effects",
    "Estimate",
    "NoOverlap",
    "NotRandomised",
    "TooSmall",
    "estimate_effects",
]
