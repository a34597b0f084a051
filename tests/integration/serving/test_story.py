"""The story that everything here is for, from an urgent case to what came of it, over HTTP and with a receiver that listens.

A service, a night before it, a CRM that is told by webhook, and people of four roles who are told in their chats.
"""

import json
import time
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from night_company import PROJECT, SOURCE, STREAMS, company_in, write_sources
from receiving import receiver
from serving_company import ACCOUNTS, AS_OF, wait_until
from standardwebhooks import Webhook

from features.timestamps import now
from foresail.config.project import load
from foresail.operations.effect_report import effects
from foresail.operations.nightly import nightly
from foresail.operations.serving import bring_up_to_date, serving_settings
from serving.client import Client
from serving.database.audit_log import verify
from serving.database.engine import open_engine, reading
from serving.database.keys import create
from serving.database.tables import account_segments

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ROLES = ("account_manager", "support_lead", "product_manager", "department_director")
PROMISES = """
[[tiers.rules]]
tier = "strategic"
yearly_purchases = 100

[roles.caller]
members = ["Ann"]
capacity_per_week = 5

[playbooks.call]
when = "churn_probability > 0.01"
for = "churn"
role = "caller"
cost = 1
control = 0.3
effect = { prior = 0.1 }

[sla.strategic_urgent]
when = "case_severity = 'urgent' and tier = 'strategic'"
notify = ["account_manager", "support_lead", "product_manager"]
claim_within = "3s"
resolve_within = "4h"
escalate_to = "department_director"
business_hours = "always"
steps = [ { do = "repair plan", within = "24h" } ]

[channels.crm]
kind = "webhook"
url = "RECEIVER/crm"
secrets = ["${CRM_SECRET}"]
allow_private = true
"""
CHAT = """
[roles.{role}]
members = ["Di", "Eva"]
channels = ["chat_of_{role}"]

[channels.chat_of_{role}]
kind = "people"
url = "json://{host}/{role}"
allow_private = true
"""


def until_today(rows, by):
    """The made-up company's rows, moved to where their last day is this one."""
    moved = {name: f"{datetime.fromisoformat(rows[name]) + by}" for name in ("occurred_at", "known_at") if name in rows}
    return rows | moved


def project_in(folder, url):
    """A company that keeps promises, told to the receiver at this address."""
    by = timedelta(days=(now() - AS_OF).days)
    company_in(folder)
    write_sources(
        folder,
        {
            account: {stream: [until_today(row, by) for row in rows] for stream, rows in streams.items()}
            for account, streams in ACCOUNTS.items()
        },
    )
    address = url.removesuffix("/hook")
    chats = [CHAT.format(role=role, host=address.removeprefix("http://")) for role in ROLES]
    told = [PROMISES.replace("RECEIVER", address), *chats, *(SOURCE.format(stream=stream) for stream in STREAMS)]
    (folder / "foresail.toml").write_text(PROJECT.format(database=f"sqlite:///{folder}/foresail.db") + "".join(told))
    return load(folder)


@pytest.fixture
def story(start_service, tmp_path):
    """The night is over and has decided; the service is up; somebody listens."""
    with receiver() as heard:
        project = project_in(tmp_path, heard.url)
        nightly(project, now(), now)
        bring_up_to_date(project, now())
        engine = open_engine(project.database)
        _, key = create(engine, "crm", ["score", "events", "interventions"], now())
        service = start_service(serving_settings(project, None).model_dump_json(), CRM_SECRET=SECRET)
        wait_until(lambda: service.client.get("/readyz").status_code == 200, service.process, service.log)
        client = Client(str(service.client.base_url), key=key)
        yield SimpleNamespace(project=project, engine=engine, client=client, heard=heard, log=service.log)
        engine.dispose()


def texts(story, role):
    """What the people of a role were told of the case."""
    found = [json.loads(body) for _, body, _, path in story.heard.requests if path == f"/{role}"]
    return [text["title"] for text in found]


def hooks(story, intervention_id):
    """What the CRM was told of an intervention, every message signed as Standard Webhooks has it."""
    came = [(body, headers) for headers, body, _, path in story.heard.requests if path == "/crm"]
    told = [Webhook(SECRET).verify(body, headers) for body, headers in came]
    return [one["type"] for one in told if one["data"]["intervention_id"] == intervention_id]


def strategic_account(engine):
    query = (
        sa.select(account_segments.c.account_id)
        .where(account_segments.c.tier == "strategic")
        .order_by(account_segments.c.account_id)
    )
    with reading(engine) as connection:
        return connection.execute(query).scalars().first()


def until(is_so, story, seconds=180):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, story.log.read_text()
        time.sleep(0.02)


def urgent_case(account):
    return {
        "account_id": account, "stream": "service", "occurred_at": now().isoformat(), "case_id": "4711",
        "kind": "opened", "severity": "urgent", "topic": "fault",
    }  # fmt: skip


def done_of(story):
    """Of the playbook: accounts in treatment, those for which something was begun, and those for which it was done."""
    (report,) = effects(story.project, now()).playbooks
    return report.assigned["treatment"], report.delivered, report.done


def test__urgent_case_of_a_strategic_account__from_task_to_outcome_to_effect_report(story):
    client, account = story.client, strategic_account(story.engine)

    assert client.events([urgent_case(account)]).accepted == 1
    (task,) = client.interventions(origin="sla")
    assert (task.account_id, task.status, task.role) == (account, "assigned", "account_manager")
    assert (task.severity, "urgent case 4711 of an account of tier strategic" in task.reason) == ("critical", True)
    own = task.intervention_id
    until(lambda: all(texts(story, role) for role in ROLES[:3]), story)

    until(lambda: texts(story, "department_director"), story)
    assert [len(texts(story, role)) for role in ROLES] == [1, 1, 1, 1]
    assert "it is yours now" in texts(story, "department_director")[0]
    assert client.intervention(own).role == "department_director"

    client.change(own, "claim", by="Di")
    client.change(own, "start", by="Di")
    client.change(own, "steps/1/done", by="Di")
    done = client.change(own, "complete", by="Di", outcome="repaired", note="a new drive, and an hour on the phone")
    assert (done.status, done.owner, done.outcome) == ("done", "Di", "repaired")
    assert {one.kind: one.result for one in done.deadlines} == {"claim": "missed", "resolve": "met", "step": "met"}

    whole = ["assigned", "escalated", "claimed", "in_progress", "done"]
    until(lambda: len(hooks(story, own)) == len(whole), story)
    assert sorted(hooks(story, own)) == sorted(f"intervention.{each}" for each in whole)

    newest = client.account(account, stream="engagement").timeline.events[0]
    assert newest.event_id == f"{own}/done"
    assert newest.details == {"kind": "intervention", "subject": "strategic_urgent", "status": "done"}

    treated, delivered, before = done_of(story)
    assert (delivered, before) == (treated, 0)
    called = next(iter(client.interventions(playbook="call")))
    client.change(called.intervention_id, "complete", by="Ann", outcome="renewed")
    assert done_of(story) == (treated, treated, 1)
    assert verify(story.engine).is_whole
