"""What a model learns from: targets, split dates, the dataset, and the checks before anything is fitted."""

__all__ = [
    "coverage",
    "dataset",
    "leakage",
    "splits",
    "targets",
]
