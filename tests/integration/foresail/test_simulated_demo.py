"""The simulated company's difficulty is honest: the demo on it, and its truth opened."""

import json

import pytest
from commands import run, started
from documented import absent_from, blocks
from simulated import settings

from features.history.streams import STREAMS
from features.timestamps import read_moment
from foresail.config.project import load
from foresail.demo.simulated import ACCOUNTS, prepare
from foresail.simulation import truth_report
from foresail.simulation.company import write_company
from foresail.simulation.truth.tables import TruthError

EVALUATE = (
    "evaluate churn --project foresail-demo-simulated --as-of 2024-10-03 --known-by 2025-01-01 "
    "--truth foresail-demo-simulated-truth --json"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the demo of the simulated company has run."""
    folder = tmp_path_factory.mktemp("simulated")
    answer = started("demo", "--company", "simulated", cwd=folder)
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
    places = [
        said.rindex(f"foresail {step}") for step in steps
    ]  # the heading; what was said before names what comes next
    assert places == sorted(places)
    assert said.index("the truth opened") > places[3]
    assert "allocation" not in said
    project = load(folder / "foresail-demo-simulated")
    assert set(project.history.versions()) >= set(STREAMS)
    picture = folder / "foresail-demo-simulated" / "reports" / "churn-truth-2024-10-03.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test__demo__transcript_of_its_page__is_the_output(folder):
    """docs/start/demo.md shows what the demo says, but for numbers and widths."""
    page = (block.text for block in blocks("text") if block.page == "docs/start/demo.md")
    (transcript,) = (text for text in page if text.startswith("the truth opened"))
    assert absent_from(transcript, (folder / "said.txt").read_text(encoding="utf-8")) == []


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
        truth_report.read(tmp_path, "targets", read_moment("2024-10-03", "UTC"))


def test__truth__of_another_company_or_horizon__is_refused(folder, tmp_path):
    """Ids are alike in all simulated companies: only who is active tells them apart."""
    write_company(settings(1500, seed=9, truth={"futures": 2, "futures_of_actions": 2}), tmp_path / "c", tmp_path / "t")
    at = read_moment("2024-10-03", "UTC")
    ours = truth_report.read(folder / "foresail-demo-simulated-truth", "targets", at)
    scored = ours.index[ours["active"] & (ours.index < "A0001500")]
    with pytest.raises(TruthError, match=r"as active: is it another company's\?"):
        truth_report.targets(tmp_path / "t", at, 90, scored)
    with pytest.raises(TruthError, match="is told for a horizon of 90 days, the model's is 30"):
        truth_report.targets(tmp_path / "t", at, 30, scored)
    assert len(truth_report.targets(folder / "foresail-demo-simulated-truth", at, 90, scored)) == len(scored)
