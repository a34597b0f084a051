"""The ladder of models, their calibration and their tuning."""

__all__ = [
    "amounts",
    "bgnbd",
    "boosting",
    "buying",
    "calibration",
    "choice",
    "gammagamma",
    "ladder",
    "linear",
    "logistic",
    "next_order",
    "rules",
    "rung",
    "shrinkage",
    "tuning",
]
