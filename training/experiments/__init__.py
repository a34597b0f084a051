"""What a randomised experiment shows of a playbook: differences, their intervals, and whether enough is known.

Pure: arrays in, figures out. See docs/explanation/effects.md for the definitions.
"""

from training.experiments.arms import Arms
from training.experiments.differences import Difference, difference
from training.experiments.playbooks import LEAST_AN_ARM, Outcomes, PlaybookEffect, QuadrantEffect, measured

__all__ = [
    "LEAST_AN_ARM",
    "Arms",
    "Difference",
    "Outcomes",
    "PlaybookEffect",
    "QuadrantEffect",
    "difference",
    "measured",
]
