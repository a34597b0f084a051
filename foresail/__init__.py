"""The front door: the project file, the operations on a project, the command line, the simulation, the demo."""

from typing import Any

__all__ = ["__version__", "cli", "config", "demo", "docgen", "operations", "simulation"]


def __getattr__(name: str) -> Any:
    """`__version__`, read from the installed package when asked for."""
    if name == "__version__":
        from importlib.metadata import version

        return version("foresail")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
