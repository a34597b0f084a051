"""A host that scores needs no package that only training needs; a command that needs a missing one says what to install."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from foresail.extras import EXTRAS, missing_extra

ROOT = Path(__file__).parents[3]
DISTRIBUTIONS = {"sklearn": "scikit-learn", "opentelemetry": "opentelemetry-api"}
"""Packages whose name on the index is another than the one that Python imports."""
WITHOUT = """
import importlib, pkgutil, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
"""
EVERY_MODULE = """
for top in ("features", "registry", "serving"):
    for found in pkgutil.walk_packages(importlib.import_module(top).__path__, f"{top}."):
        if "migrations" not in found.name and found.name != "serving.service":
            importlib.import_module(found.name)
import foresail.operations.nightly, foresail.operations.scoring, foresail.operations.serving
import foresail.cli.rendering.nightly, foresail.cli.rendering.scores, training.evaluation.grade, training.data.targets
"""
COMMAND = """
sys.argv = ["foresail", *{words!r}]
from foresail.cli.main import main
main()
"""


def without(extra, program):
    """What a program does where the packages of an extra are not installed."""
    code = WITHOUT.format(packages=EXTRAS[extra]) + program
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)


def test__extras__named_to_the_reader__are_those_of_the_project():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in EXTRAS.items():
        brought = {name.partition(">")[0] for name in declared[extra]} - {"mlflow"}
        assert {DISTRIBUTIONS.get(name, name).replace("_", "-") for name in packages} == brought


def test__scoring__without_the_packages_of_training__imports_all_that_it_needs():
    done = without("train", EVERY_MODULE)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("extra", EXTRAS)
def test__command__beginning_a_project__needs_no_extra(extra, tmp_path):
    assert without(extra, COMMAND.format(words=["init", str(tmp_path / "new")])).returncode == 0
    assert without(extra, COMMAND.format(words=["status", "-p", str(tmp_path / "new")])).returncode == 0


def test__command__whose_packages_are_missing__says_which_extra_to_install(tmp_path):
    without("train", COMMAND.format(words=["init", str(tmp_path)]))
    done = without("train", COMMAND.format(words=["train", "churn", "-p", str(tmp_path)]))
    assert done.returncode == 2
    assert "is not installed. Install it: pip install 'foresail[train]'" in done.stderr


def test__missing_package__of_no_extra__stays_as_it_is():
    assert missing_extra(ModuleNotFoundError("No module named 'nowhere'", name="nowhere")) is None
    assert missing_extra(ValueError("optuna")) is None
