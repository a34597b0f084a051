"""From scores to a decision: candidates, expected effects, randomised control groups, the optimizer within capacity and budget. Pure."""

__all__ = [
    "allocation",
    "candidates",
    "decisions",
    "earlier_decisions",
    "effects",
    "experiments",
    "intervention_reason",
    "not_chosen",
    "optimizer",
    "outcomes",
    "policy",
    "resources",
]
