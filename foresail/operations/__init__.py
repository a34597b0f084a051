"""The commands' work without the terminal, a module for each subject; the command line, the demo and notebooks call it."""

__all__ = [
    "effect_report",
    "effects",
    "erasure",
    "features",
    "health",
    "history",
    "kpis",
    "models",
    "nightly",
    "plots",
    "progress",
    "published_files",
    "rules",
    "scoring",
    "serving",
    "simulation",
]
