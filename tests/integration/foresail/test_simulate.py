"""foresail simulate: the commands of its page, its answers, and a company in which there is nothing to be found."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import run
from simulated import settings

from features.timestamps import read_moment
from foresail.config.project import load
from foresail.operations.history import ingest_sources
from foresail.operations.models import evaluate, train
from foresail.operations.simulation import truth_report
from foresail.simulation.company import write_company

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "explanation" / "simulation.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line]


def test__signal_off__nothing_can_be_learnt(tmp_path):
    """Every ranking is worth 0.5: the truth's exactly, the model's and the baseline's within chance."""
    done = write_company(settings(1200, seed=5, signal=0), tmp_path / "c", tmp_path / "t")
    file = done.folder / "foresail.toml"
    file.write_text(file.read_text().replace("every_days = 30\ndates = 12", "every_days = 90\ndates = 3"))
    project = load(done.folder)
    at, end = read_moment("2024-10-03", "UTC"), read_moment("2025-01-01", "UTC")
    ingest_sources(project, end)
    train(project, "churn", at)
    report, _ = truth_report(project, "churn", evaluate(project, "churn", at, end), done.truth)
    *others, truth = (one.auroc for one in report.rankings)
    assert np.isnan(report.share_of_the_way(report.rankings[0]))
    assert truth == 0.5
    assert others == pytest.approx([0.5] * len(others), abs=0.06)


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[command.split()[1] for command in COMMANDS])
def test__page__command__runs(number, page_folder):
    """Every command of docs/explanation/simulation.md works as written, in its order."""
    answer = run(COMMANDS[number], page_folder)
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


def test__simulate__says_what_it_wrote_and_what_next(tmp_path):
    """Counts by export, where the truth is, and the command that goes on."""
    answer = run("foresail simulate mine --accounts 50 --set truth.days_before_end=[0]", tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert "the truth, as of 2025-01-01, in mine-truth" in answer.stdout
    assert "next: foresail ingest --project mine --as-of 2025-01-01" in answer.stdout
    again = run("foresail simulate mine --accounts 50", tmp_path)
    assert again.returncode == 4
    assert "mine is not empty" in again.stderr


def test__simulate__wrong_setting__is_a_usage_error(tmp_path):
    answer = run("foresail simulate mine --set orders.cycle=3", tmp_path)
    assert answer.returncode == 2
    assert "there is no setting orders.cycle; nearest: orders.cycle_days" in answer.stderr
    assert not (tmp_path / "mine").exists()


def test__simulate__parameters__lists_them_all():
    listed = json.loads(run("foresail simulate --parameters --json", ROOT).stdout)
    assert {"key", "default", "allowed", "unit", "meaning"} == set(listed[0])
    assert len(listed) > 120
