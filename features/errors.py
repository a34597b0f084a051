"""The errors that Foresail foresees: one root, each with its message, its remedy and the exit code of the command line."""

from enum import IntEnum
from typing import ClassVar, Self


class ExitCode(IntEnum):
    """How a command ends, for schedulers and scripts. `meaning` is the description of the code in the documentation."""

    DONE = 0, "done"
    FAULT = 1, "a fault of Foresail itself"
    USAGE = 2, "the command line is wrong"
    PROJECT = 3, "the project file is wrong"
    DATA = 4, "a source, the history or the database cannot be used as asked"
    MODEL = 5, "no model, or not enough history or labels for one"
    LEAK = 6, "audit-features found a feature that sees the future"
    NOT_PROMOTED = 7, "a promotion was refused, or another came first"
    SOURCE_FAILED = 8, "the night is done, but a source failed"
    ALREADY_RUNNING = 9, "another night is running"
    ALTERED = 10, "the audit log was altered"

    meaning: str

    def __new__(cls, code: int, meaning: str) -> Self:
        """A number with its meaning."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        return member


class ForesailError(Exception):
    """An error that Foresail foresees: the message names the thing and the value, the remedy says what to do.

    `str(error)` is the message followed by the remedy. A subclass names a kind; its `exit_code` is how a command ends.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAULT

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}. {remedy}" if remedy else message)
        self.message, self.remedy = message, remedy
