"""Answers for people and for machines: a function returns the parts that the terminal prints and the facts of `--json`."""

__all__ = [
    "answers",
    "audit",
    "decisions",
    "effects",
    "features",
    "health",
    "history",
    "keys",
    "kpis",
    "models",
    "nightly",
    "outbox",
    "rules",
    "scores",
    "simulation",
]
