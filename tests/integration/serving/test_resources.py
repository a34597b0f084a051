"""Events, accounts and lists as a caller meets them: a real service asked over HTTP, through the client that ships."""

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
import sqlalchemy as sa
from filled import fill
from serving_company import ACCOUNTS, AS_OF, register, settings_of, wait_until

from serving.accounts.states import refresh_states
from serving.client import Client, ProblemError
from serving.database.engine import open_engine, reading, writing
from serving.database.keys import create
from serving.database.tables import audit_log, event_inbox
from serving.database.upgrade import upgrade

SECONDS = os.environ.get("FORESAIL_SOAK_SECONDS", "15")
SEED = os.environ.get("FORESAIL_SOAK_SEED", "0")
ORDER = {"account_id": "A7", "stream": "purchases", "occurred_at": "2020-05-30T10:00:00Z", "amount": 999.0}


@pytest.fixture(scope="module")
def service(company, start_service, tmp_path_factory):
    """A service whose database two nights have filled."""
    database = f"sqlite:///{tmp_path_factory.mktemp('database')}/operational.db"
    engine = open_engine(database)
    upgrade(engine)
    refresh_states(engine, company.history, AS_OF)
    fill(engine)
    _, key = create(engine, "the tests", ["admin"], AS_OF)
    register(company.tracking_uri, *company.boosted)
    register(company.tracking_uri, company.recency)
    started = start_service(json.dumps(settings_of(company, database=database)))
    wait_until(lambda: started.client.get("/readyz").status_code == 200, started.process, started.log)
    started.client.headers["authorization"] = f"Bearer {key}"
    client = Client(str(started.client.base_url), key=key)
    return SimpleNamespace(
        http=started.client, client=client, key=key, engine=engine, log=started.log, process=started.process
    )


@pytest.fixture
def client(service):
    return service.client


def order(number, **changed):
    """An order that no other test posts."""
    return ORDER | {"order_id": f"order {number}"} | changed


def rows_of(service, table):
    with reading(service.engine) as connection:
        return connection.execute(sa.select(table).order_by(table.c.position)).all()


def test__events__are_seen_by_the_next_score_and_the_next_look_at_the_account(service, client):
    """What the CRM has just told us counts at once, before any night."""
    (before,) = score(service, "A7")
    known = client.account("A7", stream="purchases").timeline.events
    client.events([order("seen"), {"account_id": "A7", "stream": "accounts", "owner": "Eve"}])
    (after,) = score(service, "A7")
    assert before["probability"] != after["probability"]
    account = client.account("A7", stream="purchases")
    assert [event.details["order_id"] for event in account.timeline.events[: -len(known)]] == ["order seen"]
    assert account.attributes.owner == "Eve"


def score(service, account_id):
    response = service.http.post("/score", json={"account_ids": [account_id], "targets": ["soon"]})
    return response.json()["accounts"][0]["scores"]


def test__events__of_an_account_nobody_knew__make_it_known(client):
    with pytest.raises(ProblemError) as unknown:
        client.account("a new one/with a slash")
    assert (unknown.value.status, unknown.value.type) == (404, "/problems/unknown-account")
    client.events([order("new", account_id="a new one/with a slash")])
    account = client.account("a new one/with a slash")
    assert account.first_known == AS_OF
    assert (account.segmentation, account.scores) == (None, [])


def test__events__good_rows_are_kept_beside_refused_ones__207(service):
    rows = [
        order("kept"),
        order("bad", amount="x"),
        order("kept"),
        order("late", occurred_at="2020-06-01T00:00:00.000001Z"),
    ]
    response = service.http.post("/v1/events", json={"events": rows})
    answer = response.json()
    assert response.status_code == 207
    assert [row["status"] for row in answer["results"]] == ["accepted", "refused", "duplicate", "refused"]
    assert {name: answer[name] for name in ("accepted", "duplicate", "refused")} == {
        "accepted": 1,
        "duplicate": 1,
        "refused": 2,
    }
    assert answer["results"][1]["pointer"] == "#/events/1/amount"
    assert "lies after 2020-06-01 01:00:00+01:00" in answer["results"][3]["detail"]
    stored = [row.row for row in rows_of(service, event_inbox) if row.event_id == answer["results"][0]["event_id"]]
    assert [json.loads(row)["order_id"] for row in stored] == ["order kept"]
    assert json.loads(rows_of(service, audit_log)[-1].detail) == {"accepted": 1, "duplicate": 1, "refused": 2}


def test__events__the_same_post_again__is_answered_as_before_and_leaves_no_trace(service, client):
    first = client.events([order("once"), order("x", amount=None)], idempotency_key="once")
    acts = len(rows_of(service, audit_log))
    assert client.events([order("once"), order("x", amount=None)], idempotency_key="once") == first
    assert len(rows_of(service, audit_log)) == acts
    assert client.events([order("once")]).results[0].status == "duplicate"


def test__events__the_key_of_another_post__422(client):
    client.events([order("mine")], idempotency_key="mine")
    with pytest.raises(ProblemError, match="'mine' was used for another request") as reused:
        client.events([order("yours")], idempotency_key="mine")
    assert (reused.value.status, reused.value.type) == (422, "/problems/key-reused")


def test__events__from_many_sides_at_once__none_lost_none_doubled(service):
    told = []

    def post(side):
        with Client(str(service.http.base_url), key=service.key) as client:
            told.extend(client.events([order(f"side {number}") for number in range(side, side + 4)]).results)

    sides = [threading.Thread(target=post, args=[side]) for side in range(6)]
    for side in sides:
        side.start()
    for side in sides:
        side.join()
    assert sorted(result.status for result in told) == ["accepted"] * 9 + ["duplicate"] * 15
    ids = [row.event_id for row in rows_of(service, event_inbox)]
    assert {result.event_id for result in told} <= set(ids)


def test__events__as_many_as_allowed__are_kept_and_a_post_that_took_too_long_is_answered_when_it_is_repeated(client):
    """A machine that is busy may need longer than an answer may take; the work is done once all the same."""
    rows = [order(f"many {number}") for number in range(10_000)]
    with suppress(ProblemError):
        client.events(rows, idempotency_key="many")
    found = client.events(rows, idempotency_key="many")
    assert (found.accepted, len(found.results)) == (10_000, 10_000)


def test__events__while_the_database_is_locked__503_and_reads_go_on_and_then_all_is_well(service, client):
    with writing(service.engine):
        response = service.http.post("/v1/events", json={"events": [order("locked")]})
        assert client.account("A1").account_id == "A1"
    assert (response.status_code, response.json()["type"]) == (503, "/problems/database-unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert client.events([order("locked")]).accepted == 1


WRONG = [
    ("POST", "/v1/events", {"json": {}}, "malformed-event", "#/events", "Field required"),
    ("POST", "/v1/events", {"json": {"evens": []}}, "malformed-request", None, "did you mean 'events'?"),
    ("POST", "/v1/events", {"json": {"events": [{}] * 10_001}}, "malformed-event", "#/events", "at most 10000"),
    ("POST", "/v1/events", {"json": []}, "malformed-request", "#", ""),
    ("GET", "/v1/accounts?limit=0", {}, "malformed-request", None, "query parameter 'limit'"),
    ("GET", "/v1/accounts?sort=size", {}, "malformed-request", None, "query parameter 'sort'"),
    ("GET", "/v1/accounts?regoin=north", {}, "malformed-request", None, "query parameter 'regoin'"),
    ("GET", "/v1/accounts?region=%00", {}, "malformed-request", None, "query parameter 'region'"),
    ("GET", "/v1/accounts?cursor=abc", {}, "malformed-request", None, "query parameter 'cursor': 'abc' is not"),
    ("GET", "/v1/accounts?cursor=ü", {}, "malformed-request", None, "query parameter 'cursor'"),
    ("GET", "/v1/accounts/A0?stream=orders", {}, "malformed-request", None, "query parameter 'stream'"),
    ("GET", "/v1/accounts/A0?cursor=e30", {}, "malformed-request", None, "query parameter 'cursor'"),
    ("GET", "/v1/accounts/%00", {}, "malformed-request", None, "path parameter 'account_id'"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "content", "kind", "pointer", "words"), WRONG, ids=range(len(WRONG)))
def test__a_request_that_breaks_the_schema__is_a_problem_that_says_where(
    service, method, path, content, kind, pointer, words
):
    response = service.http.request(method, path, **content)
    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, problem["type"]) == (422, f"/problems/{kind}")
    assert words in response.text
    assert pointer is None or problem["pointer"] == pointer


def test__account__has_all_that_is_known_of_it(client):
    account = client.account("A1")
    assert (account.account_id, account.as_of) == ("A1", AS_OF)
    assert (account.attributes.region, account.attributes.size, account.attributes.owner) == ("north", 1.0, None)
    assert account.segmentation.name == "Company 1"
    (churn,) = account.scores
    assert (churn.target, churn.probability, churn.previous) == ("churn", 0.4, 0.3)
    assert churn.change == pytest.approx(0.1)
    assert [past.answer for past in churn.history] == [0.4, 0.3]
    assert churn.reasons[0].words == "no order for 61 days"
    assert [move.after for move in account.moves] == ["growth"]
    assert [todo.playbook for todo in account.interventions] == ["win_back"]


def test__account__its_timeline_page_by_page_is_every_event_newest_first(client):
    account = max(ACCOUNTS, key=lambda name: len(ACCOUNTS[name]["purchases"]))
    found, cursor = [], {}
    while cursor is not None:
        page = client.account(account, limit=4, **cursor).timeline
        found += page.events
        cursor = {"cursor": page.next} if page.next else None
    told = [(event.occurred_at, event.known_at, event.stream, event.event_id) for event in found]
    assert told == sorted(set(told), reverse=True)
    assert len(told) > 8
    assert all(event.known_at <= AS_OF for event in found)


def test__accounts__page_by_page_the_most_at_stake_first_and_those_without_last(client):
    found = [account.segmentation for account in client.accounts(limit=7)]
    assert sorted(one.account_id for one in found) == sorted(ACCOUNTS)
    stakes = [one.value_at_stake for one in found]
    assert stakes[-12:] == [None] * 12
    assert stakes[:-12] == sorted(stakes[:-12], reverse=True)


def test__accounts__filtered_sorted_and_counted(service, client):
    asked = {"owner": ["Ada"], "region": ["Süd", "south"], "sort": "health", "limit": 3}
    found = list(client.accounts(**asked))
    assert {(one.segmentation.owner, one.segmentation.region) for one in found} == {("Ada", "Süd")}
    health = [one.segmentation.health for one in found]
    assert health == sorted(health)
    (risk,) = found[0].risks
    assert (risk.target, risk.model_version, risk.change) == ("churn", "1", risk.probability - risk.previous)
    assert service.http.get("/v1/accounts", params={**asked, "count": True}).json()["count"] == len(found) > 3


def test__accounts__the_cursor_of_another_order__is_refused(service):
    cursor = service.http.get("/v1/accounts?limit=2").json()["next"]
    response = service.http.get("/v1/accounts", params={"cursor": cursor, "sort": "name"})
    assert (response.status_code, "is not the `next` of an answer" in response.json()["detail"]) == (422, True)


def test__log__says_which_resource_was_asked_and_not_for_whom(service, client):
    begins = len(service.log.read_text())
    client.account("A7")
    # The line is written when the answer is out.
    wait_until(lambda: '"status":200' in service.log.read_text()[begins:], service.process, service.log)
    line = service.log.read_text()[begins:]
    assert '"route":"/v1/accounts/{account_id}"' in line
    assert "A7" not in line


def test__openapi__every_failure_is_a_problem_and_every_reference_is_there(service):
    document = service.http.get("/v1/openapi.json").json()
    for path in document["paths"].values():
        for operation in path.values():
            failures = {status: told for status, told in operation["responses"].items() if not status.startswith("2")}
            assert {"422", "503", "default"} <= failures.keys()
            assert all(list(told["content"]) == ["application/problem+json"] for told in failures.values())
    named = {part.split('"')[0] for part in json.dumps(document).split("#/components/schemas/")[1:]}
    assert named <= document["components"]["schemas"].keys()


def test__resources__asked_anything_at_all__answer_as_the_document_says(service, tmp_path):
    """A quarter of a minute by default; `make soak` takes minutes."""
    url = f"{service.http.base_url}/v1/openapi.json"
    key = ["--header", f"Authorization: Bearer {service.key}"]
    bounds = ["--max-time", SECONDS, "--seed", SEED, "--phases", "examples,coverage,fuzzing"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", Path(__file__).with_name("schemathesis.toml")]
    found = subprocess.run([*command, "run", url, *key, *bounds], capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Traceback" not in service.log.read_text()


class Moody(httpx.BaseTransport):
    """Answers with these, one after the other."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def handle_request(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def busy(status):
    problem = {"type": "/problems/busy", "title": "busy", "status": status, "detail": "later"}
    return httpx.Response(
        status, json=problem, headers={"retry-after": "2", "content-type": "application/problem+json"}
    )


def moody(monkeypatch, *answers, **options):
    """A client of a service that answers so, and how long it waited."""
    waited = []
    monkeypatch.setattr("serving.client.time.sleep", waited.append)
    client = Client("http://nowhere", **options)
    client._http = httpx.Client(transport=Moody(*answers), base_url="http://nowhere", headers=client._http.headers)
    return client, waited, client._http._transport.asked


def test__client__waits_as_long_as_it_is_told_and_asks_again_with_the_same_key(monkeypatch):
    done = httpx.Response(200, json={"accepted": 0, "duplicate": 0, "refused": 0, "results": []})
    client, waited, asked = moody(monkeypatch, busy(503), httpx.ConnectError("gone"), busy(429), done, key="fsk_1")
    assert client.events([]).accepted == 0
    assert waited == [2.0, 1.0, 2.0]
    assert len({request.headers["idempotency-key"] for request in asked}) == 1
    assert {request.headers["authorization"] for request in asked} == {"Bearer fsk_1"}


def test__client__gives_up_after_so_many_tries_and_says_the_problem(monkeypatch):
    client, waited, asked = moody(monkeypatch, busy(503), busy(503), retries=1)
    with pytest.raises(ProblemError, match="busy: later") as problem:
        client.models()
    assert (problem.value.status, problem.value.type, len(asked), waited) == (503, "/problems/busy", 2, [2.0])


def test__client__a_failure_that_is_no_problem__is_raised_too(monkeypatch):
    client, _, _ = moody(monkeypatch, httpx.Response(502, text="from a proxy"))
    with pytest.raises(httpx.HTTPStatusError, match="502"):
        client.models()
