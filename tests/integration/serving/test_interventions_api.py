"""Interventions as a CRM and its people meet them: a real service asked over HTTP, and other systems that report back."""

import hashlib
import hmac
import json
import secrets as chance
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from serving_company import AS_OF, register, settings_of, wait_until
from standardwebhooks import Webhook

from serving.accounts.states import refresh_states
from serving.client import Client, ProblemError
from serving.database.audit_log import verify
from serving.database.engine import open_engine, reading, writing
from serving.database.keys import create
from serving.database.tables import audit_log, event_inbox, interventions
from serving.database.upgrade import upgrade
from serving.interventions.declare.settings import IncomingWebhook, InterventionSettings, Role
from serving.interventions.run.lifecycle import Deadline, NewIntervention, begin

OLD, NEW = (f"whsec_{b64encode(chance.token_bytes(24)).decode()}" for _ in range(2))
HUB = chance.token_hex(16)
TOLD = InterventionSettings(
    roles={"manager": Role()},
    webhooks={
        "crm": IncomingWebhook(secrets=("${NEW_SECRET}", "${OLD_SECRET}"), actor="by"),
        "jira": IncomingWebhook(
            secrets=("${HUB_SECRET}",), signature="hub", intervention_id="issue.fields.foresail", status="issue.status",
            words={"Closed": "done"},
        ),
        "forgotten": IncomingWebhook(secrets=("${NOBODY_SET_THIS}",)),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def service(company, start_service, tmp_path_factory):
    """A service with nothing but accounts; each test begins what it works on."""
    database = f"sqlite:///{tmp_path_factory.mktemp('database')}/operational.db"
    engine = open_engine(database)
    upgrade(engine)
    refresh_states(engine, company.history, AS_OF)
    keys = {scope: create(engine, scope, [scope], AS_OF)[1] for scope in ("interventions", "score")}
    register(company.tracking_uri, company.recency)
    told = settings_of(company, database=database, models={"soon": "wholesaler-soon"}) | {
        "interventions": TOLD.model_dump(mode="json", by_alias=True)
    }
    secrets = {"NEW_SECRET": NEW, "OLD_SECRET": OLD, "HUB_SECRET": HUB}
    started = start_service(json.dumps(told), **secrets)
    wait_until(lambda: started.client.get("/readyz").status_code == 200, started.process, started.log)
    client = Client(str(started.client.base_url), key=keys["interventions"])
    return SimpleNamespace(
        http=started.client, client=client, keys=keys, engine=engine, url=str(started.client.base_url)
    )


@pytest.fixture
def begun(service):
    """Begins an intervention of an account of one's own, and gives its id."""

    def begin_one(name, account="A1", **changed):
        due = AS_OF + timedelta(days=2)
        how = {
            "owner": "Ada", "severity": "high", "reason": "no order", "decided_at": AS_OF, "due_at": due,
            "steps": (("call", due),), "deadlines": (Deadline("claim", due), Deadline("step", due, step=1)),
        }  # fmt: skip
        one = NewIntervention(name, account, "win_back", "decision", "manager", **how | changed)
        with writing(service.engine) as connection:
            begin(connection, [one], "the night", AS_OF, TOLD)
        return name

    return begin_one


def rows(service, table):
    with reading(service.engine) as connection:
        return list(connection.execute(sa.select(table)))


def acts(service, intervention_id):
    return [(row.actor, row.action) for row in rows(service, audit_log) if row.subject == intervention_id]


def test__from_claim_to_outcome__each_step_shows_and_is_in_the_audit_log(service, begun):
    soon = datetime.now(tz=UTC) + timedelta(days=1)
    own = begun("whole", deadlines=(Deadline("claim", soon), Deadline("step", soon, step=1)))
    client = service.client
    assert client.change(own, "claim", by="Ada").status == "claimed"
    assert client.change(own, "start", by="Ada").status == "in_progress"
    assert client.change(own, "steps/1/done", by="Ada").steps[0].done_by.startswith("Ada (")
    assert client.change(own, "comments", by="Ben", text="call after noon").comments[0].text == "call after noon"
    done = client.change(own, "complete", by="Ada", outcome="renewed", note="two years")
    assert (done.status, done.outcome, done.outcome_note) == ("done", "renewed", "two years")
    assert {one.result for one in done.deadlines} == {"met"}
    assert [action for _, action in acts(service, own)] == [
        "intervention_begun", "intervention_claimed", "intervention_in_progress", "intervention_step_done",
        "intervention_commented", "intervention_done",
    ]  # fmt: skip
    assert verify(service.engine).broken_at is None
    assert (
        json.loads(next(row.row for row in rows(service, event_inbox) if row.event_id == f"{own}/done"))["subject"]
        == "win_back"
    )


def test__claim__said_twice_is_once_and_another_is_refused(service, begun):
    own = begun("claimed")
    first = service.client.change(own, "claim", by="Ada")
    assert service.client.change(own, "claim", by="Ada") == first
    with pytest.raises(ProblemError) as refused:
        service.client.change(own, "claim", by="Ben")
    assert (refused.value.status, refused.value.type) == (409, "/problems/wrong-state")
    assert "claimed by Ada" in refused.value.detail
    assert service.client.change(own, "hand-over", by="Ada", to="Ben").owner == "Ben"
    assert service.client.change(own, "claim", by="Ben").status == "claimed"


def test__comment__sent_again_with_its_key__is_said_once(service, begun):
    own = begun("said")
    told = {"headers": {"idempotency-key": "said", "authorization": f"Bearer {service.keys['interventions']}"}}
    answers = [
        service.http.post(f"/v1/interventions/{own}/comments", json={"by": "Ada", "text": "x"}, **told)
        for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len(answers[1].json()["comments"]) == 1


def test__list__is_what_is_still_to_be_done_the_earliest_due_first_page_by_page(service, begun):
    names = [begun(f"listed{day}", owner="Lea", due_at=AS_OF + timedelta(days=9 - day)) for day in range(5)]
    begun("listed-open-end", owner="Lea", due_at=None)
    service.client.change(begun("listed-ended", owner="Lea"), "dismiss", by="Lea", reason="left")
    found = [one.intervention_id for one in service.client.interventions(owner="Lea", limit=2)]
    assert found == [*reversed(names), "listed-open-end"]
    assert [one.intervention_id for one in service.client.interventions(owner="Lea", status="dismissed")] == [
        "listed-ended"
    ]
    early = service.client.interventions(owner="Lea", due_before=(AS_OF + timedelta(days=6)).isoformat())
    assert [one.intervention_id for one in early] == ["listed4"]


def test__account__shows_what_is_to_be_done_and_what_came_of_the_rest(service, begun):
    begun("shown", account="A2")
    ended = begun("shown-ended", account="A2")
    service.client.change(ended, "complete", by="Ada", outcome="renewed")
    key = {"authorization": f"Bearer {service.keys['score']}"}
    account = service.http.get("/v1/accounts/A2", headers=key).json()
    assert [one["intervention_id"] for one in account["interventions"]] == ["shown"]
    assert [(one["intervention_id"], one["outcome"]) for one in account["past_interventions"]] == [
        ("shown-ended", "renewed")
    ]


@pytest.mark.parametrize("path", ["/v1/interventions/nobody", "/v1/interventions/nobody/claim"])
def test__unknown__is_404(service, path):
    how = service.http.post if path.endswith("claim") else service.http.get
    more = {"json": {"by": "Ada"}} if path.endswith("claim") else {}
    answer = how(path, headers={"authorization": f"Bearer {service.keys['interventions']}"}, **more)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-intervention")


def test__scope__of_scores_alone__is_refused(service):
    answer = service.http.get("/v1/interventions", headers={"authorization": f"Bearer {service.keys['score']}"})
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/missing-scope")


def signed(secret, body, at=None):
    at = at or datetime.now(tz=UTC)
    signature = Webhook(secret).sign("msg_1", at, body)
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
        "content-type": "application/json",
    }


@pytest.mark.parametrize("secret", [NEW, OLD], ids=["new", "old"])
def test__report__signed_with_any_declared_secret__moves_the_intervention(service, begun, secret):
    own = begun(f"reported {secret}")
    body = json.dumps({"intervention_id": own, "status": "claimed", "by": "Jürgen"}, ensure_ascii=False)
    answer = service.http.post("/v1/webhooks/crm", content=body.encode(), headers=signed(secret, body))
    assert answer.json() | {"at": None} == {
        "intervention_id": own,
        "changed": True,
        "status": "claimed",
        "why_not": None,
        "at": None,
    }
    assert acts(service, own)[-1] == ("Jürgen (crm)", "intervention_claimed")
    again = service.http.post("/v1/webhooks/crm", content=body.encode(), headers=signed(secret, body))
    assert (again.status_code, again.json()["changed"]) == (200, False)


def test__report__of_jira__by_its_own_words_and_places(service, begun):
    own = begun("jira")
    body = json.dumps({"issue": {"fields": {"foresail": own}, "status": "Closed"}}).encode()
    made = {
        "x-hub-signature": "sha256=" + hmac.new(HUB.encode(), body, hashlib.sha256).hexdigest(),
        "content-type": "application/json",
    }
    assert service.http.post("/v1/webhooks/jira", content=body, headers=made).json()["status"] == "done"
    (ended,) = (row for row in rows(service, interventions) if row.intervention_id == own)
    assert (ended.status, ended.outcome) == ("done", "Closed")


def test__report__with_a_word_that_nobody_declared__changes_nothing_and_is_not_sent_again(service, begun):
    body = json.dumps({"intervention_id": begun("odd"), "status": "On hold", "by": "Ada"})
    answer = service.http.post("/v1/webhooks/crm", content=body, headers=signed(NEW, body))
    assert (answer.status_code, answer.json()["changed"]) == (200, False)
    assert "'On hold' is not declared" in answer.json()["why_not"]


def test__report__of_json_without_an_end__is_refused_before_and_after_its_signature(service):
    deep = "[" * 100_000
    without, signed_so = (
        service.http.post("/v1/webhooks/crm", content=deep, headers={"content-type": "application/json"} | headers)
        for headers in ({}, signed(NEW, deep))
    )
    assert (without.status_code, signed_so.status_code) == (401, 422)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0.5", "1767225600"])
def test__list__due_before_what_is_no_moment_or_none_that_a_database_has__is_refused(service, moment):
    key = {"authorization": f"Bearer {service.keys['interventions']}"}
    assert service.http.get("/v1/interventions", params={"due_before": moment}, headers=key).status_code == 422


BODY = json.dumps({"intervention_id": "x", "status": "done", "by": "Ada"})
FORGED = [
    ("crm", BODY, signed(f"whsec_{b64encode(b'x' * 24).decode()}", BODY), "another secret"),
    ("crm", BODY + " ", signed(NEW, BODY), "another body"),
    ("crm", BODY, signed(NEW, BODY, datetime.now(tz=UTC) - timedelta(hours=1)), "an hour old"),
    ("crm", BODY, {}, "none"),
    ("crm", BODY, signed(NEW, BODY) | {"webhook-signature": "v1,!!!"}, "no base64"),
    ("jira", BODY, {"x-hub-signature": "sha256=00"}, "not ours"),
    ("jira", BODY, {"x-hub-signature": "sha256=ä".encode()}, "not ascii"),
    ("forgotten", BODY, signed(NEW, BODY), "a secret that nobody set"),
]


@pytest.mark.parametrize(("channel", "body", "headers"), [one[:3] for one in FORGED], ids=[one[3] for one in FORGED])
def test__report__that_is_not_signed_as_declared__is_refused(service, channel, body, headers):
    answer = service.http.post(
        f"/v1/webhooks/{channel}", content=body, headers={"content-type": "application/json", **headers}
    )
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/bad-signature")
    assert not any(secret in answer.text for secret in (NEW, OLD, HUB))


def test__report__to_a_channel_that_is_not_declared__is_404(service):
    answer = service.http.post("/v1/webhooks/zoho", json={})
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-channel")


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"intervention_id": 5, "status": "done"},
        [],
        "x",
        {"intervention_id": "x", "status": "done"},
        {"intervention_id": "x", "status": "\ud800", "by": "Ada"},
    ],
)
def test__report__that_lacks_what_is_declared__says_where_it_was_looked_for(service, told):
    body = json.dumps(told)
    answer = service.http.post("/v1/webhooks/crm", content=body, headers=signed(NEW, body))
    assert answer.status_code == 422
    assert "of the message" in answer.json()["detail"]
