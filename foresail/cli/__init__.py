"""The commands of the command line, a module for each noun; `foresail.cli.main` puts them together.

Each module declares its COMMANDS: the heading of `foresail --help`, and the functions (or a group of them) below it.
"""

__all__ = ["main"]
