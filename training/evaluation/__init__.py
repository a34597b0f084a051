"""Models compared on what happened: comparison, selection, reliability, slices, profit, grade, drivers."""

__all__ = [
    "comparison",
    "drivers",
    "examples",
    "grade",
    "health",
    "profit",
    "reliability",
    "selection",
    "slices",
    "summary",
]
