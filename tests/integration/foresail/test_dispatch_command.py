"""`foresail dispatch` and `foresail outbox`, as processes: what they do, say, and end with."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from commands import run
from outbox_messages import SECRET, put
from receiving import receiver

from features.timestamps import now
from foresail.config.project import load, template
from serving.database.engine import opened
from serving.database.upgrade import upgrade


@pytest.fixture
def project(tmp_path):
    """Makes a project whose channel crm is at a URL; its folder and its database."""

    def made(url):
        channel = (
            f'[channels.crm]\nkind = "webhook"\nurl = "{url}"\nsecrets = ["${{CRM_SECRET}}"]\nallow_private = true\n'
        )
        (tmp_path / "foresail.toml").write_text(f"{template()}\n{channel}")
        engine = opened(load(tmp_path).database)
        upgrade(engine)
        return tmp_path, engine

    return made


def test__once__delivers_and_says_what_became_of_it(project, monkeypatch):
    monkeypatch.setenv("CRM_SECRET", SECRET)
    with receiver(200, 410) as crm:
        folder, engine = project(crm.url)
        put(engine, "crm", now=now())
        done = run("foresail dispatch --once --json", folder)
        assert (done.returncode, json.loads(done.stdout)["delivered"]) == (0, 1), done.stderr
        put(engine, "crm", 2, now=now(), first=1)
        assert "2 wanted by nobody any more" in run("foresail dispatch --once", folder).stdout
        crm.answers = [200]
        again = run("foresail outbox reopen crm --yes", folder)
        assert again.stdout == "2 messages to be sent again, under the same ids\n"
        assert json.loads(run("foresail dispatch --once --json", folder).stdout)["delivered"] == 2


def test__a_missing_secret__is_said_where_one_looks(project, monkeypatch):
    monkeypatch.delenv("CRM_SECRET", raising=False)
    folder, engine = project("https://crm.example/hook")
    (message_id,) = put(engine, "crm", now=now())
    assert "1 waiting for a channel that can be used" in run("foresail dispatch --once", folder).stdout
    listed = json.loads(run("foresail outbox list --state pending --json", folder).stdout)
    (message,) = listed["messages"]
    assert message["problem"] == "[channels.crm]: the environment has no variable CRM_SECRET, nor CRM_SECRET_FILE"
    assert "account_id" not in message
    assert json.loads(run(f"foresail outbox replay {message_id} --json", folder).stdout) == {"replayed": 1}
    wrong = run("foresail outbox replay msg_none", folder)
    assert (wrong.returncode, "there is no message 'msg_none'" in wrong.stderr) == (2, True)
    assert run("foresail outbox replay", folder).returncode == 2
    assert run("foresail outbox reopen other --yes", folder).returncode == 3


def test__the_dispatcher__runs_until_it_is_told_to_stop(project):
    with receiver() as crm:
        folder, engine = project(crm.url)
        command = [sys.executable, "-m", "foresail.cli.main", "dispatch"]
        process = subprocess.Popen(
            command, cwd=folder, env=os.environ | {"CRM_SECRET": SECRET}, stderr=subprocess.PIPE, text=True
        )
        for number in range(2):
            put(engine, "crm", now=now(), first=number)
            until(lambda number=number: len(crm.requests) > number)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    events = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert [event["event"] for event in events] == ["delivered", "delivered"], said
    assert "A-17" not in said


def until(is_so, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
