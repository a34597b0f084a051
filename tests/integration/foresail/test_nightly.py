"""The night as a scheduler starts it: a process in a project folder, with an exit code and a summary."""

import json
from datetime import UTC, datetime

import pytest
from commands import run
from night_company import MODELS, NIGHT, project_in

from features.history.file_lock import file_lock
from foresail.config.project import load
from foresail.operations.nightly import beginning_of_today

DAY = f"{NIGHT:%Y-%m-%dT%H:%M:%S+00:00}"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return project_in(tmp_path_factory.mktemp("wholesaler"), streams=["purchases", "engagement", "accounts"])


def test__nightly__done__complete__locked__with_a_failing_source(project):
    """One story, because a process takes seconds: each exit code that a scheduler tells apart."""
    with file_lock(project / ".foresail/nights/.lock", OSError):
        refused = run(f"foresail nightly --as-of {DAY}", project)
    assert refused.returncode == 9
    assert "another night" in refused.stderr

    done = run(f"foresail nightly --as-of {DAY} --json", project)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["accounts"] == 60
    assert set(summary["scored"]) == set(MODELS)
    assert not summary["was_complete"]
    assert (project / "published" / "scores.parquet").is_file()

    complete = run(f"foresail nightly --as-of {DAY}", project)
    assert complete.returncode == 0
    assert "was complete already" in complete.stdout
    assert complete.stderr.strip() == ""

    earlier = run("foresail nightly --as-of 2020-01-01", project)
    assert earlier.returncode == 4
    assert "follow each other in time" in earlier.stderr

    (project / "data/engagement.json").rename(project / "data/mislaid")
    failing = run("foresail nightly --as-of 2020-06-02", project)
    (project / "data/mislaid").rename(project / "data/engagement.json")
    assert failing.returncode == 8
    assert "source engagement failed" in failing.stdout
    assert "every source was read up to 2020-06-01" in failing.stdout


def test__beginning_of_today__is_the_midnight_of_the_company(project):
    night = beginning_of_today(load(project), datetime(2026, 7, 1, 23, 30, tzinfo=UTC))
    assert night == datetime(2026, 7, 1, 23, 0, tzinfo=UTC)
