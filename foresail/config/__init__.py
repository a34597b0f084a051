"""The project file `foresail.toml`: its tables and keys, and the project that it describes."""

__all__ = ["project", "project_file"]
