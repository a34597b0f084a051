"""The simulated company's difficulty is honest: the demo on it, its truth opened, and the commands of its page."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated import settings

from features.moments import read_moment
from features.streams import STREAMS
from foresail import workflow
from foresail.project import load
from foresail.simulated_demo import ACCOUNTS, prepare
from foresail.simulation import opened
from foresail.simulation.company import write_company
from foresail.simulation.truth_tables import TruthError
from foresail.workflow.simulation import open_truth

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulation.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines() if line]
EVALUATE = (
    "evaluate churn --project foresail-demo-simulated --as-of 2024-10-03 --known-by 2025-01-01 "
    "--truth foresail-demo-simulated-truth --json"
)


def run(command, folder):
    """A command line of ours, as on a page or in a terminal."""
    words = shlex.split(command.removeprefix("foresail "))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_TR")}
    command = [sys.executable, "-m", "foresail.cli", *words]
    return subprocess.run(command, cwd=folder, env=environment | {"COLUMNS": "120"}, capture_output=True, text=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the demo of the simulated company has run."""
    folder = tmp_path_factory.mktemp("simulated")
    answer = run("foresail demo --company simulated", folder)
    assert answer.returncode == 0, answer.stderr
    (folder / "said.txt").write_text(answer.stdout, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(folder):
    """The champion beside the truth, as machines are told."""
    answer = run(EVALUATE, folder)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)["truth"]


def test__demo__difficulty_is_honest(found):
    """From observable history between 0.75 and 0.85 can be attained, by recency 0.70 at most.

    Our model attains more than the one; not even the truth, which knows the state and who has left, more than the other.
    """
    recency, model, truth = (one["auroc"] for one in found["rankings"])
    assert recency <= 0.70
    assert model >= 0.75
    assert truth <= 0.85
    assert [one["name"] for one in found["rankings"]] == ["recency (baseline)", "lightgbm", "the truth"]


def test__demo__probabilities_are_near_the_true_ones(found):
    """Right on average, account by account in step with the truth, and with less log loss than the baseline."""
    assert found["mean_said"] == pytest.approx(found["mean_true"], abs=0.02)
    assert found["correlation"] > 0.7
    recency, model, truth = (one["log_loss"] for one in found["rankings"])
    assert truth < model < recency


def test__demo__acting_on_risk_alone_is_not_acting_well(found):
    """Nobody's choice is worth more than the best; risk × value is worth more than risk."""
    chance, risk, stake, best = found["acted"].values()
    assert best == max(chance, risk, stake, best)
    assert stake > max(risk, chance)


def test__demo__tells_the_story_with_all_streams_in_play(folder):
    """Simulated, ingested, trained, judged, opened, scored; the picture and the report are there."""
    said = (folder / "said.txt").read_text(encoding="utf-8")
    steps = ["simulate", "ingest", "train churn", "evaluate churn", "score"]
    places = [said.index(f"foresail {step}") for step in steps]
    assert places == sorted(places)
    assert said.index("the truth opened") > places[3]
    assert "allocation" not in said
    project = load(folder / "foresail-demo-simulated")
    assert set(project.history.versions()) >= set(STREAMS)
    picture = folder / "foresail-demo-simulated" / "reports" / "churn-truth-2024-10-03.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test__demo__run_again__simulates_nothing_anew(folder):
    """What is there stays: the second run would otherwise be refused."""
    truth = folder / "foresail-demo-simulated-truth" / "targets.parquet"
    before = truth.stat().st_mtime_ns
    assert prepare(folder / "foresail-demo-simulated").company.accounts == ACCOUNTS
    assert truth.stat().st_mtime_ns == before


def test__truth__of_another_moment__is_an_error_that_lists_the_moments(folder):
    answer = run(EVALUATE.replace("2024-10-03", "2024-09-03"), folder)
    assert answer.returncode == 4
    assert "is not told for 2024-09-03 00:00 UTC, but for 2024-10-03, 2025-01-01" in json.loads(answer.stderr)["error"]


def test__truth__folder_without_any__says_who_writes_it(tmp_path):
    with pytest.raises(TruthError, match=r"holds no truth \(targets.parquet is missing\); foresail simulate writes it"):
        opened.read(tmp_path, "targets", read_moment("2024-10-03", "UTC"))


def test__truth__of_another_company_or_horizon__is_refused(folder, tmp_path):
    """Ids are alike in all simulated companies: only who is active tells them apart."""
    write_company(settings(3000, seed=9, truth={"futures": 2, "futures_of_actions": 2}), tmp_path / "c", tmp_path / "t")
    answer = run(EVALUATE.replace("foresail-demo-simulated-truth", str(tmp_path / "t")), folder)
    assert answer.returncode == 4
    assert "knows 2," in answer.stderr
    assert "as active: is it another company's?" in answer.stderr
    with pytest.raises(TruthError, match="is told for a horizon of 90 days, the model's is 30"):
        opened.targets(tmp_path / "t", read_moment("2024-10-03", "UTC"), 30, [])


def test__signal_off__nothing_can_be_learnt(tmp_path):
    """Every ranking is worth 0.5: the truth's exactly, the model's and the baseline's within chance."""
    done = write_company(settings(1200, seed=5, signal=0), tmp_path / "c", tmp_path / "t")
    file = done.folder / "foresail.toml"
    file.write_text(file.read_text().replace("every_days = 30\ndates = 12", "every_days = 90\ndates = 3"))
    project = load(done.folder)
    at, end = read_moment("2024-10-03", "UTC"), read_moment("2025-01-01", "UTC")
    workflow.ingest_sources(project, end)
    workflow.train(project, "churn", at)
    opened_truth, _ = open_truth(project, "churn", workflow.evaluate(project, "churn", at, end), done.truth)
    *others, truth = (one.auroc for one in opened_truth.rankings)
    assert np.isnan(opened_truth.share_of_the_way(opened_truth.rankings[0]))
    assert truth == 0.5
    assert others == pytest.approx([0.5] * len(others), abs=0.06)


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[command.split()[1] for command in COMMANDS])
def test__page__command__runs(number, page_folder):
    """Every command of docs/simulation.md works as written, in its order."""
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
