"""A simulated company: its settings, its files, and its truth opened beside a model."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from features.progress import StepProgress
from foresail.operations.models import report_path

if TYPE_CHECKING:
    from foresail.config.project import Project
    from foresail.simulation.company import Written
    from foresail.simulation.truth_report import Opened
    from foresail.simulation.world.settings import Settings
    from training.backtest.backtest import Backtest


def simulation_settings(file: Path | None, changes: Sequence[str] = ()) -> "Settings":
    """The usual settings, changed by a TOML file and then by KEY=VALUE pairs; SettingsError for what cannot be."""
    from foresail.simulation.world.settings import Settings, SettingsError

    given: dict[str, Any] = {}
    if file is not None:
        try:
            given = tomllib.loads(file.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{file} is not valid TOML: {error}") from error
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise SettingsError(f"--set {change}: write KEY=VALUE, like orders.cycle_days=40")
        _put(given, key.strip().split("."), _read(value))
    return Settings.of(given)


def truth_beside(folder: Path) -> Path:
    """Where the truth about a company is unless said otherwise: beside its folder."""
    whole = folder.resolve()
    return (
        whole.with_name(f"{whole.name}-truth")
        if folder.name in {"", ".", ".."}
        else folder.with_name(f"{folder.name}-truth")
    )


def simulate(settings: "Settings", folder: Path, truth: Path, progress: StepProgress | None = None) -> "Written":
    """Write the company into `folder` and its truth into `truth`, both new; FileExistsError if one is in use."""
    from foresail.simulation.company import write_company

    return write_company(settings, folder, truth, progress)


def open_truth(project: "Project", target: str, found: "Backtest", truth: Path) -> "tuple[Opened, Path]":
    """What a model said, beside the true probabilities, and the picture of it among the reports; TruthError if there is none."""
    from foresail.simulation.truth_report import draw, opened

    answer = opened(found, truth)
    return answer, draw(answer, report_path(project, target, "truth", found.as_of).with_suffix(".png"))


def _put(given: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *sections, name = path
    for section in sections:
        inner = given.setdefault(section, {})
        given[section] = given = dict(inner) if isinstance(inner, Mapping) else {}
    given[name] = value


def _read(text: str) -> Any:
    """A value as TOML writes it; what is none is a word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
