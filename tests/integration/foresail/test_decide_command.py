"""`foresail decide`: the plan shown, begun once, and left alone when there is nothing more to do."""

import json

import pytest
import sqlalchemy as sa
from commands import run
from night_company import NEXT, NIGHT, project_in

from serving.database.engine import open_engine, reading
from serving.database.tables import assignments, interventions, outbox

DAY = f"{NIGHT:%Y-%m-%dT%H:%M:%S+00:00}"
LATER = f"{NEXT:%Y-%m-%dT%H:%M:%S+00:00}"
PLAYBOOKS = """
[roles.success_manager]
members = ["Ann", "Bo"]
capacity_per_week = 2
channels = ["chat"]

[channels.chat]
kind = "people"
url = "${CHAT}"

[playbooks.call]
when = "churn_probability > 0.2"
for = "churn"
role = "success_manager"
cost = 1
control = 0.2
effect = { prior = 0.1 }
steps = [{ do = "call", within = "2d" }]

[rules.silent]
when = "purchases_days_since_last > 300"
severity = "high"
start = "call"
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A company whose last night knew of no playbook."""
    folder = project_in(tmp_path_factory.mktemp("wholesaler"))
    done = run(f"foresail nightly --as-of {DAY}", folder)
    assert done.returncode == 0, done.stderr
    assert "begun" not in done.stdout
    declare(folder)
    return folder


def declare(folder):
    file = folder / "foresail.toml"
    file.write_text(file.read_text() + PLAYBOOKS)


def count(folder, table):
    engine = open_engine(f"sqlite:///{folder}/.foresail/foresail.db")
    with reading(engine) as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def answered(command, folder):
    answer = run(command, folder)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def test__decide__shown_then_begun_then_nothing_more(project):
    """One story, because a process takes seconds."""
    shown = answered("foresail decide --dry-run", project)
    for told in (
        "4 interventions", "95 %", "assumed", "kept as control", "one more success_manager is worth", "by when", "Ann",
        "not chosen:", "capacity of success_manager is used by", "of the best possible plan", "nothing is begun",
    ):  # fmt: skip
        assert told in shown, shown
    assert count(project, interventions) == count(project, assignments) == 0

    planned = json.loads(answered("foresail decide --dry-run --json", project))
    begun = json.loads(answered("foresail decide --json", project))
    assert begun["interventions"] == planned["interventions"]
    assert (planned["begun"], begun["begun"]) == (None, 4)
    assert count(project, interventions) == count(project, outbox) == 4
    assert count(project, assignments) == len(planned["assignments"])
    assert {row["label"] for row in planned["allocation"]["region"]} == {"north"}
    low, high = planned["interval"]
    assert low < planned["expected_value"] < high

    again = answered("foresail decide", project)
    assert "nothing more to begin" in again
    assert count(project, interventions) == 4
    assert count(project, assignments) == len(planned["assignments"])

    listed = answered("foresail interventions --owner Ann", project)
    assert listed.count("Ann") == sum(one["owner"] == "Ann" for one in planned["interventions"]) > 0
    assert "Bo" not in listed
    first = json.loads(answered("foresail interventions --limit 1 --json", project))
    assert first[0]["due_at"] == min(one["due_at"] for one in planned["interventions"])
    assert "nothing is to be done" in answered("foresail interventions --due-before 2019-01-01", project)


def test__decide__a_day_later__has_used_its_week__and_before_the_night_is_refused(project):
    answered("foresail decide --as-of " + DAY, project)
    later = json.loads(answered(f"foresail decide --as-of {LATER} --json", project))
    assert later["interventions"] == []
    assert [row["places"] for row in later["resources"]] == [0.0]
    refused = run("foresail decide --as-of 2019-01-01", project)
    assert refused.returncode == 4
    assert "before the last night" in refused.stderr


def test__decide__without_playbooks__or_a_night__says_what_to_do(tmp_path):
    project_in(tmp_path)
    nothing = run("foresail decide", tmp_path)
    assert nothing.returncode == 3
    assert "[library]" in nothing.stderr
    declare(tmp_path)
    unscored = run("foresail decide", tmp_path)
    assert unscored.returncode == 4
    assert "foresail nightly" in unscored.stderr
