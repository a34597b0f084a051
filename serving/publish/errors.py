"""What can go wrong when tables are published."""

from features.errors import ExitCode, ForesailError


class PublishError(ForesailError):
    """A table cannot be published as asked; the message says which, why, and what to do."""

    exit_code = ExitCode.DATA
