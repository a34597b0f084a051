"""A simulated company: its settings, the folder of its truth, and the truth report of a model."""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foresail.config.project import Project
    from foresail.simulation.truth_report import TruthReport
    from foresail.simulation.world.settings import Settings
    from training.backtest.backtest import Backtest


def simulation_settings(file: Path | None, changes: Sequence[str] = ()) -> "Settings":
    """The default settings, changed by a TOML file and then by KEY=VALUE pairs; SettingsError for an impossible value."""
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
    """The default folder of the truth about a company: beside the company's own."""
    whole = folder.resolve()
    return (
        whole.with_name(f"{whole.name}-truth")
        if folder.name in {"", ".", ".."}
        else folder.with_name(f"{folder.name}-truth")
    )


def truth_report(project: "Project", target: str, backtest: "Backtest", truth: Path) -> "tuple[TruthReport, Path]":
    """A backtest beside the true probabilities, and the picture of it among the reports; TruthError without a truth."""
    from foresail.simulation.truth_report import compare, draw

    report = compare(backtest, truth)
    return report, draw(report, project.report_path(target, "truth", backtest.as_of).with_suffix(".png"))


def _put(given: dict[str, Any], path: Sequence[str], value: Any) -> None:
    *sections, name = path
    for section in sections:
        inner = given.setdefault(section, {})
        given[section] = given = dict(inner) if isinstance(inner, Mapping) else {}
    given[name] = value


def _read(text: str) -> Any:
    """A value of TOML; a text that is none is a word."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text.strip()
