"""The packages that only some commands need, and the extra of the installation that brings each."""

from features.errors import ExitCode, ForesailError

EXTRAS = {
    "train": ("empulse", "jinja2", "matplotlib", "optuna", "sklearn"),
    "serve": (
        "apprise", "bentoml", "fastapi", "httpx", "opentelemetry", "prometheus_client", "standardwebhooks", "starlette",
    ),
}  # fmt: skip
"""By the name that Python imports."""


class MissingExtra(ForesailError):
    """A command needs a package that an extra of the installation brings."""

    exit_code = ExitCode.USAGE


def missing_extra(error: Exception) -> MissingExtra | None:
    """The error of a package that an extra brings; None for every other error."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    package = error.name.partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return MissingExtra(
                f"this command needs the package {package}, which is not installed",
                f"Install it: pip install 'foresail[{extra}]'",
            )
    return None
